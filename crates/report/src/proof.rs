//! What came of running the code around a finding: the verdicts, as plain data.

use crate::{Finding, Step, Witness};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What a run says of the code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Some schedule goes wrong, and does so again on the stock event loop.
    Proved,
    /// No schedule within the bounds goes wrong.
    NoViolation,
    /// The run did not exercise the finding.
    Inconclusive,
    /// The code cannot be brought to run here.
    NotRunnable,
}

impl Verdict {
    /// All of them, in the order in which they are told.
    pub const ALL: [Self; 4] = [Self::Proved, Self::NoViolation, Self::Inconclusive, Self::NotRunnable];

    /// For people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Proved => "proved",
            Self::NoViolation => "no violation within bounds",
            Self::Inconclusive => "inconclusive",
            Self::NotRunnable => "not runnable",
        }
    }
}

/// One of the calls that overlap.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// How the timeline names it: `A`, `B`, …
    pub call: String,
    /// What is called: `MODULE:QUALIFIED.NAME`.
    pub target: String,
    /// Its arguments by name, as text.
    #[serde(default)]
    pub arguments: Map<String, Value>,
}

/// A cell that a line has changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The cell.
    pub cell: String,
    /// Its value before the line.
    pub before: String,
    /// Its value after the line.
    pub after: String,
}

/// A line that ran, or a decision of the environment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Moment {
    /// The call on whose behalf it happens.
    pub call: String,
    /// Virtual seconds since the start.
    pub at: f64,
    /// What the environment does; nothing for a line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub does: Option<String>,
    /// The task that runs the line.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub task: String,
    /// The file of the line, relative to the project's root.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub path: String,
    /// The line; 0 for what is none.
    #[serde(default)]
    pub line: u32,
    /// The function.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub symbol: String,
    /// The line's text.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub source: String,
    /// The cells that the line reads, with their values.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub sees: Map<String, Value>,
    /// The cells that the line changes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
}

/// One search that was made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Search {
    /// How many calls overlapped.
    pub calls: usize,
    /// How the calls' arguments differ: `same`, `keyed`, `crossed`, `different`, `many`.
    #[serde(default)]
    pub arguments: String,
    /// How stand-ins answered.
    #[serde(default)]
    pub policy: String,
    /// How many arrivals and replies came while the loop was busy: a number, or `any`.
    pub early: Value,
    /// How many operations failed in one schedule.
    pub faults: usize,
    /// How many calls were cancelled in one schedule.
    pub cancels: usize,
    /// How many schedules were run.
    pub schedules: usize,
    /// All that there are.
    pub exhaustive: bool,
}

/// A test that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WrittenTest {
    /// `regression`, `stress` or `property`.
    pub variant: String,
    /// Where it was written; none when it was not.
    pub path: Option<String>,
    /// Why it was not written.
    pub problem: Option<String>,
}

/// Whether a changed version is a fix.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FixCheck {
    /// `fixed`, `still-wrong`, `changed-behaviour` or `inconclusive`.
    pub verdict: String,
    /// In one sentence.
    pub message: String,
}

/// What the runtime answers to a harness plan. Fields that only programs ask for are handed on as they are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// The verdict.
    pub verdict: Verdict,
    /// In one sentence.
    pub message: String,
    /// The field of the plan that would help: a key of `--hint`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// What is wrong: `state`, `duplicate-work`, `deadlock`, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The calls of the failing schedule.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<Call>,
    /// Without a failing schedule: the calls that were made, with their arguments, as text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub called: Vec<String>,
    /// The failing schedule.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub timeline: Vec<Moment>,
    /// How many schedules were run until the failing one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_failing: Option<usize>,
    /// How often the schedule failed on the stock event loop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replayed: Option<usize>,
    /// What was compared.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cells: Vec<String>,
    /// Each search, with its bounds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub explored: Vec<Search>,
    /// How many schedules were run.
    #[serde(default)]
    pub schedules: usize,
    /// The Python that ran them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub python: Option<String>,
    /// Packages that were not installed, and replaced by stand-ins.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing_packages: Vec<String>,
    /// The tests that were asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tests: Vec<WrittenTest>,
    /// Whether the changed version is a fix.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fix: Option<FixCheck>,
    /// Everything else that the runtime says.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

impl Answer {
    /// An answer without a run: the code cannot be brought to run, for this reason.
    pub fn not_runnable(why: impl Into<String>) -> Self {
        Self::without_run(Verdict::NotRunnable, why.into())
    }

    /// An answer without a result: what the user could say is named by a key of `--hint`.
    pub fn inconclusive(why: impl Into<String>, hint: &str) -> Self {
        Self { hint: Some(hint.to_owned()), ..Self::without_run(Verdict::Inconclusive, why.into()) }
    }

    fn without_run(verdict: Verdict, message: String) -> Self {
        Self {
            verdict,
            message,
            hint: None,
            kind: None,
            calls: Vec::new(),
            called: Vec::new(),
            timeline: Vec::new(),
            first_failing: None,
            replayed: None,
            cells: Vec::new(),
            explored: Vec::new(),
            schedules: 0,
            python: None,
            missing_packages: Vec::new(),
            tests: Vec::new(),
            fix: None,
            more: Map::new(),
        }
    }

    /// The failing schedule as an interleaving.
    pub fn witness(&self) -> Option<Witness> {
        let tasks: Vec<String> = self.calls.iter().map(|call| call.call.clone()).collect();
        let steps = self.timeline.iter().filter(|moment| moment.line > 0 && tasks.contains(&moment.call));
        let step = |moment: &Moment| Step {
            task: moment.call.clone(),
            path: moment.path.clone(),
            line: moment.line,
            symbol: moment.symbol.clone(),
            does: moment.source.clone(),
            value: moment.values(),
        };
        let steps: Vec<Step> = steps.map(step).collect();
        (self.verdict == Verdict::Proved && !steps.is_empty()).then(|| Witness {
            tasks,
            object: if self.cells.is_empty() { "outside".to_owned() } else { self.cells.join(", ") },
            steps,
        })
    }
}

impl Moment {
    /// What the line does to the cells, or sees of them.
    pub(crate) fn values(&self) -> Option<String> {
        let changes =
            self.changes.iter().map(|change| format!("{}: {} → {}", change.cell, change.before, change.after));
        let changes: Vec<String> = changes.collect();
        let sees = self.sees.iter().map(|(cell, value)| format!("{cell} is {}", value.as_str().unwrap_or_default()));
        let told = if changes.is_empty() { sees.collect() } else { changes };
        (!told.is_empty()).then(|| told.join(", "))
    }
}

/// What a proof is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// The rule of the finding; none when a place was asked for that has no finding.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// Path, relative to the working directory.
    pub path: String,
    /// Line, from 1.
    pub line: u32,
    /// The enclosing function, dotted.
    pub symbol: String,
    /// The finding's fingerprint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// What the finding says.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
}

impl Subject {
    /// The subject that a finding is.
    pub fn of(finding: &Finding) -> Self {
        Self {
            rule: Some(finding.rule.clone()),
            path: finding.path.clone(),
            line: finding.range.start.line,
            symbol: finding.symbol.clone(),
            fingerprint: Some(finding.fingerprint.clone()),
            message: finding.message.clone(),
        }
    }
}

/// The attempt to prove one finding.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Proof {
    /// What it is about.
    pub subject: Subject,
    /// What is called.
    pub targets: Vec<String>,
    /// What was tried besides, and what came of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub besides: Vec<String>,
    /// What came of it.
    #[serde(flatten)]
    pub answer: Answer,
}

/// Everything that `prove` says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Proofs {
    /// Major version of this contract.
    pub version: u32,
    /// The tool and its version.
    pub tool: String,
    /// The interpreter that ran the code; none when there was nothing to run.
    pub interpreter: Option<String>,
    /// Findings beneath what was asked for that are of no kind that can be proved.
    pub unprovable: usize,
    /// By path, line and rule.
    pub proofs: Vec<Proof>,
}

impl Proofs {
    /// As one JSON object: the output contract.
    pub fn json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).unwrap_or_else(|error| format!("{{\"error\": \"{error}\"}}"));
        text.push('\n');
        text
    }

    /// How many have this verdict.
    pub fn count(&self, verdict: Verdict) -> usize {
        self.proofs.iter().filter(|proof| proof.answer.verdict == verdict).count()
    }
}
