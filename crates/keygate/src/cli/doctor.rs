use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::output;
use crate::{
    config::Flags,
    doctor::examine,
    failure::Failure,
    finding::{Finding, State},
};

#[derive(Args)]
pub(super) struct Doctor {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Doctor {
    /// Exit code 0 where nothing is wrong, though there may be warnings.
    pub(super) async fn run(self, flags: &Flags) -> Result<ExitCode, Failure> {
        let found = examine(flags).await;
        if self.json {
            output::json(&found.iter().map(finding_json).collect())?;
        } else {
            found.iter().try_for_each(output::finding)?;
            output::line(&summary(&found))?;
        }
        Ok(if found.iter().any(|found| found.state == State::Wrong) {
            ExitCode::FAILURE
        } else {
            ExitCode::SUCCESS
        })
    }
}

fn finding_json(found: &Finding) -> serde_json::Value {
    json!({
        "check": found.check,
        "state": found.state.as_str(),
        "message": found.message,
        "advice": found.advice,
    })
}

fn summary(found: &[Finding]) -> String {
    let count = |state| found.iter().filter(|found| found.state == state).count();
    match (count(State::Wrong), count(State::Warning)) {
        (0, 0) => "Nothing is wrong.".to_owned(),
        (0, warnings) => format!("Nothing is wrong; warnings: {warnings}."),
        (wrong, 0) => format!("Wrong: {wrong}."),
        (wrong, warnings) => format!("Wrong: {wrong}; warnings: {warnings}."),
    }
}
