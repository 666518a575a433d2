//! A strict look at the head of every request before the HTTP library sees it.
//!
//! What two readers of one byte stream could understand differently is refused: bare line feeds, folded lines, control
//! characters, a length beside a transfer encoding, two lengths. A refused head is replaced by a harmless one, so that the
//! refusal goes out as a problem like every other; nothing after it on the connection is read. The gate changes nothing
//! else: accepted bytes pass as they came.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use super::head::{self, Body, Fault};
use crate::config::Limits;

/// The host name of the head that stands in for a refused one. It ends in a name that cannot exist.
pub(super) const STAND_IN_HOST: &str = "refused.invalid";
const STAND_IN: &[u8] = b"GET / HTTP/1.1\r\nHost: refused.invalid\r\nConnection: close\r\n\r\n";
const READ_BYTES: usize = 8 * 1024;

/// Tells the service of a connection what the gate found.
#[derive(Clone, Default)]
pub(super) struct Verdict(Arc<AtomicU8>);

impl Verdict {
    /// What was wrong with the head that the stand-in replaced.
    pub(super) fn fault(&self) -> Option<Fault> {
        Fault::from_number(self.0.load(Ordering::Acquire))
    }
}

enum State {
    /// Collecting a head.
    Head,
    /// This many bytes of a body are still to come.
    Body(u64),
    /// A chunked body: the library reads it, and the connection ends after it.
    Through,
    /// A head was refused; nothing more is read.
    Refused,
}

/// A connection with the gate in front.
pub(super) struct Gate<S> {
    stream: S,
    state: State,
    /// Bytes received and not yet judged.
    input: Vec<u8>,
    /// Bytes judged and not yet handed on.
    output: Vec<u8>,
    handed: usize,
    ended: bool,
    /// Whether judging the input could tell anything new.
    worth_judging: bool,
    verdict: Verdict,
    head_bytes: usize,
    headers: usize,
    stall_deadline: Duration,
    stalled: Option<Pin<Box<Sleep>>>,
}

impl<S> Gate<S> {
    pub(super) fn new(stream: S, limits: &Limits) -> Gate<S> {
        Gate {
            stream,
            state: State::Head,
            input: Vec::new(),
            output: Vec::new(),
            handed: 0,
            ended: false,
            worth_judging: false,
            verdict: Verdict::default(),
            head_bytes: limits.head_bytes,
            headers: limits.headers,
            stall_deadline: limits.body_deadline,
            stalled: None,
        }
    }

    pub(super) fn verdict(&self) -> Verdict {
        self.verdict.clone()
    }

    /// Whether a head had begun and is not complete.
    pub(super) fn inside_head(&self) -> bool {
        matches!(self.state, State::Head) && !self.input.is_empty()
    }

    pub(super) fn into_inner(self) -> S {
        self.stream
    }

    /// Judges what was received; afterwards there is output, or more input is needed.
    fn judge(&mut self) {
        match self.state {
            State::Head => self.judge_head(),
            State::Body(left) => {
                let length = usize::try_from(left).unwrap_or(usize::MAX).min(self.input.len());
                self.hand_on(length);
                let left = left - length as u64;
                self.state = if left == 0 { State::Head } else { State::Body(left) };
            }
            State::Through => self.hand_on(self.input.len()),
            State::Refused => self.input.clear(),
        }
    }

    /// Whether these newly arrived bytes can end a line or a limit: a head that drips in is not read over and over.
    fn may_tell(&self, arrived: &[u8]) -> bool {
        let collecting = matches!(self.state, State::Head);
        !collecting || arrived.contains(&b'\n') || self.input.len() > self.head_bytes
    }

    fn judge_head(&mut self) {
        match head::judge(&self.input, self.head_bytes, self.headers) {
            Ok(None) => {}
            Ok(Some((length, body))) => {
                self.hand_on(length);
                self.state = match body {
                    Body::None => State::Head,
                    Body::Length(length) => State::Body(length),
                    Body::Chunked => State::Through,
                };
            }
            Err(fault) => {
                self.verdict.0.store(fault.number(), Ordering::Release);
                self.input.clear();
                self.output = STAND_IN.to_vec();
                self.handed = 0;
                self.state = State::Refused;
            }
        }
    }

    fn hand_on(&mut self, length: usize) {
        self.handed = 0;
        let rest = self.input.split_off(length);
        self.output = std::mem::replace(&mut self.input, rest);
    }

    /// Turns a write that does not move for too long into an error: a reader that never reads holds no place.
    fn unless_stalled<T>(&mut self, context: &mut Context<'_>, moved: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if moved.is_ready() {
            self.stalled = None;
            return moved;
        }
        let deadline = self.stall_deadline;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(deadline)));
        ready!(stalled.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Gate<S> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let gate = self.get_mut();
        loop {
            if gate.handed < gate.output.len() {
                let length = buffer.remaining().min(gate.output.len() - gate.handed);
                buffer.put_slice(&gate.output[gate.handed..gate.handed + length]);
                gate.handed += length;
                return Poll::Ready(Ok(()));
            }
            // Judged again after something was handed on: one packet may hold several requests.
            if gate.worth_judging && !gate.input.is_empty() {
                gate.judge();
                gate.worth_judging = gate.handed < gate.output.len();
                continue;
            }
            if matches!(gate.state, State::Refused) {
                // The answer ends the connection; until then there is nothing to say.
                return Poll::Pending;
            }
            if gate.ended {
                // An unfinished head is handed on, so that the library sees the connection break where it broke.
                if gate.input.is_empty() {
                    return Poll::Ready(Ok(()));
                }
                gate.state = State::Through;
                gate.worth_judging = true;
                continue;
            }
            let mut scratch = [0; READ_BYTES];
            let mut read = ReadBuf::new(&mut scratch);
            ready!(Pin::new(&mut gate.stream).poll_read(context, &mut read))?;
            gate.ended = read.filled().is_empty();
            gate.input.extend_from_slice(read.filled());
            gate.worth_judging |= gate.may_tell(read.filled());
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Gate<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let moved = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.unless_stalled(context, moved)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let moved = Pin::new(&mut self.stream).poll_flush(context);
        self.unless_stalled(context, moved)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let moved = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.unless_stalled(context, moved)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
