//! `racewalk debug`: what the measuring tools ask.

use crate::arguments::{DebugArguments, DebugCommand};
use crate::check::default_options;
use crate::output;
use racewalk_engine::{AwaitedCall, Engine, Options};
use serde_json::json;
use std::process::ExitCode;

/// Answers a measuring tool.
pub(crate) fn run(command: &DebugCommand) -> Result<ExitCode, String> {
    let engine = Engine::default();
    match command {
        DebugCommand::ParseOnly(arguments) => {
            engine.parse_only(&options(arguments)?).map_err(|failure| failure.to_string())?;
        }
        DebugCommand::Awaits(arguments) => {
            let calls = engine.awaited_calls(&options(arguments)?).map_err(|failure| failure.to_string())?;
            output::print(&calls.iter().map(line).collect::<String>())?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn options(arguments: &DebugArguments) -> Result<Options, String> {
    let python = arguments.python.clone();
    Ok(Options { isolated: arguments.isolated, python, ..default_options(&arguments.paths)? })
}

fn line(call: &AwaitedCall) -> String {
    let AwaitedCall { path, at, answer, why } = call;
    let object = json!({ "path": path, "line": at.line, "column": at.column, "answer": answer, "why": why });
    format!("{object}\n")
}
