//! # tool/unused-suppression
//!
//! A suppression comment that suppresses nothing, names no rule that exists, or does not say why.
//!
//! ## What it is
//! `# racewalk: ignore[rule, rule] reason` silences these rules on its own line, or on the next line of code when it
//! stands alone. The reason is what a reviewer reads; a comment that has outlived its finding hides the next one.
//!
//! ## What one observes
//! A reader takes the comment's word that the line was looked at; the defect that comes later on that line is never
//! shown.
//!
//! ## Why tests pass all the same
//! Comments do not run.
//!
//! ## The structural fix
//! Take the comment away, or name the right rule and say why the finding does not matter here.
//!
//! ## Where it is silent
//! On rules that do not run in this check (`--select`, `--ignore`, rules that are off by default).

use racewalk_report::Severity;
use racewalk_rules::{Question, Rule};

/// The rule. Its findings are made while suppressions are applied, after all other rules have run.
pub(crate) static RULE: Rule = Rule {
    name: "tool/unused-suppression",
    question: Question::Tool,
    severity: Severity::Warning,
    languages: &["python", "javascript"],
    on_by_default: true,
    summary: "a suppression comment that is unused, unexplained or names no rule",
    source: include_str!("unused_suppression.rs"),
    check: |_, _| {},
};
