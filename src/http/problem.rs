//! RFC 9457 problems: the one shape of every answer that is not a success.
//!
//! A problem is safe to show to whoever asked: it carries no source errors, no paths and no input beyond what a
//! validator chose to repeat.

use std::borrow::Cow;

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, HeaderName, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value};

use crate::json;
use crate::signature::SignatureError;

/// The media type of a problem.
pub const MEDIA_TYPE: &str = "application/problem+json";
/// What the `type` of every problem begins with; the rest is its code.
pub const TYPE_PREFIX: &str = "https://bursar.dev/problems/";

/// An answer that is not a success.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    /// The HTTP status.
    pub status: StatusCode,
    /// The stable snake_case name; also the last part of `type`.
    pub code: Cow<'static, str>,
    /// What went wrong this time, for people.
    pub detail: String,
    /// What it happened to: the id of a run, a request or a delivery.
    pub instance: Option<Box<str>>,
    /// Further members, such as `errors` or `partnerCenterCode`. They never replace the members above.
    pub extra: Map<String, Value>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Problem {
    /// A problem; a status outside 400-599 becomes 500, because it is a mistake of ours.
    pub fn new(status: u16, code: impl Into<Cow<'static, str>>, detail: impl Into<String>) -> Problem {
        let status = StatusCode::from_u16(status).ok().filter(|status| status.as_u16() >= 400 && status.as_u16() < 600);
        Problem {
            status: status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            code: code.into(),
            detail: detail.into(),
            instance: None,
            extra: Map::new(),
            headers: Vec::new(),
        }
    }

    /// A short summary, the same for every problem of this code: its words.
    pub fn title(&self) -> String {
        let mut title = self.code.replace('_', " ");
        if let Some(first) = title.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        title
    }

    /// The same problem with another member.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Problem {
        self.extra.insert(name.to_owned(), value.into());
        self
    }

    /// The same problem about this run, request or delivery.
    #[must_use]
    pub fn about(mut self, instance: impl Into<String>) -> Problem {
        self.instance = Some(instance.into().into());
        self
    }

    /// The same problem with a header, such as `Allow` or `WWW-Authenticate`.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Problem {
        self.headers.push((name, value));
        self
    }

    /// The same problem, saying after how many seconds trying again makes sense.
    #[must_use]
    pub fn retry_after(self, seconds: u32) -> Problem {
        self.header(RETRY_AFTER, HeaderValue::from(seconds))
    }

    /// The JSON body.
    pub fn body(&self) -> Value {
        let mut members = self.extra.clone();
        members.insert("type".into(), format!("{TYPE_PREFIX}{}", self.code).into());
        members.insert("title".into(), self.title().into());
        members.insert("status".into(), self.status.as_u16().into());
        members.insert("detail".into(), self.detail.clone().into());
        members.insert("code".into(), self.code.as_ref().into());
        if let Some(instance) = &self.instance {
            members.insert("instance".into(), instance.as_ref().into());
        }
        Value::Object(members)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.body().to_string()));
        *response.status_mut() = self.status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        response.headers_mut().extend(self.headers);
        response
    }
}

impl From<SignatureError> for Problem {
    fn from(error: SignatureError) -> Problem {
        Problem::new(error.status(), error.code(), error.to_string())
    }
}

impl From<json::Error> for Problem {
    fn from(error: json::Error) -> Problem {
        let status = if error.code == json::Code::TooLarge { 413 } else { 400 };
        let problem = Problem::new(status, error.code.as_str(), error.to_string());
        problem.with("offset", error.offset).with("line", error.line).with("column", error.column)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_is_the_last_part_of_the_type() {
        let problem = Problem::new(409, "event_id_reused", "another body came with this id").about("dlv_1");
        let body = problem.body();
        assert_eq!(body["type"], "https://bursar.dev/problems/event_id_reused");
        assert_eq!(body["code"], "event_id_reused");
        assert_eq!((&body["title"], &body["status"]), (&"Event id reused".into(), &409.into()));
        assert_eq!((&body["detail"], &body["instance"]), (&"another body came with this id".into(), &"dlv_1".into()));
    }

    // Every handler returns one of these as its error: larger ones would be moved around at a cost.
    const _: () = assert!(size_of::<Problem>() < 128);

    #[test]
    fn other_members_stand_beside_and_replace_nothing() {
        let problem = Problem::new(503, "busy", "later").with("queue", 5).with("code", "other").retry_after(2);
        assert_eq!(problem.body()["queue"], 5);
        assert_eq!(problem.body()["code"], "busy");
        let response = problem.into_response();
        assert_eq!(response.status(), 503);
        assert_eq!(response.headers()[CONTENT_TYPE], MEDIA_TYPE);
        assert_eq!(response.headers()[RETRY_AFTER], "2");
        assert_eq!(Problem::new(200, "ok", "").status, 500, "a problem is never a success");
    }

    #[test]
    fn errors_of_the_edge_become_problems() {
        let problem = Problem::from(json::parse(b"{\"a\":1,\"a\":2}").unwrap_err());
        assert_eq!((problem.status.as_u16(), problem.code.as_ref()), (400, "duplicate_key"));
        assert_eq!(problem.body()["offset"], 7);
        assert_eq!(Problem::from(json::parse_up_to(b"12", 1).unwrap_err()).status, 413);
        let problem = Problem::from(SignatureError::BadSignature);
        assert_eq!((problem.status.as_u16(), problem.code.as_ref()), (401, "bad_signature"));
    }
}
