//! Ending a connection so that the last answer arrives.
//!
//! Closing a socket with unread bytes makes the system reset it, and a reset destroys what the other side has not read
//! yet. So the sending side is closed first, and what still comes in is read and thrown away for a moment.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::http::problem::{MEDIA_TYPE, Problem};

/// How long leftovers are read. Longer than a round trip around the world.
const LINGER: Duration = Duration::from_secs(1);
/// Bytes of leftovers read, at most: a sender that goes on is cut off.
const LEFTOVER_BYTES_MAX: usize = 4 << 20;

/// Ends a connection; `late` says that the headers of a request had begun and did not come to an end in time.
pub(super) async fn end<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, late: bool) {
    let ending = async {
        if late {
            send(&mut stream, late_answer().as_bytes()).await?;
        }
        poll_fn(|context| Pin::new(&mut stream).poll_shutdown(context)).await?;
        drain(&mut stream).await
    };
    // Whatever goes wrong here, the connection is over.
    let _ended: Result<io::Result<()>, _> = tokio::time::timeout(LINGER, ending).await;
}

fn late_answer() -> String {
    let body = Problem::new(408, "request_timeout", "the headers did not come to an end in time").body().to_string();
    let length = body.len();
    format!(
        "HTTP/1.1 408 Request Timeout\r\ncontent-type: {MEDIA_TYPE}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )
}

async fn send<S: AsyncWrite + Unpin>(stream: &mut S, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let sent = poll_fn(|context| Pin::new(&mut *stream).poll_write(context, bytes)).await?;
        if sent == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        bytes = &bytes[sent..];
    }
    Ok(())
}

async fn drain<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<()> {
    let mut scratch = [0; 8 * 1024];
    let mut left = LEFTOVER_BYTES_MAX;
    loop {
        let mut buffer = ReadBuf::new(&mut scratch);
        poll_fn(|context| Pin::new(&mut *stream).poll_read(context, &mut buffer)).await?;
        let read = buffer.filled().len();
        if read == 0 || read > left {
            return Ok(());
        }
        left -= read;
    }
}
