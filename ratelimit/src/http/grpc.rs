//! Rejections that clients of gRPC and gRPC-Web understand, which ignore the status of HTTP.

use axum::{body::Body, response::Response};
use http::{
    HeaderName, HeaderValue, Method, StatusCode, Version,
    header::{ACCEPT, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE},
    request::Parts,
};

const STATUS: HeaderName = HeaderName::from_static("grpc-status");
const MESSAGE: HeaderName = HeaderName::from_static("grpc-message");

/// The form in which a client expects the status of its call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Grpc {
    /// In the response's headers, which is called "Trailers-Only" in the [protocol].
    ///
    /// [protocol]: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
    Native,
    /// In a frame of the response's body, as in the [protocol of gRPC-Web]. That also permits the
    /// headers, but a page of another origin can read these only if CORS exposes them.
    ///
    /// [protocol of gRPC-Web]: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-WEB.md
    Web {
        content_type: HeaderValue,
        /// The body is in base64.
        is_text: bool,
    },
}

impl Grpc {
    /// Returns the form for this request; `None` if it is no call of gRPC.
    ///
    /// Calls are POST requests, and those of gRPC itself need HTTP/2.
    pub(super) fn of(parts: &Parts) -> Option<Self> {
        if parts.method != Method::POST {
            return None;
        }
        let media_type = MediaType::parse(the_only(parts, &CONTENT_TYPE)?)?;
        if !media_type.is_web {
            return (parts.version >= Version::HTTP_2).then_some(Self::Native);
        }
        // A client can send binary messages and ask for text.
        let accepted = the_only(parts, &ACCEPT).and_then(MediaType::parse);
        let wants_text = accepted.is_some_and(|accepted| accepted.is_web && accepted.is_text);
        let is_text = media_type.is_text || wants_text;
        let text = if is_text { "-text" } else { "" };
        let format = media_type.format.unwrap_or("proto");
        let content_type = format!("application/grpc-web{text}+{format}");
        Some(Self::Web {
            content_type: HeaderValue::try_from(content_type).ok()?,
            is_text,
        })
    }
}

/// Returns a header that the request has once. Of several it is unclear which one counts.
fn the_only<'a>(parts: &'a Parts, name: &HeaderName) -> Option<&'a str> {
    let mut values = parts.headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

/// A media type of gRPC: `application/grpc`, `-web` or `-web-text`, and perhaps `+` and a format.
struct MediaType<'a> {
    is_web: bool,
    is_text: bool,
    format: Option<&'a str>,
}

impl<'a> MediaType<'a> {
    fn parse(value: &'a str) -> Option<Self> {
        let essence = value.split(';').next().unwrap_or(value).trim_ascii();
        let (name, format) = match essence.split_once('+') {
            Some((name, format)) => (name, Some(format)),
            None => (essence, None),
        };
        // It is written into the response.
        let is_format = |format: &str| {
            let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
            (1..=64).contains(&format.len()) && format.bytes().all(is_plain)
        };
        if !format.is_none_or(is_format) {
            return None;
        }
        let is = |other: &str| name.eq_ignore_ascii_case(other);
        let is_text = is("application/grpc-web-text") || is("application/grpc-web-text-base64");
        let is_web = is_text || is("application/grpc-web");
        (is_web || is("application/grpc")).then_some(Self {
            is_web,
            is_text,
            format,
        })
    }
}

/// A [status] of gRPC, and a message that needs no percent-encoding.
///
/// [status]: https://grpc.github.io/grpc/core/md_doc_statuscodes.html
struct CallStatus {
    code: &'static str,
    message: &'static str,
    /// The frame of trailers in base64.
    text: &'static str,
}

const RESOURCE_EXHAUSTED: CallStatus = CallStatus {
    code: "8",
    message: "Rate limit exceeded",
    text: "gAAAADFncnBjLXN0YXR1czo4DQpncnBjLW1lc3NhZ2U6UmF0ZSBsaW1pdCBleGNlZWRlZA0K",
};

const UNAVAILABLE: CallStatus = CallStatus {
    code: "14",
    message: "Rate limit unavailable",
    text: "gAAAADVncnBjLXN0YXR1czoxNA0KZ3JwYy1tZXNzYWdlOlJhdGUgbGltaXQgdW5hdmFpbGFibGUNCg==",
};

impl CallStatus {
    /// The frame that ends a body of gRPC-Web: a flag byte, the length in 4 bytes, most significant
    /// first, and the trailers as lines.
    fn frame(&self) -> Vec<u8> {
        let Self { code, message, .. } = self;
        let trailers = format!("grpc-status:{code}\r\ngrpc-message:{message}\r\n");
        let length = u32::try_from(trailers.len()).unwrap_or(u32::MAX);
        let mut frame = vec![TRAILERS];
        frame.extend(length.to_be_bytes());
        frame.extend(trailers.as_bytes());
        frame
    }
}

/// The flag of a frame of trailers that are not compressed.
const TRAILERS: u8 = 0x80;

/// Turns a rejection into the form that the client of a call expects. It keeps its headers and its
/// extensions, in which layers around this one find the decision.
pub(super) fn reject(form: Grpc, rejection: Response) -> Response {
    let status = match rejection.status() {
        StatusCode::TOO_MANY_REQUESTS => RESOURCE_EXHAUSTED,
        StatusCode::SERVICE_UNAVAILABLE => UNAVAILABLE,
        // An identity's own rejection.
        _ => return rejection,
    };
    let (mut parts, _) = rejection.into_parts();
    parts.status = StatusCode::OK;
    let headers = &mut parts.headers;
    // They describe the body that is replaced, if an `on_limited` has set them.
    headers.remove(CONTENT_LENGTH);
    headers.remove(CONTENT_ENCODING);
    let (content_type, body) = match form {
        Grpc::Native => {
            headers.insert(STATUS, HeaderValue::from_static(status.code));
            headers.insert(MESSAGE, HeaderValue::from_static(status.message));
            (HeaderValue::from_static("application/grpc"), Body::empty())
        }
        Grpc::Web {
            content_type,
            is_text,
        } if is_text => (content_type, Body::from(status.text)),
        Grpc::Web { content_type, .. } => (content_type, Body::from(status.frame())),
    };
    headers.insert(CONTENT_TYPE, content_type);
    Response::from_parts(parts, body)
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn of(method: Method, version: Version, content_type: &[u8]) -> Option<Grpc> {
        let request = Request::builder().method(method).version(version);
        let request = request.header(CONTENT_TYPE, content_type).body(());
        Grpc::of(&request.expect("a request").into_parts().0)
    }

    #[test]
    fn a_call_is_known_by_its_method_version_and_exact_content_type() {
        let native = Some(Grpc::Native);
        let web = |content_type, is_text| {
            Some(Grpc::Web {
                content_type: HeaderValue::from_static(content_type),
                is_text,
            })
        };
        let (http1, http2) = (Version::HTTP_11, Version::HTTP_2);
        for (content_type, over_http2, over_http1) in [
            ("application/grpc", native.clone(), None),
            ("application/grpc+proto", native.clone(), None),
            ("application/grpc+json", native.clone(), None),
            ("Application/GRPC", native.clone(), None),
            ("application/grpc;charset=utf-8", native.clone(), None),
            ("application/grpc ; x=y", native.clone(), None),
            ("application/grpcX", None, None),
            ("application/grpc-foo", None, None),
            ("application/grpc+", None, None),
            ("application/grpc+<script>", None, None),
            ("application/grpc, text/html", None, None),
            ("xapplication/grpc", None, None),
            ("text/plain", None, None),
            ("", None, None),
        ] {
            let found = of(Method::POST, http2, content_type.as_bytes());
            assert_eq!(found, over_http2, "{content_type}");
            let found = of(Method::POST, http1, content_type.as_bytes());
            assert_eq!(found, over_http1, "{content_type}");
            assert_eq!(of(Method::GET, http2, content_type.as_bytes()), None);
        }
        for (content_type, expected) in [
            (
                "application/grpc-web",
                web("application/grpc-web+proto", false),
            ),
            (
                "application/grpc-web+proto",
                web("application/grpc-web+proto", false),
            ),
            (
                "application/grpc-web+json",
                web("application/grpc-web+json", false),
            ),
            (
                "application/grpc-web-text",
                web("application/grpc-web-text+proto", true),
            ),
            (
                "application/grpc-web-text+proto",
                web("application/grpc-web-text+proto", true),
            ),
            (
                "application/grpc-web-text-base64",
                web("application/grpc-web-text+proto", true),
            ),
            (
                "APPLICATION/grpc-web ;a=b",
                web("application/grpc-web+proto", false),
            ),
            ("application/grpc-webX", None),
            ("application/grpc-web-texts", None),
            ("application/grpc-web+a/b", None),
        ] {
            for version in [Version::HTTP_10, http1, http2, Version::HTTP_3] {
                let found = of(Method::POST, version, content_type.as_bytes());
                assert_eq!(found, expected, "{content_type}");
            }
            assert_eq!(of(Method::OPTIONS, http1, content_type.as_bytes()), None);
        }
        assert_eq!(of(Method::POST, http2, b"application/grpc\xff"), None);
    }
}
