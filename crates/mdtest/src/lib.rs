//! Literate tests.
//!
//! A test file is Markdown. Every section under a `##` heading is a case: prose, and fenced blocks that are its files.
//!
//! - A ```` ```python ```` block is a file. The line before it names it: a path in backticks and a colon
//!   (`` `app/api.py`: ``); a block without a name is `main.py`. In a file called `….ipynb`, a line that starts with
//!   `# %%` starts a cell.
//!   A path that starts with `site-packages/` lies in the case's virtual environment.
//! - A ```` ```toml ```` block without a name is the case's `racewalk.toml`; one with a name is a file, such as a model.
//! - A trailing comment `# expect: rule, rule` names the findings that start on its line. Behind a rule may stand, in
//!   parentheses, what else must hold (`error`, `warning`, `hint`, `certain`, `likely`, `possible`, `chain`,
//!   `related`, `note KIND`) and, in quotes, a part of the message. A line without the comment must be silent.
//! - A line `rules: a, b` looks at these rules only; a line `strict: true` turns on `--strict`.
//!
//! With `RACEWALK_UPDATE=1` the comments are rewritten to what is found. `RACEWALK_CASE=text` runs only the cases whose
//! file's path or title contains the text.

mod case;
mod documentation;
mod expectation;
mod outcome;
mod proofs;
mod sandbox;

pub use documentation::documentation_failures;
pub use proofs::proof_failures;

use case::Case;
use rayon::prelude::*;
use sandbox::Sandbox;
use std::path::{Path, PathBuf};

/// Runs every case of the Markdown files under these directories; gives what failed, readable.
pub fn failures(directories: &[PathBuf]) -> Vec<String> {
    let mut files: Vec<PathBuf> = directories.iter().flat_map(|directory| sandbox::markdown_files(directory)).collect();
    files.sort();
    files.par_iter().flat_map_iter(|file| file_failures(file)).collect()
}

fn file_failures(file: &Path) -> Vec<String> {
    let text = match sandbox::read(file) {
        Ok(text) => text,
        Err(error) => return vec![format!("{}: {error}", file.display())],
    };
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let mut failures = Vec::new();
    for case in case::cases(&text).into_iter().filter(|case| sandbox::is_wanted(file, &case.title)) {
        match run(&case) {
            Ok(outcome) if outcome.is_met() => {}
            Ok(outcome) if sandbox::updates() => outcome.rewrite(&mut lines),
            Ok(outcome) => failures.push(outcome.describe(file, &case)),
            Err(error) => failures.push(format!("{}:{}: {}: {error}", file.display(), case.line, case.title)),
        }
    }
    let rewritten = lines.join("\n") + "\n";
    if rewritten.trim_end() != text.trim_end()
        && let Err(error) = sandbox::write(file, &rewritten)
    {
        failures.push(format!("{}: {error}", file.display()));
    }
    failures
}

fn run(case: &Case) -> Result<outcome::Outcome, String> {
    let sandbox = Sandbox::new().map_err(|error| error.to_string())?;
    sandbox.write("racewalk.toml", &case.config)?;
    for file in &case.files {
        sandbox.write(&file.path, &file.stored())?;
    }
    let report = sandbox.check(case.strict)?;
    outcome::compare(case, report)
}
