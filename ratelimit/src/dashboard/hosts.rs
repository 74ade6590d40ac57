//! The names that a server is reached by, against DNS rebinding: a browser takes a page of
//! `attacker.example`, whose name then resolves to this server's address, for the server's own, but
//! says the name in `Host` and `Origin`.

use std::net::{Ipv4Addr, Ipv6Addr};

use http::{HeaderMap, HeaderValue, Uri, header::HOST, header::ORIGIN, uri::Authority};

/// The names that the application is known by. `localhost` and addresses are nobody else's.
#[derive(Default)]
pub(super) struct AllowedHosts(Box<[String]>);

impl AllowedHosts {
    pub(super) fn new(hosts: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        let name = |host: &str| match host.parse::<Authority>() {
            Ok(authority) => authority.host().to_ascii_lowercase(),
            Err(_) => host.to_ascii_lowercase(),
        };
        Self(hosts.into_iter().map(|host| name(host.as_ref())).collect())
    }

    /// Whether the request names this server. One without a name is not a browser's.
    pub(super) fn allow(&self, uri: &Uri, headers: &HeaderMap) -> bool {
        let in_uri = uri.authority().cloned().map(Some);
        let in_headers = headers.get_all(HOST).iter().map(authority);
        in_uri
            .into_iter()
            .chain(in_headers)
            .all(|authority| authority.is_some_and(|authority| self.allow_host(&authority)))
    }

    fn allow_host(&self, authority: &Authority) -> bool {
        host(authority).is_some_and(|host| {
            host.eq_ignore_ascii_case("localhost") || is_address(host) || self.is_listed(host)
        })
    }

    fn is_listed(&self, host: &str) -> bool {
        self.0.iter().any(|name| name.eq_ignore_ascii_case(host))
    }

    /// Whether the page that sent the request is this server's, if a page sent it.
    pub(super) fn is_same_origin(&self, uri: &Uri, headers: &HeaderMap) -> bool {
        let Some(origin) = headers.get(ORIGIN) else {
            return true;
        };
        // `null` is the origin of a page that hides it.
        let origin = origin.to_str().ok().and_then(|origin| {
            let (_, authority) = origin.split_once("://")?;
            authority.parse::<Authority>().ok()
        });
        let Some(origin) = origin else {
            return false;
        };
        let named = headers.get(HOST).and_then(authority);
        named.as_ref().or(uri.authority()) == Some(&origin)
            || host(&origin).is_some_and(|host| self.is_listed(host))
    }
}

fn authority(value: &HeaderValue) -> Option<Authority> {
    Authority::try_from(value.as_bytes()).ok()
}

/// The host, if there is nothing else but a port. `Authority::host` takes `[::1].attacker.example` for
/// an address.
fn host(authority: &Authority) -> Option<&str> {
    let host = authority.host();
    let rest = authority.as_str().strip_prefix(host)?;
    let is_port = |rest: &str| {
        let port = rest.strip_prefix(':');
        port.is_some_and(|port| port.bytes().all(|byte| byte.is_ascii_digit()))
    };
    (rest.is_empty() || is_port(rest)).then_some(host)
}

fn is_address(host: &str) -> bool {
    let v6 = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    match v6 {
        Some(v6) => v6.parse::<Ipv6Addr>().is_ok(),
        None => host.parse::<Ipv4Addr>().is_ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(hosts: &[&'static str]) -> HeaderMap {
        let host = |host: &&'static str| (HOST, HeaderValue::from_static(host));
        hosts.iter().map(host).collect()
    }

    #[test]
    fn each_name_that_a_request_says_must_be_allowed() {
        let hosts = AllowedHosts::new(["limits.example.com"]);
        let allow = |uri: &'static str, names: &[&'static str]| {
            hosts.allow(&Uri::from_static(uri), &headers(names))
        };
        // As HTTP/2 has it, and a request that is made within the process.
        assert!(allow("https://limits.example.com/", &[]));
        assert!(allow("/", &[]));
        assert!(!allow("https://attacker.example/", &[]));
        assert!(!allow("https://attacker.example/", &["127.0.0.1"]));
        assert!(!allow("https://127.0.0.1/", &["attacker.example"]));
        let mut two = headers(&["127.0.0.1"]);
        two.append(HOST, HeaderValue::from_static("attacker.example"));
        assert!(!hosts.allow(&Uri::from_static("/"), &two));
        for name in [
            "user@127.0.0.1",
            "[::1].attacker.example",
            "127.0.0.1:8o",
            "[localhost]",
            "a b",
        ] {
            assert!(
                !hosts.allow(&Uri::from_static("/"), &headers(&[name])),
                "{name}"
            );
        }
    }
}
