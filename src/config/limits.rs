//! Every limit there is, with its unit and the reason for its default.

use std::time::Duration;

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

/// What bounds each list, queue, body and run. `Limits::default()` is what ships; `[limits]` in `bursar.toml` sets
/// `operations`, `wall`, `memory`, `rows`, `cache`, `calls` and `calls_at_once`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Script operations of one run. 1,000,000: a policy takes thousands, and a million is over in a tenth of a second.
    pub operations: u64,
    /// Wall-clock time of one run. 500 ms: people wait for answers, and others wait for the thread.
    pub wall: Duration,
    /// Bytes one run may hold. 64 MiB: a run over ten thousand rows stays under a tenth of it.
    pub memory_bytes: u64,
    /// Rows one query of a script may reach. 10,000: a whole catalogue of customers, and still well inside `wall`.
    pub rows: usize,
    /// Bytes of the store kept in memory. 96 MiB: more was measured to buy nothing at a million subscriptions.
    pub cache_bytes: u64,
    /// Bytes of one request body. 256 KiB: ten times the largest event of the webhook convention.
    pub body_bytes: usize,
    /// Bytes of a request body under `/v1/import`. 16 MiB: tens of thousands of rows; larger ones come in parts.
    pub import_body_bytes: usize,
    /// Bodies above `body_bytes` held at once. 8: with 16 MiB each they hold 128 MiB, and imports run one after another.
    pub import_bodies: usize,
    /// Bytes of request line and headers together. 64 KiB: more than any browser or proxy sends.
    pub head_bytes: usize,
    /// Headers of one request. 100: proxies add a dozen.
    pub headers: usize,
    /// Bytes of path and query. 8 KiB: what other servers on the way allow.
    pub uri_bytes: usize,
    /// Calls of one access token a second, in the long run. 1,000: a page of every list each second, and less than one
    /// core answers, so that one client's loop leaves room for the others.
    pub calls: u32,
    /// Calls of one access token that may come at once. 2,000: a program that looks at every customer one by one.
    pub calls_at_once: u32,
    /// Calls of one hook a second, in the long run. 1,000: less than one core verifies and the store takes.
    pub hook_calls: u32,
    /// Calls of one hook that may come at once. 2,000: a billing system's whole night in one burst.
    pub hook_calls_at_once: u32,
    /// Connections served at once over TCP. 512: with full bodies they hold 128 MiB, and as much again with large ones.
    pub connections: usize,
    /// Connections served at once over the operator's socket. 16: its own, so that the operator always gets in.
    pub operator_connections: usize,
    /// Time until the headers of a request are complete, and until an idle connection is closed. 10 s.
    pub header_deadline: Duration,
    /// Time until the body of a request is complete. 30 s: 256 KiB over a very slow line.
    pub body_deadline: Duration,
    /// Time until a request is answered once its body is there. 60 s: far beyond `wall` and a waiting commit.
    pub request_deadline: Duration,
    /// Time running work gets to end when the process is told to stop. 10 s: service managers kill after more.
    pub stop_deadline: Duration,
    /// Runs that wait for a script thread before new work is turned away. 1,000: half a second of work each second.
    pub run_queue: usize,
    /// Background transactions accepted but not yet durable. 1,000: what one commit of the store carries. While people
    /// are at work it is a quarter of that, because their changes wait for the commit before theirs.
    pub background_in_flight: usize,
    /// Messages being sent at once, over all endpoints. 32: one slow endpoint holds at most a quarter of them.
    pub messages_in_flight: usize,
    /// Messages being sent at once to one endpoint. 8.
    pub messages_in_flight_per_endpoint: usize,
    /// Bytes of one script file. 64 KiB: the compiler is not interruptible and slower than linear.
    pub source_bytes: usize,
    /// Bytes of printed output kept of one run. 16 KiB: a page of a log.
    pub output_bytes: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            operations: 1_000_000,
            wall: Duration::from_millis(500),
            memory_bytes: 64 * MIB,
            rows: 10_000,
            cache_bytes: 96 * MIB,
            body_bytes: 256 * 1024,
            import_body_bytes: 16 * 1024 * 1024,
            import_bodies: 8,
            head_bytes: 64 * 1024,
            headers: 100,
            uri_bytes: 8 * 1024,
            calls: 1_000,
            calls_at_once: 2_000,
            hook_calls: 1_000,
            hook_calls_at_once: 2_000,
            connections: 512,
            operator_connections: 16,
            header_deadline: Duration::from_secs(10),
            body_deadline: Duration::from_secs(30),
            request_deadline: Duration::from_secs(60),
            stop_deadline: Duration::from_secs(10),
            run_queue: 1_000,
            background_in_flight: 1_000,
            messages_in_flight: 32,
            messages_in_flight_per_endpoint: 8,
            source_bytes: 64 * 1024,
            output_bytes: 16 * 1024,
        }
    }
}
