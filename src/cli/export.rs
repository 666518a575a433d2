//! `bursar export`: every record as JSON lines.

use std::path::PathBuf;

use axum::http::Method;
use clap::Args;

use super::connect::{Access, Context, file_failure};
use super::exit::{Exit, Failure, Outcome};

#[derive(Debug, Args)]
pub(crate) struct Export {
    /// The file to make; standard output without. Nothing is overwritten
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

impl Export {
    pub(crate) async fn run(&self, context: &Context) -> Outcome {
        let client = context.connect(Access::Look).await?;
        let answer = client.request(Method::GET, "/v1/export", None).await;
        client.close();
        let answer = answer?;
        if !answer.is_success() {
            return Err(Failure::problem(answer.status, &answer.json().unwrap_or_default()));
        }
        let Some(path) = &self.file else {
            context.out.text(&String::from_utf8_lossy(&answer.bytes))?;
            return Ok(Exit::Done);
        };
        let mut file = std::fs::File::create_new(path).map_err(|error| file_failure("make", path, &error))?;
        std::io::Write::write_all(&mut file, &answer.bytes)
            .and_then(|()| file.sync_all())
            .map_err(|error| file_failure("write", path, &error))?;
        let lines = answer.bytes.iter().filter(|byte| **byte == b'\n').count();
        context.out.say(&format!("{lines} records in {}", path.display()));
        Ok(Exit::Done)
    }
}
