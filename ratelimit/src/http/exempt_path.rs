//! Paths that all servers read in the same way, which are the only ones that can be exempt.

use http::uri::PathAndQuery;

/// Returns whether a request's path is the same for whatever decodes, normalizes or splits it once
/// more, so that it leads to where it seems to lead.
pub(super) fn is_unambiguous(path: &str) -> bool {
    let Some(decoded) = decode(path) else {
        return false;
    };
    // Encoded slashes make more segments.
    let Some(segments) = path.strip_prefix('/') else {
        return false;
    };
    let has_same_segments = decoded.matches('/').count() == path.matches('/').count();
    let last = segments.matches('/').count();
    has_same_segments
        && !decoded.chars().any(is_ambiguous)
        && segments
            .split('/')
            .enumerate()
            .all(|(n, segment)| n == last || !segment.is_empty())
        && !decoded.split(['/', ';']).any(is_of_dots)
}

/// Returns whether a path is one that requests can have, perhaps with `/*` at its end, and no pattern of
/// another kind, which would match nothing, or more than was meant.
pub(super) fn is_pattern(pattern: &str) -> bool {
    let path = pattern.strip_suffix("/*").unwrap_or(pattern);
    // A query, a fragment and a space are no part of a path.
    let is_path = |uri: PathAndQuery| uri.path() == pattern && uri.query().is_none();
    is_unambiguous(pattern)
        && !path.contains(['*', '{', '}'])
        && PathAndQuery::try_from(pattern).is_ok_and(is_path)
}

/// Decodes percent-encoding; `None` if it is not well-formed, or not of UTF-8.
fn decode(path: &str) -> Option<String> {
    let mut rest = path.bytes();
    let mut decoded = Vec::with_capacity(path.len());
    while let Some(byte) = rest.next() {
        let byte = match byte {
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                u8::try_from(digit()? * 16 + digit()?).ok()?
            }
            byte => byte,
        };
        decoded.push(byte);
    }
    String::from_utf8(decoded).ok()
}

fn is_ambiguous(char: char) -> bool {
    // A percent sign is left if it was encoded twice.
    matches!(char, '%' | '\\') || char.is_control() || is_invisible(char) || is_lookalike(char)
}

/// Returns whether file systems and normalization may ignore it, so that it can stand between two dots:
/// what Unicode calls default ignorable.
fn is_invisible(char: char) -> bool {
    matches!(
        char,
        '\u{AD}'
            | '\u{34F}'
            | '\u{61C}'
            | '\u{115F}'..='\u{1160}'
            | '\u{17B4}'..='\u{17B5}'
            | '\u{180B}'..='\u{180F}'
            | '\u{200B}'..='\u{200F}'
            | '\u{202A}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}'
            | '\u{3164}'
            | '\u{FE00}'..='\u{FE0F}'
            | '\u{FEFF}'
            | '\u{FFA0}'
            | '\u{FFF0}'..='\u{FFFB}'
            | '\u{1BCA0}'..='\u{1BCA3}'
            | '\u{1D173}'..='\u{1D17A}'
            | '\u{E0000}'..='\u{E0FFF}'
    )
}

/// Returns whether normalization, such as to NFKC, or what Windows calls "best fit", turns it into a
/// dot, a slash, a backslash, a semicolon or a percent sign.
fn is_lookalike(char: char) -> bool {
    matches!(
        char,
        // The yen and the won sign are backslashes in the code pages of Japan and Korea.
        '\u{A5}'
            | '\u{37E}'
            | '\u{2024}'..='\u{2026}'
            | '\u{2044}'
            | '\u{20A9}'
            | '\u{2100}'..='\u{2101}'
            | '\u{2105}'..='\u{2106}'
            | '\u{2215}'..='\u{2216}'
            | '\u{FE14}'
            | '\u{FE19}'
            | '\u{FE30}'
            | '\u{FE52}'
            | '\u{FE54}'
            | '\u{FE68}'
            | '\u{FE6A}'
            | '\u{FF05}'
            | '\u{FF0E}'
            | '\u{FF0F}'
            | '\u{FF1B}'
            | '\u{FF3C}'
            | '\u{FF61}'
    )
}

/// Returns whether it is one or more dots, perhaps with spaces, which Windows ignores.
fn is_of_dots(segment: &str) -> bool {
    let is_ignored = |char: char| char == '.' || char.is_whitespace();
    segment.contains('.') && segment.chars().all(is_ignored)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_unambiguous_if_it_leads_to_where_it_seems_to_lead() {
        for path in [
            "/",
            "/health",
            "/static/",
            "/static/logo.png",
            "/static/a/b/c.min.js",
            "/static/.well-known/x",
            "/static/..logo",
            "/static/logo..",
            "/static/a..b",
            "/static/a%20b",
            "/static/gr%C3%B6%C3%9Fe.png",
            "/static/a;v=1",
            "/static/a=b&c:d@e,f",
            "/static/%7Euser",
            "/static/*",
        ] {
            assert!(is_unambiguous(path), "{path}");
        }
        for path in [
            // No path, or one relative to it knows not what.
            "",
            "*",
            "static",
            // Dot segments.
            "/.",
            "/..",
            "/static/.",
            "/static/..",
            "/static/./x",
            "/static/../x",
            "/static/a/../../x",
            "/static/.../x",
            "/static/%2e/x",
            "/static/%2e%2e/x",
            "/static/%2E%2e/x",
            "/static/.%2e/x",
            "/static/%2e./x",
            "/static/..;/x",
            "/static/..;a=b/x",
            "/static/.;/x",
            "/static/%2e%2e;/x",
            "/static/..%3b/x",
            "/static/a;../x",
            "/static/a;/../x",
            "/static/..%20/x",
            "/static/%20../x",
            "/static/.. /x",
            // Encoded and other separators.
            "/static/..%2fx",
            "/static/..%2Fx",
            "/static/a%2fb",
            "/static%2fx",
            "/static/..%5cx",
            "/static/..%5Cx",
            "/static/a%5cb",
            "/static/a\\b",
            "/static\\..\\x",
            "//static/x",
            "/static//x",
            "/static///",
            "/static//",
            // Encoded twice, or badly.
            "/static/%252e%252e/x",
            "/static/%252fx",
            "/static/%25",
            "/static/%%32%65/x",
            "/static/%",
            "/static/%2",
            "/static/%zz",
            "/static/%u002e%u002e/x",
            "/static/%+2/x",
            // Control characters.
            "/static/a%00b",
            "/static/..%00/x",
            "/static/a%0ab",
            "/static/..%09/x",
            "/static/a%7f",
            "/static/a%C2%85",
            // Not UTF-8, of which some are dots and slashes that are too long.
            "/static/%c0%ae%c0%ae/x",
            "/static/%c0%af",
            "/static/%e0%80%ae/x",
            "/static/%f0%80%80%ae/x",
            "/static/%ff",
            // What looks like a dot or a separator.
            "/static/%ef%bc%8e%ef%bc%8e/x",
            "/static/%e2%80%a5/x",
            "/static/a%ef%bc%8fb",
            "/static/a%ef%bc%bcb",
            "/static/．．/x",
            "/static/.%e2%80%8b./x",
            "/static/%ef%bb%bf../x",
            "/static/..\u{37e}/x",
            "/static/..%cd%be/x",
            "/static/..%ef%b8%94/x",
            "/static/%e2%84%80",
            "/static/..%c2%a5x",
            "/static/..%e2%82%a9x",
            "/static/.%e3%85%a4./x",
            "/static/..%e1%85%9f/x",
            "/static/..%c2%a0/x",
            "/static/..%e3%80%80/x",
        ] {
            assert!(!is_unambiguous(path), "{path}");
        }
    }
}
