//! A client that sends exactly the bytes it is told to, and looks closely at what comes back.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
    /// Whether the server ended the connection after it.
    pub(crate) closed: bool,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn code(&self) -> String {
        let body: serde_json::Value = serde_json::from_str(&self.body).unwrap_or_default();
        body["code"].as_str().unwrap_or_default().to_owned()
    }
}

pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// Reads one answer and looks whether the connection ends after it; `None` when it ended without an answer.
pub(crate) fn read_answer(stream: &mut impl Read, still_open: impl FnOnce(&mut Vec<u8>) -> bool) -> Option<Answer> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8(bytes[..at].to_vec()).unwrap();
            let mut lines = head.split("\r\n");
            let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
            let pair =
                |line: &str| line.split_once(':').map(|(key, value)| (key.to_lowercase(), value.trim().to_owned()));
            let headers: Vec<_> = lines.filter_map(pair).collect();
            let length =
                headers.iter().find(|(key, _)| key == "content-length").map_or(0, |(_, value)| value.parse().unwrap());
            let mut rest = bytes.split_off(at + 4);
            while rest.len() < length {
                let read = stream.read(&mut chunk).unwrap();
                assert!(read > 0, "the answer was cut off: {head}");
                rest.extend_from_slice(&chunk[..read]);
            }
            let mut after = rest.split_off(length);
            let closed = after.is_empty() && !still_open(&mut after);
            return Some(Answer { status, headers, body: String::from_utf8(rest).unwrap(), closed });
        }
        match stream.read(&mut chunk) {
            Ok(0) => {
                assert!(bytes.is_empty(), "half an answer: {:?}", String::from_utf8_lossy(&bytes));
                return None;
            }
            Ok(read) => bytes.extend_from_slice(&chunk[..read]),
            Err(error) => panic!("no answer ({error}) but {:?}", String::from_utf8_lossy(&bytes)),
        }
    }
}

pub(crate) fn answer(stream: &mut TcpStream) -> Option<Answer> {
    let mut other = stream.try_clone().unwrap();
    read_answer(stream, |_| {
        other.set_read_timeout(Some(Duration::from_millis(250))).unwrap();
        let open = match other.read(&mut [0; 1]) {
            Ok(read) => read > 0,
            Err(error) => matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
        };
        other.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        open
    })
}

pub(crate) fn send(address: SocketAddr, bytes: impl AsRef<[u8]>) -> Answer {
    let mut stream = connect(address);
    // The server may answer and close before everything is sent.
    let _sent = stream.write_all(bytes.as_ref());
    answer(&mut stream).unwrap_or_else(|| panic!("no answer to {:?}", String::from_utf8_lossy(bytes.as_ref())))
}

pub(crate) fn get_request(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")
}

pub(crate) fn with_header(header: &str) -> String {
    format!("GET /v1/customers HTTP/1.1\r\nHost: localhost\r\n{header}\r\n\r\n")
}

pub(crate) fn post_request(path: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("POST {path} HTTP/1.1\r\nHost: localhost\r\n{headers}Content-Length: {length}\r\n\r\n{body}")
}

pub(crate) const JSON: &str = "Content-Type: application/json\r\n";

/// Reads answers that follow each other on one connection.
pub(crate) struct Buffered<'a> {
    pub(crate) stream: &'a mut TcpStream,
    pub(crate) left: Vec<u8>,
}

impl Buffered<'_> {
    pub(crate) fn next(&mut self) -> Answer {
        let mut left = Vec::new();
        let mut source = std::mem::take(&mut self.left).chain_with(self.stream);
        let answer = read_answer(&mut source, |_| true).unwrap();
        left.append(&mut source.kept);
        self.left = left;
        answer
    }
}

/// Hands out kept bytes one at a time before reading on, so that nothing of the next answer is taken.
pub(crate) struct ByteByByte<'a> {
    kept: Vec<u8>,
    pub(crate) stream: &'a mut TcpStream,
}

trait ChainWith {
    fn chain_with(self, stream: &mut TcpStream) -> ByteByByte<'_>;
}

impl ChainWith for Vec<u8> {
    fn chain_with(self, stream: &mut TcpStream) -> ByteByByte<'_> {
        ByteByByte { kept: self, stream }
    }
}

impl Read for ByteByByte<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.kept.is_empty() {
            let mut chunk = [0; 4096];
            let read = self.stream.read(&mut chunk)?;
            self.kept.extend_from_slice(&chunk[..read]);
        }
        if self.kept.is_empty() {
            return Ok(0);
        }
        buffer[0] = self.kept.remove(0);
        Ok(1)
    }
}
