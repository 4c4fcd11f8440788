//! From a finding to a verdict: what is called to bring the code to run, a copy of the tree, a child process with the runtime,
//! and its answer. The only crate that runs code under analysis.

mod aim;
mod child;
mod hints;
mod plan;
mod python;
mod repair;
mod runtime;
mod session;

pub use hints::Hint;
pub use session::Session;

use aim::{PROVABLE, short};
use racewalk_link::FunctionRef;
use racewalk_project::{Disk, Project, Scratch, SourceFile};
use racewalk_report::proof::Answer;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Seconds that reading a file, or loading a project, replaying and telling may take beyond a budget.
const PATIENCE: f64 = 60.0;

/// Whether running the code can show anything of a rule's findings.
pub fn is_provable(rule: &str) -> bool {
    PROVABLE.contains(&short(rule))
}

/// How to run the code, and what to make of it.
#[derive(Clone, Debug)]
pub struct Settings {
    /// An environment or interpreter, in place of the project's.
    pub python: Option<PathBuf>,
    /// Seconds for the search of one finding.
    pub budget: f64,
    /// What the user says, by the symbols it is said of; an empty one means all.
    pub hints: Vec<(String, Hint)>,
    /// Tests to write: variant and path.
    pub tests: Vec<(String, PathBuf)>,
    /// How many calls a stress test makes.
    pub stress_calls: usize,
    /// Traces to write: format and path.
    pub traces: Vec<(String, PathBuf)>,
    /// A patch, or a changed version of the project: is it a fix?
    pub against: Option<PathBuf>,
    /// How often a failing schedule is replayed on the stock loop.
    pub replays: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            python: None,
            budget: 2.0,
            hints: Vec::new(),
            tests: Vec::new(),
            stress_calls: 1000,
            traces: Vec::new(),
            against: None,
            replays: 3,
        }
    }
}

/// What is to be proved.
#[derive(Clone, Debug)]
pub struct Question {
    /// The rule of the finding; without one, whatever needs no knowledge of the code counts.
    pub rule: Option<String>,
    /// The function that the finding is in.
    pub function: FunctionRef,
    /// How it is called in its file.
    pub symbol: String,
    /// Lines that must run.
    pub lines: Vec<u32>,
    /// The state that the finding is about, as the source has it.
    pub object: Option<String>,
}

/// What came of a question.
#[derive(Clone, Debug)]
pub struct Proved {
    /// What was called.
    pub targets: Vec<String>,
    /// What else was tried, and what came of it.
    pub besides: Vec<String>,
    /// The verdict.
    pub answer: Answer,
}

/// A diff that makes a file log each access of these cells; none when nothing in it touches them. The file is read, not run.
///
/// # Errors
/// When there is no Python to read it with, or the file is none that it can read.
pub fn instrumented(
    disk: &Disk,
    project: &Project,
    settings: &Settings,
    file: &SourceFile,
    cells: &[String],
    working: &Path,
) -> Result<Option<String>, String> {
    let interpreter = python::find(disk, settings.python.as_deref(), &project.root, working)?;
    let scratch = Scratch::new(disk)?;
    let start = runtime::unpack_instrument(&scratch)?;
    let words = [&start, &file.path].map(|path| path.to_string_lossy().into_owned());
    let arguments: Vec<String> = words.into_iter().chain([file.rooted.clone()]).chain(cells.iter().cloned()).collect();
    let said = child::run(&interpreter, &arguments, &scratch.path(""), Duration::from_secs_f64(PATIENCE))?;
    match (said.output.is_empty(), said.errors.lines().last()) {
        (true, Some(error)) => Err(format!("{}: {error}", file.shown)),
        (is_empty, _) => Ok((!is_empty).then(|| String::from_utf8_lossy(&said.output).into_owned())),
    }
}

/// A member, a module's variable or a parameter, as the source has it: something that a run can look at by name.
pub fn is_cell(object: &str) -> bool {
    let end = object.find(['.', '[']).unwrap_or(object.len());
    let root = &object[..end];
    !root.is_empty() && root.chars().all(|c| c == '_' || c.is_alphanumeric()) && !object.contains('(')
}

#[cfg(test)]
mod tests {
    use super::{is_cell, is_provable};

    #[test]
    fn cells_are_what_has_a_name() {
        assert!(is_cell("self.value") && is_cell("sessions[key]") && is_cell("_cache"));
        assert!(!is_cell("redis.get(key)") && !is_cell(""));
    }

    #[test]
    fn rules_are_known_with_and_without_their_family() {
        assert!(is_provable("share/lost-update") && is_provable("stampede") && !is_provable("loop/blocking-call"));
    }
}
