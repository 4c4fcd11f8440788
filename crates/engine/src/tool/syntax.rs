//! # tool/syntax
//!
//! A file that cannot be parsed as a whole.
//!
//! ## What it is
//! What could be recovered is analysed, and the file is listed in `summary.skipped`; but code in the part that could
//! not be read is not checked, and other files that call it are judged without it.
//!
//! ## What one observes
//! The interpreter stops with `SyntaxError` when it loads the file.
//!
//! ## Why tests pass all the same
//! No test imports the file, or it is meant for another version of the language.
//!
//! ## The structural fix
//! Mend the file; or leave it out, when it is not meant to be code: `exclude = ["templates"]` in `racewalk.toml`.
//!
//! ## Where it is silent
//! - Templates that Python is made from (`{{ name }}`, `{% if %}`, `# % if`): such a file is left out, and listed as skipped.
//! - Of each other file there is one finding, at the first place that cannot be read.
//!
//! ## Symptoms
//! - `SyntaxError: invalid syntax`

use racewalk_report::Severity;
use racewalk_rules::{Context, Finding, Question, Rule};

/// The rule.
pub(crate) static RULE: Rule = Rule {
    name: "tool/syntax",
    question: Question::Tool,
    severity: Severity::Warning,
    languages: &["python", "javascript"],
    on_by_default: true,
    summary: "a file that cannot be parsed: code in it goes unchecked",
    source: include_str!("syntax.rs"),
    check,
};

fn check(ctx: &Context<'_>, found: &mut Vec<Finding>) {
    if let Some(problem) = ctx.module.problems.first() {
        let message = format!("this cannot be parsed: {}", problem.message);
        let finding = Finding::new(&RULE, ctx.at(problem.span), "", message).shape("syntax");
        found.push(finding.help("mend the file, or leave it out with `exclude` in racewalk.toml"));
    }
}
