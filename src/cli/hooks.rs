//! `bursar hooks`, `bursar deliveries` and `bursar messages`: what comes in and what goes out.

use std::path::PathBuf;

use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, HeaderValue, Method};
use bursar::clock::{Clock, SystemClock};
use bursar::config::{Config, HookFormat};
use bursar::domain::{Instant, calendar};
use bursar::signature;
use bytes::Bytes;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::connect::{Access, Context, encoded, file_failure, said};
use super::exit::{Exit, Failure, Outcome};
use super::init::{fresh_id, instant};
use super::nouns::{self, Reading};

#[derive(Debug, Subcommand)]
pub(crate) enum HookVerb {
    /// Sign a body as its sender would, and send it
    Send(Send),
}

#[derive(Debug, Subcommand)]
pub(crate) enum DeliveryVerb {
    #[command(flatten)]
    Read(Reading),
    /// Let the files take a dead one again
    Redrive(Again),
}

#[derive(Debug, Subcommand)]
pub(crate) enum MessageVerb {
    #[command(flatten)]
    Read(Reading),
    /// Send one again
    Resend(Again),
}

#[derive(Debug, Args)]
pub(crate) struct Again {
    /// Its id
    id: String,
}

#[derive(Debug, Args)]
pub(crate) struct Send {
    /// The hook, as the configuration names it
    hook: String,
    /// The body; - reads standard input
    #[arg(long, value_name = "FILE")]
    file: PathBuf,
    /// The call's id; a fresh one without. The same id and body count once
    #[arg(long)]
    id: Option<String>,
    /// When it says it was sent; now by the store's clock without
    #[arg(long, value_name = "INSTANT", value_parser = instant)]
    at: Option<Instant>,
}

impl DeliveryVerb {
    pub(crate) async fn run(self, context: &Context) -> Outcome {
        match self {
            DeliveryVerb::Read(reading) => reading.run(context, nouns::DELIVERIES).await,
            DeliveryVerb::Redrive(again) => {
                let path = format!("/v1/deliveries/{}/redrive", encoded(&again.id));
                context.out.record(&context.change(&path, &json!({})).await?)?;
                Ok(Exit::Done)
            }
        }
    }
}

impl MessageVerb {
    pub(crate) async fn run(self, context: &Context) -> Outcome {
        match self {
            MessageVerb::Read(reading) => reading.run(context, nouns::MESSAGES).await,
            MessageVerb::Resend(again) => {
                let path = format!("/v1/messages/{}/resend", encoded(&again.id));
                context.out.record(&context.change(&path, &json!({})).await?)?;
                Ok(Exit::Done)
            }
        }
    }
}

impl HookVerb {
    pub(crate) async fn run(self, context: &Context) -> Outcome {
        let HookVerb::Send(send) = self;
        send.run(context).await
    }
}

/// A file's bytes, or standard input for `-`.
pub(crate) fn read_input(path: &std::path::Path) -> Result<Vec<u8>, Failure> {
    if path.as_os_str() == "-" {
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut std::io::stdin().lock(), &mut bytes)
            .map_err(|error| Failure::new(Exit::Failed, format!("read standard input: {error}")))?;
        return Ok(bytes);
    }
    std::fs::read(path).map_err(|error| file_failure("read", path, &error))
}

impl Send {
    async fn run(&self, context: &Context) -> Outcome {
        let body = read_input(&self.file)?;
        let config = context.load()?;
        let client = context.connect(Access::Look).await?;
        let sent_at = match self.at {
            Some(at) => at,
            // Whoever may not ask for the store's clock signs by the machine's.
            None => {
                let told = client.request(Method::GET, "/v1/clock", None).await?;
                let now = told.json().unwrap_or_default();
                let now = now.get("now").and_then(Value::as_str).and_then(|text| calendar::instant(text).ok());
                now.unwrap_or_else(|| SystemClock.now())
            }
        };
        let headers = self.headers(&config, sent_at, &body)?;
        let path = format!("/hooks/{}", encoded(&self.hook));
        let answer = client.send(Method::POST, &path, &headers, Bytes::from(body)).await;
        client.close();
        let answer = answer?;
        let told = said(&answer)?;
        context.out.say(match answer.status {
            202 => "taken; it is processed at the next tick",
            _ => "it had come before and counts once",
        });
        context.out.record(&told)?;
        Ok(Exit::Done)
    }

    fn headers(
        &self,
        config: &Config,
        sent_at: Instant,
        body: &[u8],
    ) -> Result<Vec<(HeaderName, HeaderValue)>, Failure> {
        let Some(hook) = config.hooks.get(&self.hook) else {
            let known = config.hooks.keys().map(String::as_str);
            let near = bursar::suggest::nearest(&self.hook, known);
            let hint = near.map_or_else(
                || format!("write [hooks.{}] with its secret_file", self.hook),
                |near| format!("did you mean {near}?"),
            );
            return Err(Failure::usage(format!("the configuration has no hook {:?}", self.hook)).mend(&hint));
        };
        let media = match hook.format {
            HookFormat::CloudEvents => "application/cloudevents+json",
            HookFormat::Standard | HookFormat::PartnerCenter => "application/json",
        };
        let mut headers = vec![(CONTENT_TYPE, HeaderValue::from_static(media))];
        let Some(secret) = hook.secrets()?.into_iter().next() else { return Ok(headers) };
        let id = match &self.id {
            Some(id) => id.clone(),
            None => fresh_id()?.iter().fold("evt_".to_owned(), |id, byte| format!("{id}{byte:02x}")),
        };
        let signed = signature::sign(&secret, &id, sent_at.timestamp(), body);
        for (name, value) in
            [("webhook-id", id), ("webhook-timestamp", sent_at.timestamp().to_string()), ("webhook-signature", signed)]
        {
            let value =
                HeaderValue::try_from(value).map_err(|_| Failure::usage("an id holds printable characters only"))?;
            headers.push((HeaderName::from_static(name), value));
        }
        Ok(headers)
    }
}
