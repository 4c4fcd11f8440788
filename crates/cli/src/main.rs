//! The command line: a thin shell around the engine.

mod arguments;
mod baseline;
mod cache;
mod check;
mod consent;
mod debug;
mod explain;
mod inventory;
mod output;
mod profile;
mod progress;
mod prove;
mod rules;

use arguments::{Cli, Command};
use clap::Parser;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    cli.color.apply();
    let done = match cli.command {
        None => check::run(&cli.check),
        Some(Command::Check(arguments)) => check::run(&arguments),
        Some(Command::Inventory(arguments)) => inventory::run(&arguments),
        Some(Command::Prove(arguments)) => prove::run(&arguments),
        Some(Command::Rules(arguments)) => rules::run(&arguments),
        Some(Command::Explain(arguments)) => explain::run(&arguments),
        Some(Command::Baseline(command)) => baseline::run(&command),
        Some(Command::Cache(command)) => cache::run(&command),
        Some(Command::Debug(command)) => debug::run(&command),
    };
    done.unwrap_or_else(|message| {
        output::error(&message);
        ExitCode::from(2)
    })
}
