//! The checks on the head of a request. Each refuses with the problem that names it; none reads the body.

use axum::http::header::{ACCEPT, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HOST};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, Version};

use super::allow_all;
use crate::config::Limits;
use crate::http::problem::Problem;

type Checked = Result<(), Problem>;

/// All checks that need no body.
pub(super) fn head(parts: &Parts, has_body: bool, limits: &Limits, console_hosts: &[String]) -> Checked {
    uri_length(parts, limits)?;
    method(&parts.method)?;
    path(parts.uri.path())?;
    host(parts, console_hosts)?;
    content_encoding(&parts.headers)?;
    if has_body {
        content_type(parts.uri.path(), &parts.headers)?;
    }
    accept(&parts.headers)
}

/// Bytes a body under this path may have.
pub(super) fn body_limit(path: &str, limits: &Limits) -> usize {
    if is_under(path, "/v1/import") { limits.import_body_bytes } else { limits.body_bytes }
}

/// Refuses a body that says itself that it is too large, before a byte of it is read.
pub(super) fn declared_length(headers: &HeaderMap, limit: usize) -> Checked {
    let Some(length) = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()) else { return Ok(()) };
    match length.parse::<u64>() {
        Ok(length) if length <= limit as u64 => Ok(()),
        _ => Err(too_large(limit)),
    }
}

pub(super) fn too_large(limit: usize) -> Problem {
    Problem::new(413, "payload_too_large", format!("a body may have {limit} bytes here"))
}

fn is_under(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn uri_length(parts: &Parts, limits: &Limits) -> Checked {
    let length = parts.uri.path_and_query().map_or(0, |both| both.as_str().len());
    if length <= limits.uri_bytes {
        return Ok(());
    }
    Err(Problem::new(414, "uri_too_long", format!("path and query may have {} bytes", limits.uri_bytes)))
}

fn method(method: &Method) -> Checked {
    let known = [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS];
    if known.contains(method) {
        return Ok(());
    }
    let (name, value) = allow_all();
    Err(Problem::new(501, "method_not_implemented", "no path here has this method").header(name, value))
}

/// A path is what it looks like: no dot segments, empty segments, encoded slashes or bytes that are no text.
fn path(path: &str) -> Checked {
    let refuse = |detail: &str| Err(Problem::new(400, "bad_path", detail));
    if !path.starts_with('/') {
        return refuse("a path begins with a slash");
    }
    if path.contains("//") {
        return refuse("the path has an empty segment");
    }
    for segment in path.split('/') {
        let Some(bytes) = percent_decoded(segment) else { return refuse("the path has a broken percent escape") };
        let Ok(text) = String::from_utf8(bytes) else { return refuse("the path is not UTF-8") };
        if text == "." || text == ".." {
            return refuse("the path has a dot segment");
        }
        if text.contains(['/', '\\']) || text.chars().any(char::is_control) {
            return refuse("the path has an encoded slash, a backslash or a control character");
        }
    }
    Ok(())
}

fn percent_decoded(segment: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(segment.len());
    let mut bytes = segment.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let mut digit = || char::from(bytes.next()?).to_digit(16);
        let value = digit()? * 16 + digit()?;
        out.push(u8::try_from(value).ok()?);
    }
    Some(out)
}

fn host(parts: &Parts, console_hosts: &[String]) -> Checked {
    let bad = |detail: &str| Err(Problem::new(400, "bad_host", detail));
    let mut hosts = parts.headers.get_all(HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.to_str().unwrap_or_default(),
        (None, _) if parts.version == Version::HTTP_10 => return Ok(()),
        (None, _) => return bad("the Host header is missing"),
        (Some(_), Some(_)) => return bad("there is more than one Host header"),
    };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
    if host.is_empty() || host.len() > 255 || !host.bytes().all(plain) {
        return bad("the Host header is no host");
    }
    if parts.uri.authority().is_some_and(|authority| !authority.as_str().eq_ignore_ascii_case(host)) {
        return bad("the Host header and the request line name different hosts");
    }
    let name = host_name(host);
    let known = console_hosts.is_empty() || console_hosts.iter().any(|known| known.eq_ignore_ascii_case(name));
    if is_under(parts.uri.path(), "/console") && !known {
        return Err(Problem::new(421, "misdirected_request", "the console is not served under this host name"));
    }
    Ok(())
}

/// The host without its port; brackets of an IPv6 address stay.
fn host_name(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

fn content_encoding(headers: &HeaderMap) -> Checked {
    let plain = |value: &axum::http::HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"identity");
    if headers.get_all(CONTENT_ENCODING).iter().all(plain) {
        return Ok(());
    }
    Err(unsupported("compressed bodies are not read"))
}

fn unsupported(detail: &str) -> Problem {
    Problem::new(415, "unsupported_media_type", detail)
}

/// JSON everywhere; rows of text for imports, forms for the console.
fn content_type(path: &str, headers: &HeaderMap) -> Checked {
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(unsupported("say what the body is: Content-Type: application/json"));
    };
    let text = value.to_str().unwrap_or_default().to_ascii_lowercase();
    let mut parameters = text.split(';').map(str::trim);
    let media = parameters.next().unwrap_or_default();
    let json = media == "application/json" || (media.starts_with("application/") && media.ends_with("+json"));
    let lines = ["text/csv", "application/x-ndjson", "application/jsonl", "application/json-seq"];
    let form = media == "application/x-www-form-urlencoded";
    let fits = json || (is_under(path, "/v1/import") && lines.contains(&media)) || (is_under(path, "/console") && form);
    if !fits {
        return Err(unsupported("this media type is not read here; send application/json"));
    }
    let charset = parameters.find_map(|parameter| parameter.strip_prefix("charset="));
    match charset.map(|name| name.trim_matches('"')) {
        None | Some("utf-8" | "utf8" | "us-ascii") => Ok(()),
        Some(_) => Err(unsupported("text is read as UTF-8 only")),
    }
}

/// Everything we answer is `application/...` or `text/...`.
fn accept(headers: &HeaderMap) -> Checked {
    let mut any = false;
    for value in headers.get_all(ACCEPT) {
        let text = value.to_str().unwrap_or_default().to_ascii_lowercase();
        for range in text.split(',').map(str::trim).filter(|range| !range.is_empty()) {
            any = true;
            let mut parameters = range.split(';').map(str::trim);
            let media = parameters.next().unwrap_or_default();
            let excluded = parameters.any(|parameter| matches!(parameter, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"));
            let ours = media == "*/*" || media.starts_with("application/") || media.starts_with("text/");
            if ours && !excluded {
                return Ok(());
            }
        }
    }
    if !any {
        return Ok(());
    }
    Err(Problem::new(406, "not_acceptable", "answers are application/json, application/problem+json or text"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn media(path: &str, value: &'static str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, axum::http::HeaderValue::from_static(value));
        content_type(path, &headers).is_ok()
    }

    #[test]
    fn each_kind_of_path_reads_its_own_media_types() {
        for path in ["/v1/customers", "/v1/import/csv", "/console/x", "/hooks/billing"] {
            assert!(media(path, "application/json"), "{path}");
            assert!(media(path, "application/cloudevents+json; charset=utf-8"), "{path}");
            assert!(!media(path, "text/plain"), "{path}");
        }
        assert!(media("/v1/import", "text/csv") && media("/v1/import/x", "application/x-ndjson"));
        assert!(!media("/v1/imports", "text/csv"), "a longer name is another path");
        assert!(media("/console/login", "application/x-www-form-urlencoded"));
        assert!(!media("/v1/customers", "application/x-www-form-urlencoded"), "a form of another site is never JSON");
    }

    #[test]
    fn only_imports_may_be_large() {
        let limits = Limits::default();
        let length = |path: &str, bytes: usize| {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_LENGTH, bytes.into());
            declared_length(&headers, body_limit(path, &limits)).is_ok()
        };
        assert!(length("/v1/orders", 256 * 1024) && !length("/v1/orders", 256 * 1024 + 1));
        assert!(length("/v1/import", 16 << 20) && !length("/v1/import", (16 << 20) + 1));
    }

    #[test]
    fn a_host_name_has_no_port() {
        for (host, name) in
            [("a", "a"), ("a:80", "a"), ("[::1]", "[::1]"), ("[::1]:80", "[::1]"), ("127.0.0.1:1", "127.0.0.1")]
        {
            assert_eq!(host_name(host), name);
        }
    }
}
