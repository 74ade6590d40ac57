//! Properties of the walk and of the parser; single cases are in the table of `tests/http/addresses.txt`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use http::{HeaderMap, HeaderName, HeaderValue, header::FORWARDED};
use once_cell::sync::Lazy;
use proptest::{bool, collection::vec, prelude::*, sample::select};
use regex::bytes::Regex;

use super::{proxies::Trust, rfc7239::forwarded, *};

const CLIENT: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 200);

fn headers(name: &HeaderName, lines: &[Vec<u8>]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in lines {
        headers.append(name, HeaderValue::from_bytes(line).expect("a value"));
    }
    headers
}

/// Each way to trust the peer 10.0.0.1, and the last one to trust a peer without an address.
fn trusts() -> [Trust; 3] {
    let networks = |socket| Trust::Networks {
        networks: vec![network("10.0.0.0/8").expect("a network")],
        socket,
    };
    [networks(false), Trust::Hops(1), networks(true)]
}

fn all_headers() -> [ForwardedHeader; 3] {
    [
        ForwardedHeader::XForwardedFor,
        ForwardedHeader::Forwarded,
        ForwardedHeader::Address(HeaderName::from_static("x-real-ip")),
    ]
}

/// A line as a client may send it: any bytes, and pieces of what it should hold.
fn line() -> impl Strategy<Value = Vec<u8>> {
    let byte = (0x20_u8..=0xff).prop_filter("a header value", |byte| *byte != 0x7f);
    let piece = prop_oneof![
        vec(byte, 0..40),
        r#"(for=|host="|;|"|\\|,| |\[|:|::ffff:|10\.0\.0\.1|203\.0\.113\.[0-9]{1,3}|by=_x){1,12}"#
            .prop_map(String::into_bytes),
    ];
    vec(piece, 0..20).prop_map(|pieces| pieces.concat())
}

/// What a client may choose of the element that its proxy writes, as a quoted string: its `Host`.
fn quoted() -> impl Strategy<Value = Vec<u8>> {
    let piece = select(
        &[
            r#"\""#,
            r"\\",
            ",",
            ";",
            "=",
            "for=1.2.3.4",
            ", ",
            "example.com",
            r"\a",
            "\u{fc}",
            "\t",
        ][..],
    );
    vec(piece, 0..8).prop_map(|pieces| format!("\"{}\"", pieces.concat()).into_bytes())
}

proptest! {
    #[test]
    fn nothing_that_a_client_sends_comes_before_what_the_proxy_appends(
        sent in vec(line(), 0..4),
        last in line(),
        host in quoted(),
    ) {
        let elements = [
            b"for=203.0.113.200;host=".to_vec(),
            b"host=".to_vec(),
        ];
        let [after, before] = elements.map(|element| [element, host.clone()].concat());
        let cases = [
            (ForwardedHeader::XForwardedFor, b"203.0.113.200".to_vec()),
            (ForwardedHeader::Forwarded, after),
            (ForwardedHeader::Forwarded, [before, b";for=\"203.0.113.200:80\"".to_vec()].concat()),
        ];
        for ((header, appended), trust) in
            cases.iter().flat_map(|case| trusts().map(|trust| (case, trust)))
        {
            let proxies = TrustedProxies { trust, header: header.clone() };
            let client = |lines: &[Vec<u8>], peer: [u8; 4]| {
                proxies.client_address(Some(peer.into()), &headers(header.name(), lines))
            };
            // To the client's last line, as a proxy does it, or on a line of its own.
            let mut joined = sent.clone();
            joined.push([&last, &b", "[..], appended].concat());
            let mut own = sent.clone();
            own.extend([last.clone(), appended.clone()]);
            for lines in [joined, own] {
                prop_assert_eq!(client(&lines, [10, 0, 0, 1]), ClientAddress::Stated(CLIENT.into()));
                if !matches!(proxies.trust, Trust::Hops(_)) {
                    // And from a peer that is not trusted it is not read at all.
                    let peer = [198, 51, 100, 9];
                    prop_assert_eq!(client(&lines, peer), ClientAddress::Peer(peer.into()));
                }
            }
        }
    }

    #[test]
    fn a_client_that_its_proxy_does_not_state_is_behind_it(
        sent in vec(line(), 0..4),
        hidden in select(&["for=unknown", "for=_x", "proto=https", "for=1.2.3.4;for=1.2.3.4", "for=\"", "x"][..]),
    ) {
        let mut lines = sent;
        lines.push(hidden.as_bytes().to_vec());
        let headers = headers(&FORWARDED, &lines);
        let peer = [10, 0, 0, 1].into();
        for trust in trusts() {
            let proxies = TrustedProxies { trust, header: ForwardedHeader::Forwarded };
            let address = proxies.client_address(Some(peer), &headers);
            prop_assert_eq!(address.limited_by(), Some(peer));
            prop_assert_eq!(address.certain(), None);
        }
    }

    #[test]
    fn no_header_makes_a_panic(lines in vec(line(), 0..4), has_address in bool::ANY) {
        let peer = has_address.then_some([10, 0, 0, 1].into());
        for (header, trust) in
            all_headers().iter().flat_map(|header| trusts().map(|trust| (header, trust)))
        {
            let proxies = TrustedProxies { trust, header: header.clone() };
            let address = proxies.client_address(peer, &headers(header.name(), &lines));
            // What has no header is not certain.
            prop_assert!(!lines.is_empty() || address.certain().is_none());
        }
    }
}

#[test]
fn internal_networks_end_where_they_end() {
    for (network, is_outside) in [
        ("10.0.0.0-10.255.255.255", ["9.255.255.255", "11.0.0.0"]),
        (
            "100.64.0.0-100.127.255.255",
            ["100.63.255.255", "100.128.0.0"],
        ),
        (
            "127.0.0.0-127.255.255.255",
            ["126.255.255.255", "128.0.0.0"],
        ),
        (
            "169.254.0.0-169.254.255.255",
            ["169.253.255.255", "169.255.0.0"],
        ),
        (
            "172.16.0.0-172.31.255.255",
            ["172.15.255.255", "172.32.0.0"],
        ),
        (
            "192.168.0.0-192.168.255.255",
            ["192.167.255.255", "192.169.0.0"],
        ),
        ("::1-::1", ["::", "::2"]),
        ("fc00::-fdff:ffff::", ["fbff::", "fe00::"]),
        ("fe80::-febf:ffff::", ["fe7f::", "fec0::"]),
        (
            "::ffff:10.0.0.0-::ffff:10.255.0.0",
            ["::ffff:9.0.0.0", "::ffff:11.0.0.0"],
        ),
    ] {
        let is_internal = |address: &str| is_internal(address.parse().expect("an address"));
        let (first, last) = network.split_once('-').expect("first and last");
        assert!(is_internal(first) && is_internal(last), "{network}");
        for address in is_outside {
            assert!(!is_internal(address), "{address}");
        }
    }
}

/// A header that costs more than linear time to read would keep this from coming to an end.
#[test]
fn a_long_header_costs_linear_time() {
    const LENGTH: usize = 1 << 20;

    let pieces = [
        ",",
        " ",
        ";",
        "=",
        "\"",
        "\\",
        "\\\"",
        "\"\\",
        "\"\",",
        "\",\"",
        "a=b;",
        "a=b,",
        "for=\"",
        "for=10.0.0.1,",
        "10.0.0.1,",
        "10.0.0.1 ,",
        "for=_x,",
        "unknown,",
        ";,",
        "[",
        ":",
    ];
    for (piece, end) in pieces
        .iter()
        .flat_map(|piece| ["", "\"", ",for=\""].map(|end| (piece, end)))
    {
        let line = [piece.repeat(LENGTH / piece.len()).trim(), end].concat();
        for header in all_headers() {
            let headers = headers(header.name(), &[line.clone().into_bytes()]);
            for trust in trusts() {
                let proxies = TrustedProxies {
                    trust,
                    header: header.clone(),
                };
                proxies.client_address(Some([10, 0, 0, 1].into()), &headers);
            }
        }
    }
}

#[test]
fn the_walk_is_bounded() {
    let peer = Some([10, 0, 0, 1].into());
    for (proxies_before, is_stated) in [(LONGEST_CHAIN - 1, true), (LONGEST_CHAIN, false)] {
        let line = ["203.0.113.200", &", 10.0.0.2".repeat(proxies_before)].concat();
        let proxies = TrustedProxies {
            trust: trusts()[0].clone(),
            header: ForwardedHeader::XForwardedFor,
        };
        let headers = headers(proxies.header.name(), &[line.into_bytes()]);
        let address = proxies.client_address(peer, &headers);
        let expected = is_stated.then_some(CLIENT.into());
        assert_eq!(address.certain(), expected, "{proxies_before}");
    }
}

/// A reader of `Forwarded` of another kind: from the left, by regular expressions that are the ABNF of
/// RFC 7239 and RFC 9110, word for word. (The grammar is a regular one.)
struct Abnf {
    element: Regex,
    pair: Regex,
    node: Regex,
    quoted_pair: Regex,
}

static ABNF: Lazy<Abnf> = Lazy::new(|| {
    let token = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+";
    let qdtext = r"[\t \x21\x23-\x5B\x5D-\x7E\x80-\xFF]";
    let quoted_pair = r"\\[\t \x21-\x7E\x80-\xFF]";
    let quoted_string = format!(r#""(?:{qdtext}|{quoted_pair})*""#);
    let pair = format!("{token}=(?:{token}|{quoted_string})");
    let octet = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])";
    let obf = "_[A-Za-z0-9._-]+";
    let regex = |text: &str| Regex::new(&format!("(?-u){text}")).expect("a regular expression");
    Abnf {
        element: regex(&format!(
            r"^[\t ]*((?:{pair})?(?:;(?:{pair})?)*)[\t ]*(?:,|$)"
        )),
        pair: regex(&format!(
            r#"({token})=(?:({token})|"((?:{qdtext}|{quoted_pair})*)")"#
        )),
        node: regex(&format!(
            r"^(?:({octet}(?:\.{octet}){{3}})|\[([0-9A-Fa-f:.]+)\]|[uU][nN][kK][nN][oO][wW][nN]|{obf})(?::(?:[0-9]{{1,5}}|{obf}))?$"
        )),
        quoted_pair: regex(r"(?s)\\(.)"),
    }
});

impl Abnf {
    /// Returns the entries of a line from the left; `None` if the line is not in the grammar.
    fn read(&self, line: &[u8]) -> Option<Vec<Entry>> {
        let mut entries = Vec::new();
        let mut rest = line;
        while !rest.is_empty() {
            let found = self.element.captures(rest)?;
            rest = &rest[found[0].len()..];
            if !found[1].is_empty() {
                entries.push(self.read_element(&found[1]));
            }
        }
        Some(entries)
    }

    fn read_element(&self, element: &[u8]) -> Entry {
        let mut names = Vec::new();
        let mut entry = Entry::Hidden;
        for pair in self.pair.captures_iter(element) {
            let name = pair[1].to_ascii_lowercase();
            if name == b"for" {
                entry = match (pair.get(2), pair.get(3)) {
                    (Some(token), _) => self.read_node(token.as_bytes()),
                    (None, Some(text)) => {
                        self.read_node(&self.quoted_pair.replace_all(text.as_bytes(), &b"$1"[..]))
                    }
                    (None, None) => Entry::Malformed,
                };
            }
            if names.contains(&name) {
                return Entry::Malformed;
            }
            names.push(name);
        }
        entry
    }

    fn read_node(&self, node: &[u8]) -> Entry {
        let Some(found) = self.node.captures(node) else {
            return Entry::Malformed;
        };
        let Some(address) = found.get(1).or(found.get(2)) else {
            return Entry::Hidden;
        };
        let address = str::from_utf8(address.as_bytes()).expect("digits");
        match address.parse::<IpAddr>() {
            Ok(address) => Entry::Address(address.to_canonical()),
            Err(_) => Entry::Malformed,
        }
    }
}

/// A node as a proxy writes it, in quotes or not, and what it says.
fn node() -> impl Strategy<Value = (Vec<u8>, Entry)> {
    let stated = |address: IpAddr| Entry::Address(address.to_canonical());
    let name = prop_oneof![
        any::<Ipv4Addr>().prop_map(move |v4| (v4.to_string(), stated(v4.into()))),
        any::<Ipv6Addr>().prop_map(move |v6| (format!("[{v6}]"), stated(v6.into()))),
        any::<Ipv4Addr>().prop_map(move |v4| (format!("[::ffff:{v4}]"), stated(v4.into()))),
        "(unknown|UNKNOWN|_[A-Za-z0-9._-]{1,9})".prop_map(|name| (name, Entry::Hidden)),
    ];
    let port = "(|:[0-9]{1,5}|:_[A-Za-z0-9._-]{1,5})";
    (name, port, bool::ANY, vec(bool::weighted(0.1), 64)).prop_map(
        |((name, entry), port, is_quoted, escapes)| {
            let node = name + &port;
            if !is_quoted && !node.contains(['[', ':']) {
                return (node.into_bytes(), entry);
            }
            let escaped = node.bytes().zip(escapes).flat_map(|(byte, is_escaped)| {
                let backslash = is_escaped.then_some(b'\\');
                backslash.into_iter().chain([byte])
            });
            (
                [&b"\""[..], &escaped.collect::<Vec<u8>>(), b"\""].concat(),
                entry,
            )
        },
    )
}

/// A well-formed element, and what it says.
fn element() -> impl Strategy<Value = (Vec<u8>, Entry)> {
    let token = "[!#$%&'*+.^_`|~0-9A-Za-z-]{1,8}".prop_map(String::into_bytes);
    let value = prop_oneof![token, quoted()];
    let others = vec(value, 3).prop_map(|values| {
        let named = ["by=", "Host=", "x-1="].iter().zip(values);
        named
            .map(|(name, value)| [name.as_bytes(), &value].concat())
            .collect::<Vec<_>>()
    });
    let is_in = vec(bool::ANY, 3);
    let node = prop::option::weighted(0.9, (node(), "[fF][oO][rR]="));
    (others, is_in, node, 0..4_usize, "[;]{0,2}").prop_map(|(others, is_in, node, at, end)| {
        let others = others.into_iter().zip(is_in).filter(|(_, is_in)| *is_in);
        let mut pairs: Vec<Vec<u8>> = others.map(|(pair, _)| pair).collect();
        let entry = node.map_or(Entry::Hidden, |((node, entry), name)| {
            let pair = [name.as_bytes(), &node].concat();
            pairs.insert(at.min(pairs.len()), pair);
            entry
        });
        if pairs.is_empty() {
            pairs.push(b"proto=http".to_vec());
        }
        (
            pairs
                .join(&b";"[..])
                .into_iter()
                .chain(end.bytes())
                .collect(),
            entry,
        )
    })
}

/// A line of well-formed elements, with empty ones among them, and what they say.
fn well_formed() -> impl Strategy<Value = (Vec<u8>, Vec<Entry>)> {
    let comma = "[ \t]{0,2},([ \t]{0,2},)?[ \t]{0,2}".prop_map(String::into_bytes);
    vec((element(), comma), 0..6).prop_map(|elements| {
        let mut line = Vec::new();
        let mut entries = Vec::new();
        for ((element, entry), comma) in elements {
            line.extend([element, comma].concat());
            entries.push(entry);
        }
        (line, entries)
    })
}

fn read_from_the_right(lines: &[Vec<u8>]) -> Vec<Entry> {
    forwarded(&headers(&FORWARDED, lines)).collect()
}

proptest! {
    #[test]
    fn what_the_grammar_makes_is_read_as_it_was_made(lines in vec(well_formed(), 0..4)) {
        let (lines, entries): (Vec<_>, Vec<_>) = lines.into_iter().unzip();
        for (line, entries) in lines.iter().zip(&entries) {
            prop_assert_eq!(ABNF.read(line), Some(entries.clone()));
        }
        let mut entries = entries.concat();
        entries.reverse();
        prop_assert_eq!(read_from_the_right(&lines), entries);
    }

    #[test]
    fn what_is_in_the_grammar_is_read_as_from_the_left(
        (mut line, _) in well_formed(),
        end in select(&["", ";for=_x", "for=1.2.3.4", ";HOST=a;host=\"b\"", ";a=;b"][..]),
        changes in vec((any::<prop::sample::Index>(), select(&b"\",;=\\[]: \tf_1"[..]), 0..3), 0..4),
    ) {
        line.extend(end.bytes());
        for (at, byte, change) in changes {
            let at = at.index(line.len() + 1);
            match change {
                0 => line.insert(at, byte),
                1 if at < line.len() => line[at] = byte,
                _ => line.truncate(at),
            }
        }
        if let Some(mut entries) = ABNF.read(&line) {
            entries.reverse();
            prop_assert_eq!(read_from_the_right(&[line]), entries);
        }
    }
}
