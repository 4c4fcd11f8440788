//! Cases whose code is run: what `prove` says of a line.

use crate::case::{self, Case};
use crate::sandbox::{self, Sandbox};
use racewalk_engine::report::proof::{Proof, Verdict};
use std::path::{Path, PathBuf};

/// Behind a line of code: what proving it must come to.
const MARK: &str = "# prove: ";

/// Proves every marked line of the Markdown files under these directories; gives what failed, readable. `# prove: VERDICT` stands
/// behind a line, with a kind of violation and, in quotes, a part of the message. The code is run by the Python that is found.
pub fn proof_failures(directories: &[PathBuf]) -> Vec<String> {
    let mut files: Vec<PathBuf> = directories.iter().flat_map(|directory| sandbox::markdown_files(directory)).collect();
    files.sort();
    files.iter().flat_map(|file| file_failures(file)).collect()
}

fn file_failures(file: &Path) -> Vec<String> {
    let text = match sandbox::read(file) {
        Ok(text) => text,
        Err(error) => return vec![format!("{}: {error}", file.display())],
    };
    let cases: Vec<Case> = case::cases(&text);
    let mut failures = Vec::new();
    for case in cases.iter().filter(|case| sandbox::is_wanted(file, &case.title)) {
        let failed = failures_of(case).unwrap_or_else(|error| vec![error]);
        failures.extend(
            failed.into_iter().map(|failure| format!("{}:{}: {}: {failure}", file.display(), case.line, case.title)),
        );
    }
    failures
}

fn failures_of(case: &Case) -> Result<Vec<String>, String> {
    let sandbox = Sandbox::new().map_err(|error| error.to_string())?;
    sandbox.write("racewalk.toml", &case.config)?;
    for file in &case.files {
        sandbox.write(&file.path, &file.stored())?;
    }
    let mut failures = Vec::new();
    let mut marks = 0;
    for file in &case.files {
        for (index, line) in file.lines.iter().enumerate() {
            let Some((_, expected)) = line.split_once(MARK) else { continue };
            marks += 1;
            let what = format!("{}:{}", file.path, index + 1);
            let proofs = sandbox.prove(&what)?;
            if !proofs.iter().any(|proof| is_as(proof, expected)) {
                let told: Vec<String> = proofs.iter().map(told).collect();
                failures.push(format!("{what} should be {expected}, and is {}", told.join("; ")));
            }
        }
    }
    if marks == 0 { Err("no line is marked".to_owned()) } else { Ok(failures) }
}

/// `VERDICT KIND "part of the message"`.
fn is_as(proof: &Proof, expected: &str) -> bool {
    let (words, message) = expected.split_once('"').map_or((expected, ""), |(words, message)| (words, message));
    let mut words = words.split_whitespace();
    let verdict = words.next().unwrap_or_default();
    name(proof.answer.verdict) == verdict
        && words.next().is_none_or(|kind| proof.answer.kind.as_deref() == Some(kind))
        && proof.answer.message.contains(message.trim_end().trim_end_matches('"'))
}

fn told(proof: &Proof) -> String {
    let kind = proof.answer.kind.as_deref().unwrap_or_default();
    format!("{} {kind} \"{}\"", name(proof.answer.verdict), proof.answer.message)
}

const fn name(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Proved => "proved",
        Verdict::NoViolation => "no-violation",
        Verdict::Inconclusive => "inconclusive",
        Verdict::NotRunnable => "not-runnable",
    }
}
