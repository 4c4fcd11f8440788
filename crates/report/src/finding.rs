//! The finding: the output contract, as plain data.

use serde::{Deserialize, Serialize};

/// How bad it is when it happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Costs latency or clarity.
    Hint,
    /// Breaks under load, failure or cancellation.
    Warning,
    /// Breaks when it happens.
    Error,
}

impl Severity {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hint => "hint",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// How sure the analysis is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    /// It cannot be shown: reported under `--strict` only.
    Possible,
    /// It follows from what the code says, but for something that is not seen.
    Likely,
    /// It follows from the code.
    Certain,
}

impl Confidence {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Possible => "possible",
            Self::Likely => "likely",
            Self::Certain => "certain",
        }
    }
}

/// A place in a text: line and column from 1, the column in Unicode code points.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Position {
    /// Line, from 1.
    pub line: u32,
    /// Column, from 1, in code points.
    pub column: u32,
}

/// From a place up to, not including, another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Range {
    /// First code point.
    pub start: Position,
    /// Just past the last.
    pub end: Position,
}

/// A place in a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Related {
    /// Path, relative to the working directory.
    pub path: String,
    /// Where.
    pub range: Range,
    /// The notebook cell that the lines count in, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cell: Option<u32>,
    /// What is there.
    pub message: String,
}

/// A remark on a finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// Its kind: `sibling`, `masked-by`, `unmasks`, …
    pub kind: String,
    /// In words.
    pub message: String,
}

/// One step of a call chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hop {
    /// The function or call at this step.
    pub symbol: String,
    /// Its file.
    pub path: String,
    /// Its line.
    pub line: u32,
    /// How the step before reaches it: `calls`, `spawns`, `awaits`, `overrides`, or `starts` for the first.
    pub via: String,
}

/// One step of an interleaving.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Which task.
    pub task: String,
    /// File.
    pub path: String,
    /// Line.
    pub line: u32,
    /// Function.
    pub symbol: String,
    /// What it does there.
    pub does: String,
    /// The value seen or left, when one can be named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

/// An interleaving that breaks the code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Witness {
    /// The tasks.
    pub tasks: Vec<String>,
    /// The state that they share.
    pub object: String,
    /// What happens, in order.
    pub steps: Vec<Step>,
}

/// A finding.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// `question/rule-name`.
    pub rule: String,
    /// How bad.
    pub severity: Severity,
    /// How sure.
    pub confidence: Confidence,
    /// Path, relative to the working directory.
    pub path: String,
    /// Where.
    pub range: Range,
    /// The notebook cell that the lines count in, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cell: Option<u32>,
    /// The enclosing function, dotted.
    pub symbol: String,
    /// Survives line drift.
    pub fingerprint: String,
    /// Joins findings of one template.
    pub cluster: String,
    /// Entry points by which a user's request gets here.
    pub reached_from: Vec<String>,
    /// What happens, and when.
    pub message: String,
    /// Why tests pass all the same.
    pub why_it_hides: String,
    /// What to do.
    pub help: String,
    /// Remarks.
    pub notes: Vec<Note>,
    /// Other places that matter.
    pub related: Vec<Related>,
    /// The calls that lead there.
    pub chain: Vec<Hop>,
    /// The interleaving.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub witness: Option<Witness>,
    /// Edits that mend it; empty until the rule has one.
    pub fixes: Vec<serde_json::Value>,
}

/// The kind of the remark that says what running the code has shown.
pub const PROVED: &str = "proved";

impl Finding {
    /// Running the code has shown it.
    pub fn is_proved(&self) -> bool {
        self.notes.iter().any(|note| note.kind == PROVED)
    }

    /// What happens, marked when running the code has shown it: for formats that have no place for remarks.
    pub(crate) fn marked_message(&self) -> String {
        format!("{}{}", self.message, if self.is_proved() { " (proved)" } else { "" })
    }
}

/// A file or part of one that was not analysed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Skipped {
    /// Path, relative to the working directory.
    pub path: String,
    /// Line, from 1; 0 when the whole file is meant.
    pub line: u32,
    /// Why.
    pub reason: String,
}

/// What was looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Files reported on.
    pub files: usize,
    /// Their lines.
    pub lines: usize,
    /// Functions in them.
    pub functions: usize,
    /// Asynchronous functions in them.
    pub async_functions: usize,
    /// Findings shown.
    pub findings: usize,
    /// Findings that are not shown since the baseline holds them; missing when there is no baseline.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub baselined: Option<usize>,
    /// The revision that the findings are newer than; missing when none was named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changed_since: Option<ChangedSince>,
    /// What was left out.
    pub skipped: Vec<Skipped>,
}

/// With what a check was compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangedSince {
    /// The commit, in full.
    pub revision: String,
    /// Findings that are not shown since it has them too.
    pub held_back: usize,
}

/// Everything that a check says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Major version of this contract.
    pub version: u32,
    /// The tool and its version.
    pub tool: String,
    /// What was looked at.
    pub summary: Summary,
    /// Findings by path, line, column, rule.
    pub findings: Vec<Finding>,
}
