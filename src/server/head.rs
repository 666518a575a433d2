//! Whether the bytes of a request head can be understood in one way only, and what body follows.

use crate::http::problem::Problem;

/// What is wrong with a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// It could be understood in more than one way.
    Framing,
    /// Another version than HTTP/1.0 and HTTP/1.1.
    Version,
    /// The request line does not fit.
    LongTarget,
    /// Too many headers or too many bytes of them.
    LargeHeaders,
    /// A length no machine can hold.
    LargeBody,
}

/// Empty lines before a request, at most.
const EMPTY_LINES_MAX: usize = 4;

const FAULTS: [Fault; 5] = [Fault::Framing, Fault::Version, Fault::LongTarget, Fault::LargeHeaders, Fault::LargeBody];

impl Fault {
    /// A number from 1 on; 0 means no fault.
    pub(super) fn number(self) -> u8 {
        FAULTS.iter().zip(1..).find(|(fault, _)| **fault == self).map_or(0, |(_, number)| number)
    }

    pub(super) fn from_number(number: u8) -> Option<Fault> {
        FAULTS.get(usize::from(number).checked_sub(1)?).copied()
    }

    pub(super) fn problem(self) -> Problem {
        match self {
            Fault::Framing => Problem::new(400, "bad_framing", "the head of the request is not well-formed HTTP/1.1"),
            Fault::Version => Problem::new(505, "http_version", "HTTP/1.0 and HTTP/1.1 are spoken here"),
            Fault::LongTarget => Problem::new(414, "uri_too_long", "the request line is too long"),
            Fault::LargeHeaders => Problem::new(431, "headers_too_large", "too many headers, or too large ones"),
            Fault::LargeBody => Problem::new(413, "payload_too_large", "the body is too large"),
        }
    }
}

/// What follows a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Body {
    None,
    Length(u64),
    Chunked,
}

/// Judges the beginning of `bytes`: `None` while the head is not complete, else its length and what follows it.
pub(super) fn judge(bytes: &[u8], bytes_max: usize, headers_max: usize) -> Result<Option<(usize, Body)>, Fault> {
    // Empty lines before a request are left over from clumsy clients; they are part of the head.
    let mut start = 0;
    while bytes[start..].starts_with(b"\r\n") {
        start += 2;
        if start > EMPTY_LINES_MAX * 2 {
            return Err(Fault::Framing);
        }
    }
    let mut lines: Vec<&[u8]> = Vec::new();
    let mut at = start;
    loop {
        let Some(length) = bytes[at..].iter().position(|byte| *byte == b'\n') else {
            return incomplete(bytes, at, lines.is_empty(), bytes_max);
        };
        let Some(line) = bytes[at..at + length].strip_suffix(b"\r") else { return Err(Fault::Framing) };
        at += length + 1;
        if at > bytes_max {
            return Err(if lines.is_empty() { Fault::LongTarget } else { Fault::LargeHeaders });
        }
        if line.iter().any(|byte| (*byte < b' ' && *byte != b'\t') || *byte == 0x7f) {
            return Err(Fault::Framing);
        }
        if line.is_empty() {
            break;
        }
        lines.push(line);
        if lines.len() > headers_max + 1 {
            return Err(Fault::LargeHeaders);
        }
    }
    let Some((request, headers)) = lines.split_first() else { return Err(Fault::Framing) };
    let newest = request_line(request)?;
    Ok(Some((at, body(headers, newest)?)))
}

fn incomplete(
    bytes: &[u8],
    at: usize,
    in_request_line: bool,
    bytes_max: usize,
) -> Result<Option<(usize, Body)>, Fault> {
    let line = &bytes[at..];
    // A carriage return may only be the last byte so far: its line feed may be on the way.
    let before_last = line.len().saturating_sub(1);
    if line[..before_last].contains(&b'\r') || line.contains(&0) {
        return Err(Fault::Framing);
    }
    match bytes.len() <= bytes_max {
        true => Ok(None),
        false if in_request_line => Err(Fault::LongTarget),
        false => Err(Fault::LargeHeaders),
    }
}

/// Whether it is HTTP/1.1 and not 1.0.
fn request_line(line: &[u8]) -> Result<bool, Fault> {
    let parts: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
    let [method, target, version] = parts[..] else { return Err(Fault::Framing) };
    if method.is_empty() || !method.iter().all(|byte| is_token(*byte)) || target.is_empty() || line.contains(&b'\t') {
        return Err(Fault::Framing);
    }
    match version {
        b"HTTP/1.1" => Ok(true),
        b"HTTP/1.0" => Ok(false),
        [b'H', b'T', b'T', b'P', b'/', rest @ ..] if is_version(rest) => Err(Fault::Version),
        _ => Err(Fault::Framing),
    }
}

fn is_version(text: &[u8]) -> bool {
    matches!(text, [major] | [major, b'.', _] if major.is_ascii_digit()) && text.last().is_some_and(u8::is_ascii_digit)
}

fn body(headers: &[&[u8]], newest: bool) -> Result<Body, Fault> {
    let mut length = None;
    let mut encoding = None;
    for line in headers {
        // A line that begins with space or tab is a folded one: its name is no token.
        let colon = line.iter().position(|byte| *byte == b':').ok_or(Fault::Framing)?;
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if name.is_empty() || !name.iter().all(|byte| is_token(*byte)) {
            return Err(Fault::Framing);
        }
        let seen = if name.eq_ignore_ascii_case(b"content-length") {
            length.replace(value)
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            encoding.replace(value)
        } else {
            None
        };
        if seen.is_some() {
            return Err(Fault::Framing);
        }
    }
    match (length, encoding) {
        (None, None) => Ok(Body::None),
        (Some(length), None) => declared(length),
        (None, Some(encoding)) if newest && encoding.eq_ignore_ascii_case(b"chunked") => Ok(Body::Chunked),
        _ => Err(Fault::Framing),
    }
}

fn declared(length: &[u8]) -> Result<Body, Fault> {
    let text = std::str::from_utf8(length).map_err(|_| Fault::Framing)?;
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Fault::Framing);
    }
    // The library keeps the largest values for itself.
    match text.parse::<u64>() {
        Ok(0) => Ok(Body::None),
        Ok(length) if length <= u64::MAX / 2 => Ok(Body::Length(length)),
        _ => Err(Fault::LargeBody),
    }
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(head: &str, want: Result<Option<(usize, Body)>, Fault>) {
        assert_eq!(judge(head.as_bytes(), 1_000, 4), want, "{head:?}");
    }

    #[test]
    fn what_can_be_understood_in_one_way_passes() {
        let passes = |head: &str, body: Body| check(head, Ok(Some((head.len(), body))));
        passes("GET / HTTP/1.1\r\n\r\n", Body::None);
        passes("\r\n\r\nGET / HTTP/1.0\r\nA: b\r\n\r\n", Body::None);
        passes("POST /x HTTP/1.1\r\nContent-Length:  5 \r\n\r\n", Body::Length(5));
        passes("POST /x HTTP/1.1\r\nContent-Length: 0\r\n\r\n", Body::None);
        passes("POST /x HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n", Body::Chunked);
        passes("GET /\u{e9} HTTP/1.1\r\nX: \u{e9}\t:x\r\nY:\r\n\r\n", Body::None);
        let two = "GET / HTTP/1.1\r\n\r\nGET /second HTTP/1.1\r\n\r\n";
        check(two, Ok(Some((18, Body::None))));
    }

    #[test]
    fn every_beginning_of_a_good_head_waits_for_more() {
        let head = "\r\nPOST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n";
        for end in 0..head.len() {
            check(&head[..end], Ok(None));
        }
    }

    #[test]
    fn what_could_be_understood_differently_is_refused() {
        let line = |header: &str| format!("POST / HTTP/1.1\r\n{header}\r\n\r\n");
        for header in [
            "Content-Length: 5\r\nContent-Length: 6",
            "Content-Length: 5\r\nContent-Length: 5",
            "Content-Length: 5, 5",
            "Content-Length: 5\r\nTransfer-Encoding: chunked",
            "Transfer-Encoding: chunked\r\nContent-Length: 5",
            "Transfer-Encoding: xchunked",
            "Transfer-Encoding: chunked, gzip",
            "Transfer-Encoding: gzip, chunked",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
            "Content-Length: -1",
            "Content-Length: +5",
            "Content-Length: 5 5",
            "Content-Length:",
            "Content-Length : 5",
            "A: b\r\n folded",
            "A: b\r\n\tfolded",
            "A: b\nC: d",
            "A: b\0",
            "A: b\rc",
            "no colon",
            ": no name",
            "A: \u{7f}",
        ] {
            check(&line(header), Err(Fault::Framing));
        }
        for head in [
            "GET / HTTP/1.1\n",
            "\nGET",
            "GET  / HTTP/1.1\r\n\r\n",
            "GET / \r\n\r\n",
            "GET /\r\n\r\n",
            "G@T / HTTP/1.1\r\n\r\n",
            "GET / http/1.1\r\n\r\n",
            "GET / HTTP/1.1 \r\n\r\n",
            "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
        ] {
            check(head, Err(Fault::Framing));
        }
    }

    #[test]
    fn limits_of_a_head_have_edges() {
        check("GET / HTTP/9.9\r\n\r\n", Err(Fault::Version));
        check(&"\r\n".repeat(EMPTY_LINES_MAX), Ok(None));
        check(&"\r\n".repeat(EMPTY_LINES_MAX + 1), Err(Fault::Framing));
        check("PRI * HTTP/2.0\r\n\r\n", Err(Fault::Version));
        check("POST / HTTP/1.1\r\nContent-Length: 9223372036854775808\r\n\r\n", Err(Fault::LargeBody));
        check("POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n", Err(Fault::LargeBody));
        let four = format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(4));
        check(&four, Ok(Some((four.len(), Body::None))));
        check(&format!("GET / HTTP/1.1\r\n{}", "A: b\r\n".repeat(5)), Err(Fault::LargeHeaders));
        let long = |bytes: usize| format!("GET / HTTP/1.1\r\nA: {}\r\n\r\n", "x".repeat(bytes - 23));
        check(&long(1_000), Ok(Some((1_000, Body::None))));
        check(&long(1_001), Err(Fault::LargeHeaders));
        check(&format!("GET /{}", "x".repeat(995)), Ok(None));
        check(&format!("GET /{}", "x".repeat(996)), Err(Fault::LongTarget));
        for fault in FAULTS {
            assert_eq!(Fault::from_number(fault.number()), Some(fault));
        }
        assert_eq!(Fault::from_number(0), None);
    }
}
