//! The host that a request names, and the hosts that an application believes.
//!
//! A request names its host in the target or in `Host` ([RFC 9110, section 7.2]). The client chooses it
//! freely, so it keys a bucket only if the application lists it.
//!
//! [RFC 9110, section 7.2]: https://www.rfc-editor.org/rfc/rfc9110#section-7.2

use std::{collections::HashSet, fmt::Write, net::Ipv6Addr};

use http::{Version, header::HOST, request::Parts, uri::Authority};

use super::ClientId;

/// Bytes of the longest name in the DNS, without the dot at its end
/// ([RFC 1035, section 2.3.4](https://www.rfc-editor.org/rfc/rfc1035#section-2.3.4)).
const NAME_MAX: usize = 253;

/// Bytes of the longest label of a name.
const LABEL_MAX: usize = 63;

/// Bytes of a name with a dot, a colon and a port: longer ones are not looked at.
const AUTHORITY_MAX: usize = NAME_MAX + 7;

/// A host as all of its spellings are compared: a name in lower case without a dot at its end, or an
/// address, and without a port. Nothing is allocated for it.
pub(super) struct Host {
    bytes: [u8; NAME_MAX],
    len: usize,
}

impl Host {
    /// Reads `uri-host [ ":" port ]` ([RFC 9110, section 7.2]). `None` if it is anything else.
    ///
    /// [RFC 9110, section 7.2]: https://www.rfc-editor.org/rfc/rfc9110#section-7.2
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text.len() > AUTHORITY_MAX {
            return None;
        }
        let (host, port) = match text.strip_prefix('[') {
            Some(_) => text.split_at(text.find(']')? + 1),
            None => text.split_at(text.find(':').unwrap_or(text.len())),
        };
        if !is_port(port) {
            return None;
        }
        match host.strip_prefix('[').and_then(|v6| v6.strip_suffix(']')) {
            Some(v6) => Self::of_address(v6.parse().ok()?),
            None => Self::of_name(host),
        }
    }

    /// Reads a host as people write it: as in a request, or an IPv6 address without brackets.
    pub(super) fn parse_bare(text: &str) -> Option<Self> {
        match text.parse() {
            Ok(v6) => Self::of_address(v6),
            Err(_) => Self::parse(text),
        }
    }

    fn of_name(name: &str) -> Option<Self> {
        let name = name.strip_suffix('.').unwrap_or(name);
        if name.len() > NAME_MAX || !name.split('.').all(is_label) {
            return None;
        }
        let mut host = Self::empty();
        host.write_str(name).ok()?;
        host.bytes.make_ascii_lowercase();
        Some(host)
    }

    fn of_address(v6: Ipv6Addr) -> Option<Self> {
        let mut host = Self::empty();
        write!(host, "[{v6}]").ok()?;
        Some(host)
    }

    const fn empty() -> Self {
        Self {
            bytes: [0; NAME_MAX],
            len: 0,
        }
    }

    pub(super) fn as_str(&self) -> &str {
        // It was written as text.
        str::from_utf8(&self.bytes[..self.len]).unwrap_or_default()
    }
}

impl Write for Host {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let end = self.len + text.len();
        let room = self.bytes.get_mut(self.len..end).ok_or(std::fmt::Error)?;
        room.copy_from_slice(text.as_bytes());
        self.len = end;
        Ok(())
    }
}

fn is_port(text: &str) -> bool {
    let is_number = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    text.is_empty() || text.strip_prefix(':').is_some_and(is_number)
}

/// Returns whether it is a label of a host's name. Some names that resolve have underscores.
fn is_label(label: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (1..=LABEL_MAX).contains(&label.len()) && label.bytes().all(is_part)
}

/// Returns the host that a request names; `None` if it names none, or not with certainty.
///
/// The target's host has precedence over `Host` in HTTP/1.1 ([RFC 9112, section 3.2.2]). In HTTP/2 and 3
/// a request whose `Host` differs from `:authority` is malformed ([RFC 9113, section 8.3.1]), as is one
/// with several `Host` lines in each version ([RFC 9112, section 3.2]).
///
/// [RFC 9112, section 3.2]: https://www.rfc-editor.org/rfc/rfc9112#section-3.2
/// [RFC 9112, section 3.2.2]: https://www.rfc-editor.org/rfc/rfc9112#section-3.2.2
/// [RFC 9113, section 8.3.1]: https://www.rfc-editor.org/rfc/rfc9113#section-8.3.1
fn host_of(parts: &Parts) -> Option<Host> {
    let mut lines = parts.headers.get_all(HOST).iter();
    let line = lines.next();
    if lines.next().is_some() {
        return None;
    }
    let in_header = || line.and_then(|line| Host::parse(line.to_str().ok()?));
    let Some(authority) = parts.uri.authority() else {
        return in_header();
    };
    let host = Host::parse(Authority::as_str(authority))?;
    let is_ambiguous = parts.version >= Version::HTTP_2
        && line.is_some()
        && in_header().is_none_or(|other| other.as_str() != host.as_str());
    (!is_ambiguous).then_some(host)
}

/// The hosts that a limiter believes requests about.
#[derive(Debug, Default)]
pub(crate) enum KnownHosts {
    /// None, since no setting says which.
    #[default]
    Unset,
    /// Each that a request names.
    Any,
    Listed(HostList),
}

/// The hosts of a list.
#[derive(Debug, Default)]
pub(crate) struct HostList {
    names: HashSet<Box<str>, foldhash::quality::RandomState>,
    /// Of each `*.example.com` the `example.com`.
    parents: HashSet<Box<str>, foldhash::quality::RandomState>,
}

impl HostList {
    /// Adds a host, or with `*.` before it all names that are one label longer, as in a certificate
    /// ([RFC 9525, section 6.3](https://www.rfc-editor.org/rfc/rfc9525#section-6.3)).
    ///
    /// # Errors
    ///
    /// Returns what is wrong with it and how to write it.
    pub(crate) fn add(&mut self, host: &str) -> Result<(), &'static str> {
        if host == "*" {
            return Err("call any_host() to believe every host");
        }
        if host.contains("://") || host.contains(['/', '@', '?']) {
            return Err("write the host alone, as in \"shop.example.com\"");
        }
        if !host.is_ascii() {
            return Err("write it as browsers send it, which is its Punycode: \"xn--…\"");
        }
        // An address is listed with its brackets or without.
        let is_bare = host.parse::<Ipv6Addr>().is_ok();
        let after_brackets = match host.strip_prefix('[') {
            Some(v6) => v6.split_once(']').map_or("", |(_, rest)| rest),
            None => host,
        };
        if !is_bare && after_brackets.contains(':') {
            return Err("leave the port out: a bucket is that of all ports");
        }
        let (hosts, name) = match host.strip_prefix("*.") {
            Some(parent) => (&mut self.parents, parent),
            None => (&mut self.names, host),
        };
        if name.contains('*') {
            return Err(
                "a wildcard is the whole first label, as in \"*.example.com\", and matches one label",
            );
        }
        let Some(known) = Host::parse_bare(name) else {
            return Err(
                "a name has letters, digits, hyphens and dots, as in \"shop.example.com\" or \"*.example.com\"",
            );
        };
        hosts.insert(known.as_str().into());
        Ok(())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.names.is_empty() && self.parents.is_empty()
    }

    fn has(&self, host: &str) -> bool {
        let parent = || host.split_once('.').map(|(_, parent)| parent);
        self.names.contains(host)
            || (!self.parents.is_empty()
                && parent().is_some_and(|parent| self.parents.contains(parent)))
    }
}

impl KnownHosts {
    /// Returns whether a setting says which hosts these are.
    pub(crate) fn is_set(&self) -> bool {
        !matches!(self, Self::Unset)
    }

    /// Returns the client by the host that a request names; `None` if that is not one of these.
    pub(crate) fn client(&self, parts: &Parts) -> Option<ClientId> {
        let host = match self {
            Self::Unset => return None,
            Self::Any => host_of(parts)?,
            Self::Listed(hosts) => host_of(parts).filter(|host| hosts.has(host.as_str()))?,
        };
        Some(ClientId::canonical_host(host.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, Request};

    use super::*;

    fn parsed(text: &str) -> Option<String> {
        Host::parse(text).map(|host| host.as_str().to_owned())
    }

    #[test]
    fn all_spellings_of_a_host_are_one() {
        for (text, host) in [
            ("shop.example.com", "shop.example.com"),
            ("Shop.EXAMPLE.com:8443", "shop.example.com"),
            ("shop.example.com.", "shop.example.com"),
            ("shop.example.com.:80", "shop.example.com"),
            ("shop.example.com:", "shop.example.com"),
            ("my_host", "my_host"),
            ("xn--bcher-kva.example", "xn--bcher-kva.example"),
            ("203.0.113.7:80", "203.0.113.7"),
            ("[2001:DB8:0:0::1]", "[2001:db8::1]"),
            ("[::1]:3000", "[::1]"),
            ("[::ffff:203.0.113.7]", "[::ffff:203.0.113.7]"),
        ] {
            assert_eq!(parsed(text).as_deref(), Some(host), "{text}");
        }
    }

    #[test]
    fn what_is_no_host_is_none() {
        let long_label = format!("{}.example", "a".repeat(64));
        let long_name = vec!["a".repeat(50); 5].join(".");
        for text in [
            "",
            ".",
            ":80",
            "shop..example.com",
            ".example.com",
            "example.com..",
            "user@example.com",
            "example.com:80:80",
            "example.com:8o",
            "example.com/path",
            "example.com, other.example",
            "exa mple.com",
            " example.com",
            "ex%61mple.com",
            "bücher.example",
            "*.example.com",
            "2001:db8::1",
            "[::1",
            "[::1]x",
            "[::1].example.com",
            "[::1]:8o",
            "[fe80::1%eth0]",
            "[v7.x]",
            "[example.com]",
            "[]",
            &long_label,
            &long_name,
            &"a.".repeat(10_000),
        ] {
            assert_eq!(parsed(text), None, "{text}");
        }
        assert!(parsed(&vec!["a".repeat(50); 4].join(".")).is_some());
    }

    /// The host of a request with this target, version and these `Host` lines.
    fn named(target: &str, version: Version, lines: &[&'static str]) -> Option<String> {
        let request = Request::builder().uri(target).version(version);
        let (mut parts, ()) = request.body(()).expect("a request").into_parts();
        for line in lines {
            parts.headers.append(HOST, HeaderValue::from_static(line));
        }
        host_of(&parts).map(|host| host.as_str().to_owned())
    }

    #[test]
    fn the_target_has_precedence_and_what_is_ambiguous_names_none() {
        const V1: Version = Version::HTTP_11;
        const V2: Version = Version::HTTP_2;
        for (target, version, lines, host) in [
            ("/", V1, &["A.example:80"][..], Some("a.example")),
            ("/", V1, &[], None),
            ("/", V1, &[""], None),
            ("/", V1, &["a.example", "a.example"], None),
            ("http://b.example/", V1, &["a.example"], Some("b.example")),
            ("http://b.example/", V1, &["a b"], Some("b.example")),
            ("http://b.example/", V1, &["a.example", "b.example"], None),
            ("http://u:p@b.example/", V1, &["b.example"], None),
            ("https://B.example:8443/", V2, &[], Some("b.example")),
            ("https://b.example/", V2, &["b.example"], Some("b.example")),
            ("https://b.example/", V2, &["a.example"], None),
            ("https://b.example/", V2, &["a b"], None),
            ("/", V2, &["a.example"], Some("a.example")),
        ] {
            let found = named(target, version, lines);
            assert_eq!(found.as_deref(), host, "{target} {version:?} {lines:?}");
        }
    }

    fn list(hosts: &[&str]) -> HostList {
        let mut list = HostList::default();
        for host in hosts {
            list.add(host).expect(host);
        }
        list
    }

    #[test]
    fn a_list_has_its_names_and_one_label_for_each_wildcard() {
        let list = list(&[
            "Shop.example.com.",
            "*.Example.org",
            "::1",
            "[2001:db8::1]",
            "10.0.0.1",
        ]);
        for (host, is_listed) in [
            ("shop.example.com", true),
            ("a.shop.example.com", false),
            ("example.com", false),
            ("a.example.org", true),
            ("example.org", false),
            ("a.b.example.org", false),
            ("aexample.org", false),
            ("[::1]", true),
            ("[2001:db8::1]", true),
            ("10.0.0.1", true),
            ("10.0.0.2", false),
        ] {
            assert_eq!(list.has(host), is_listed, "{host}");
        }
    }

    #[test]
    fn what_cannot_be_listed_is_told_how() {
        for (host, help) in [
            ("*", "any_host()"),
            ("https://shop.example.com", "the host alone"),
            ("shop.example.com/", "the host alone"),
            ("shop.example.com:443", "the port"),
            ("[::1]:443", "the port"),
            ("bücher.example", "xn--"),
            ("a.*.example.com", "first label"),
            ("*.*.example.com", "first label"),
            ("shop*.example.com", "first label"),
            ("", "letters"),
            ("*.", "letters"),
            (" shop.example.com", "letters"),
            ("shop..example.com", "letters"),
            ("shop.example.com,b.example.com", "letters"),
            ("[::1", "letters"),
        ] {
            let refused = HostList::default().add(host).expect_err(host);
            assert!(refused.contains(help), "{host}: {refused}");
        }
    }
}
