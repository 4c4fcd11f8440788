//! What is found against what is expected.

use crate::case::{Case, File};
use crate::expectation::{self, Expectation};
use racewalk_engine::report::{Finding, Report};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

/// A line of the Markdown text on which something is expected or found.
#[derive(Debug, Default)]
struct Line {
    met: Vec<String>,
    /// Expected and not found, with the nearest miss.
    missing: Vec<String>,
    /// Found and not expected: as it would be written, and its message.
    extra: Vec<(String, String)>,
}

/// How a case came out.
#[derive(Debug)]
pub(crate) struct Outcome {
    lines: BTreeMap<u32, Line>,
}

/// Compares a case with the report on its files.
pub(crate) fn compare(case: &Case, report: Report) -> Result<Outcome, String> {
    if let Some(mistake) = case.mistakes.first() {
        return Err(mistake.clone());
    }
    let mut found: BTreeMap<u32, Vec<Finding>> = BTreeMap::new();
    for finding in report.findings.into_iter().filter(|finding| case.looks_at(&finding.rule)) {
        let line = case.line_of(&finding).ok_or_else(|| format!("a finding outside the case: {}", finding.message))?;
        found.entry(line).or_default().push(finding);
    }
    let mut expected: BTreeMap<u32, Vec<&Expectation>> = BTreeMap::new();
    for file in &case.files {
        for (line, expectation) in &file.expected {
            expected.entry(file.fence_line + line).or_default().push(expectation);
        }
    }
    let mut numbers: Vec<u32> = found.keys().chain(expected.keys()).copied().collect();
    numbers.dedup();
    let compared = |line: u32| {
        (
            line,
            compare_line(found.get(&line).cloned().unwrap_or_default(), expected.get(&line).map_or(&[], Vec::as_slice)),
        )
    };
    Ok(Outcome { lines: numbers.into_iter().map(compared).collect() })
}

fn compare_line(mut found: Vec<Finding>, expected: &[&Expectation]) -> Line {
    let mut line = Line::default();
    for expectation in expected {
        match found.iter().position(|finding| expectation.lacks(finding).is_none()) {
            Some(index) => {
                found.remove(index);
                line.met.push(expectation.text.clone());
            }
            None => line.missing.push(expectation.text.clone() + &near_miss(expectation, &found)),
        }
    }
    line.extra = found.into_iter().map(|finding| (expectation::written(&finding), finding.message)).collect();
    line
}

fn near_miss(expectation: &Expectation, found: &[Finding]) -> String {
    let same_rule = found.iter().find(|finding| finding.rule.ends_with(&expectation.rule));
    same_rule.and_then(|finding| expectation.lacks(finding)).map_or_else(String::new, |lack| format!("   ({lack})"))
}

impl Case {
    fn looks_at(&self, rule: &str) -> bool {
        self.rules.is_empty()
            || self
                .rules
                .iter()
                .any(|name| name == rule || rule.rsplit_once('/').is_some_and(|(_, short)| short == name))
    }

    /// The line of the Markdown text where a finding starts.
    fn line_of(&self, finding: &Finding) -> Option<u32> {
        let file: &File = self.files.iter().find(|file| file.path == finding.path)?;
        Some(file.fence_line + file.block_line(finding.cell, finding.range.start.line))
    }
}

impl Outcome {
    /// Everything is as expected.
    pub(crate) fn is_met(&self) -> bool {
        self.lines.values().all(|line| line.missing.is_empty() && line.extra.is_empty())
    }

    /// The differences, as a reader wants them.
    pub(crate) fn describe(&self, file: &Path, case: &Case) -> String {
        let mut out = format!("{}:{}: {}", file.display(), case.line, case.title);
        for (number, line) in &self.lines {
            // Writing to a string cannot fail.
            for missing in &line.missing {
                let _ = write!(out, "\n  line {number}: - {missing}");
            }
            for (extra, message) in &line.extra {
                let _ = write!(out, "\n  line {number}: + {extra}   {message}");
            }
        }
        out
    }

    /// Writes what was found into the lines of the Markdown text.
    pub(crate) fn rewrite(&self, lines: &mut [String]) {
        for (number, line) in self.lines.iter().filter(|(_, line)| !line.missing.is_empty() || !line.extra.is_empty()) {
            if let Some(text) = lines.get_mut(*number as usize - 1) {
                let extra = line.extra.iter().map(|(written, _)| written.clone());
                *text = expectation::join(text, &line.met.iter().cloned().chain(extra).collect::<Vec<_>>());
            }
        }
    }
}
