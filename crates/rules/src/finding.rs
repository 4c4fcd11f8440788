//! A finding as a rule makes it: places are a file and byte offsets; the engine turns them into lines and columns.

use crate::rule::Rule;
use racewalk_ir::Span;
use racewalk_link::FileId;
use racewalk_report::{Confidence, Severity};

/// A place in a file of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The file.
    pub file: FileId,
    /// Where in it.
    pub span: Span,
}

/// One step of a call chain.
#[derive(Clone, Debug)]
pub struct Hop {
    /// The function or call at this step.
    pub symbol: String,
    /// Where.
    pub at: Place,
    /// How the step before reaches it: `calls`, `spawns`, `awaits`, `overrides`, or `starts` for the first.
    pub via: &'static str,
}

/// One step of an interleaving.
#[derive(Clone, Debug)]
pub struct Step {
    /// Which task: a position in [`Witness::tasks`].
    pub task: usize,
    /// Where.
    pub at: Place,
    /// The function.
    pub symbol: String,
    /// What the task does there: `tests`, `reads`, `waits`, `writes` …
    pub does: String,
    /// What it sees or leaves.
    pub value: Option<String>,
}

/// An interleaving that breaks the code.
#[derive(Clone, Debug)]
pub struct Witness {
    /// The tasks' names.
    pub tasks: Vec<&'static str>,
    /// The state that they share.
    pub object: String,
    /// What happens, in order.
    pub steps: Vec<Step>,
}

/// A finding.
pub struct Finding {
    /// The rule.
    pub rule: &'static Rule,
    /// How bad.
    pub severity: Severity,
    /// How sure.
    pub confidence: Confidence,
    /// Where it starts and ends.
    pub at: Place,
    /// The enclosing function, dotted.
    pub symbol: String,
    /// What happens, and when.
    pub message: String,
    /// Why tests pass all the same; the rule's own sentence when empty.
    pub why_it_hides: String,
    /// What to do.
    pub help: String,
    /// Kind and text of remarks.
    pub notes: Vec<(&'static str, String)>,
    /// Other places that matter.
    pub related: Vec<(Place, String)>,
    /// The calls that lead there.
    pub chain: Vec<Hop>,
    /// The interleaving.
    pub witness: Option<Witness>,
    /// Entry points by which a user's request gets here.
    pub reached_from: Vec<String>,
    /// What stays the same when the text around it moves: callee or shape. Part of the fingerprint.
    pub shape: String,
    /// Joins findings of one template; the shape when empty.
    pub cluster: String,
}

impl Finding {
    /// All places that it names.
    pub fn places(&self) -> impl Iterator<Item = Place> + '_ {
        let related = self.related.iter().map(|(place, _)| *place);
        let steps = self.witness.iter().flat_map(|witness| witness.steps.iter().map(|step| step.at));
        std::iter::once(self.at).chain(related).chain(self.chain.iter().map(|hop| hop.at)).chain(steps)
    }

    /// A finding with the parts that every one must have.
    pub fn new(rule: &'static Rule, at: Place, symbol: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            rule,
            severity: rule.severity,
            confidence: Confidence::Certain,
            at,
            symbol: symbol.into(),
            message: message.into(),
            why_it_hides: String::new(),
            help: String::new(),
            notes: Vec::new(),
            related: Vec::new(),
            chain: Vec::new(),
            witness: None,
            reached_from: Vec::new(),
            shape: String::new(),
            cluster: String::new(),
        }
    }

    /// Sets what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = help.into();
        self
    }

    /// Sets how sure the analysis is.
    #[must_use]
    pub fn confidence(mut self, confidence: Confidence) -> Self {
        self.confidence = confidence;
        self
    }

    /// Lowers how sure the analysis is to this.
    #[must_use]
    pub fn at_most(mut self, confidence: Confidence) -> Self {
        self.confidence = self.confidence.min(confidence);
        self
    }

    /// Sets how bad it is.
    #[must_use]
    pub fn severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }

    /// Sets what stays the same when lines drift.
    #[must_use]
    pub fn shape(mut self, shape: impl Into<String>) -> Self {
        self.shape = shape.into();
        self
    }

    /// Adds a remark.
    #[must_use]
    pub fn note(mut self, kind: &'static str, message: impl Into<String>) -> Self {
        self.notes.push((kind, message.into()));
        self
    }

    /// Adds another place.
    #[must_use]
    pub fn related(mut self, at: Place, message: impl Into<String>) -> Self {
        self.related.push((at, message.into()));
        self
    }
}
