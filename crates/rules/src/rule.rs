//! What a rule is: metadata, documentation, detector.

use crate::context::Context;
use crate::finding::Finding;
use racewalk_report::Severity;

/// Which of the five questions a rule belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Question {
    /// Does it await everything it starts?
    Await,
    /// Who owns the event loop, and who holds it up?
    Loop,
    /// What state is shared across a suspension point, or between threads?
    Share,
    /// What limits it?
    Bound,
    /// What happens when it is cancelled or fails?
    Cancel,
    /// The tool's own.
    Tool,
}

impl Question {
    /// The first part of a rule's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Await => "await",
            Self::Loop => "loop",
            Self::Share => "share",
            Self::Bound => "bound",
            Self::Cancel => "cancel",
            Self::Tool => "tool",
        }
    }
}

/// A rule.
pub struct Rule {
    /// `question/rule-name`.
    pub name: &'static str,
    /// The question.
    pub question: Question,
    /// Severity, unless a finding says otherwise.
    pub severity: Severity,
    /// Languages that it looks at, as their names.
    pub languages: &'static [&'static str],
    /// Shown without `--strict` or being selected.
    pub on_by_default: bool,
    /// The defect in one line.
    pub summary: &'static str,
    /// The rule's own source file: its leading `//!` lines are its documentation.
    pub source: &'static str,
    /// The detector.
    pub check: fn(&Context<'_>, &mut Vec<Finding>),
}

impl Rule {
    /// The part of the name after the question: enough on the command line, in configuration and in suppressions.
    pub fn short_name(&self) -> &'static str {
        self.name.rsplit_once('/').map_or(self.name, |(_, short)| short)
    }

    /// The documentation as Markdown.
    pub fn documentation(&self) -> String {
        let lines = self.source.lines().take_while(|line| line.starts_with("//!"));
        lines.map(|line| line.trim_start_matches("//!").strip_prefix(' ').unwrap_or("")).collect::<Vec<_>>().join("\n")
    }

    /// The section of the documentation under this `##` heading, without the heading.
    pub fn section(&self, heading: &str) -> Option<String> {
        let documentation = self.documentation();
        let mut lines = documentation.lines().skip_while(|line| line.strip_prefix("## ") != Some(heading));
        lines.next()?;
        let body: Vec<&str> = lines.take_while(|line| !line.starts_with("## ")).collect();
        Some(body.join("\n").trim().to_owned())
    }
}
