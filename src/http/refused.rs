//! What a refusal or a failure is on the wire: the one table from codes to statuses.

use super::guard;
use super::problem::Problem;
use crate::domain::{Refusal, Span};
use crate::{app, ops, store};

/// Seconds after which trying again makes sense when the server is busy.
const BUSY_SECONDS: u32 = 1;
/// Seconds after which trying again makes sense when storage fails or the server stops.
const DOWN_SECONDS: u32 = 5;

/// The status of a refusal's code. What is not listed is a conflict with the state of things.
pub fn status_of(code: &str) -> u16 {
    match code {
        "forbidden" | "self_approval" | "grants_exceeded" | "user_disabled" | "partner_type" | "key_for_customer" => {
            403
        }
        "not_found" => 404,
        "approval_expired" => 410,
        "stale_approval" | "state_changed" | "precondition_failed" => 412,
        "message_too_large" | "too_large" => 413,
        "invalid_json" | "duplicate_key" | "invalid_utf8" | "too_deep" => 400,
        "unknown_field" | "unknown_parameter" | "unknown_value" | "duplicate_field" => 400,
        "busy" | "stopping" => 503,
        "schema"
        | "out_of_range"
        | "reason_required"
        | "immutable_field"
        | "amount_overflow"
        | "missing_field"
        | "price_invalid"
        | "idempotency_key_reused"
        | "choice_needed"
        | "offer_needed"
        | "choice_not_offered"
        | "clock_backwards"
        | "in_the_future"
        | "nothing_to_record"
        | "asked_before_purchase" => 422,
        _ if code.starts_with("bad_") => 400,
        _ if code.starts_with("invalid") || code.starts_with("unknown_") => 422,
        _ => 409,
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Problem {
        let status = status_of(&refusal.code);
        let mut problem = Problem::new(status, refusal.code, refusal.message);
        if let Some(rule) = refusal.rule {
            problem = problem.with("rule", rule);
        }
        if let Some(code) = refusal.partner_center_code {
            problem = problem.with("partnerCenterCode", code);
        }
        match refusal.retry_after {
            Some(span) => again(problem, span),
            None if status == 503 => problem.retry_after(BUSY_SECONDS),
            None => problem,
        }
    }
}

/// The same problem, saying after how long trying again makes sense: in the header, and as a member.
pub(super) fn again(problem: Problem, span: Span) -> Problem {
    let seconds = span.fixed().and_then(|span| u32::try_from(span.num_seconds()).ok());
    let problem = problem.with("retryAfter", span.to_string());
    seconds.map_or(problem.clone(), |seconds| problem.retry_after(seconds))
}

impl From<store::Error> for Problem {
    fn from(error: store::Error) -> Problem {
        match error {
            store::Error::Unavailable => {
                let detail = "storage is failing; whether work in flight took effect is not known";
                Problem::new(503, "store_unavailable", detail).retry_after(DOWN_SECONDS)
            }
            store::Error::Closed => Problem::new(503, "stopping", "the server is stopping").retry_after(DOWN_SECONDS),
            store::Error::Conflict { .. } | store::Error::TooOld => {
                Problem::new(503, "busy", "others changed the same records; try again").retry_after(BUSY_SECONDS)
            }
            store::Error::HistoryGone { .. } => {
                Problem::new(410, "history_gone", "what was then is kept no longer ([retention] history)")
            }
            store::Error::Corrupt { .. } => {
                tracing::error!(request_id = guard::request_at_hand().as_deref(), %error, "a record is corrupt");
                Problem::new(500, "corrupt_record", "a stored record is damaged; the log names it")
            }
            other => internal(&other),
        }
    }
}

impl From<ops::Error> for Problem {
    fn from(error: ops::Error) -> Problem {
        match error {
            ops::Error::Refused(refusal) => refusal.into(),
            ops::Error::Store { source, .. } => source.into(),
            ops::Error::Script(_) => internal(&error),
        }
    }
}

impl From<app::Error> for Problem {
    fn from(error: app::Error) -> Problem {
        match error {
            app::Error::Operation(error) => error.into(),
            app::Error::Store { source, .. } => source.into(),
            other => internal(&other),
        }
    }
}

/// Something of ours went wrong: the log says what, the answer does not.
pub(super) fn internal(error: &dyn std::error::Error) -> Problem {
    let id = guard::request_at_hand();
    tracing::error!(request_id = id.as_deref(), error = app::chain(error), "a request failed");
    guard::something_went_wrong(id.as_deref())
}

#[cfg(test)]
mod tests {
    use axum::http::header::RETRY_AFTER;
    use axum::response::IntoResponse;

    use super::*;

    #[tokio::test]
    async fn what_went_wrong_is_told_with_the_id_that_the_log_knows() {
        let failed = || Problem::from(store::Error::Storage { doing: "read a row", source: "disk".into() });
        let router = axum::Router::new().route("/", axum::routing::get(move || async move { failed() }));
        let guard = guard::Guard::new(router, &crate::config::Limits::default());
        let request = axum::extract::Request::get("/").header("x-request-id", "abc-1").header("host", "localhost");
        let answer = guard.answer(request.body(axum::body::Body::empty()).expect("a request")).await;
        assert_eq!(
            (answer.status().as_u16(), &answer.headers()["x-request-id"]),
            (500, &"abc-1".parse().expect("an id"))
        );
        let body = axum::body::to_bytes(answer.into_body(), 10_000).await.expect("a body");
        assert!(String::from_utf8_lossy(&body).contains("the log knows abc-1"), "{body:?}");
        assert!(!failed().detail.contains("the log knows"), "outside of a request there is no id to tell");
    }

    #[test]
    fn what_is_refused_for_now_says_when_to_ask_again() {
        let span: Span = "PT2M".parse().expect("a span");
        let refusal = Refusal::new("operation_pending", "later").partner_center(900_278).again_after(span);
        let problem = Problem::from(refusal);
        assert_eq!((problem.status.as_u16(), &problem.body()["retryAfter"]), (409, &"PT2M".into()));
        assert_eq!(problem.body()["partnerCenterCode"], 900_278);
        assert_eq!(problem.into_response().headers()[RETRY_AFTER], "120");
        let plain = Problem::from(Refusal::new("operation_pending", "later"));
        assert!(plain.into_response().headers().get(RETRY_AFTER).is_none());
    }
}
