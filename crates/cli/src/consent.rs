//! Running a project's code is the user's to allow.

use crate::output;
use racewalk_engine::{Engine, Options};
use std::io::{IsTerminal, Write, stderr, stdin};

/// What running it means.
const WARNING: &str = "this executes the project's code: its modules are imported and functions called, from a copy of the tree, \
                       in a process with limits of time and memory, in which network, subprocesses and writing to files are \
                       refused as far as the system allows; it is no sandbox against code that means harm";

/// Says before the first run in a project that its code is executed. On a terminal it asks, and keeps the answer in mind; where
/// nobody can be asked (in CI, by a program), whoever calls the command has decided.
pub(crate) fn ask(options: &Options, is_given: bool) -> Result<(), String> {
    let engine = Engine::default();
    if is_given || engine.may_run_code(options) {
        return Ok(());
    }
    output::note(WARNING);
    if !(stdin().is_terminal() && stderr().is_terminal()) {
        return Ok(());
    }
    output::aside("run it? [y/N] ");
    let _ = stderr().flush();
    let mut answer = String::new();
    stdin().read_line(&mut answer).map_err(|error| format!("standard input: {error}"))?;
    if !matches!(answer.trim().to_lowercase().as_str(), "y" | "yes") {
        return Err("nothing was run; --yes runs it without asking".to_owned());
    }
    engine.agree_to_run_code(options);
    Ok(())
}
