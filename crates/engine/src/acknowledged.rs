//! What somebody has acknowledged to another linter already: its suppression comment, with the code of its rule for the same
//! defect, says that the place is known. Such a finding is `possible`.

use racewalk_report::SourceText;
use racewalk_rules::Finding;

/// Our rules, and the codes under which ruff and flake8's plug-ins report the same.
const CODES: &[(&str, &[&str])] = &[
    ("await/floating-task", &["RUF006"]),
    ("await/unnecessary-async", &["RUF029"]),
    (
        "loop/blocking-call",
        &["ASYNC210", "ASYNC211", "ASYNC212", "ASYNC220", "ASYNC221", "ASYNC222", "ASYNC230", "ASYNC250", "ASYNC251"],
    ),
    ("share/shared-default", &["B006", "RUF012"]),
    ("cancel/async-generator-cleanup", &["ASYNC119"]),
    ("cancel/swallowed-cancellation", &["ASYNC103"]),
    ("cancel/unshielded-cleanup", &["ASYNC102"]),
];

/// The lines of the finding's place have such a comment.
pub(crate) fn is_acknowledged(finding: &Finding, text: &SourceText) -> bool {
    let Some((_, codes)) = CODES.iter().find(|(rule, _)| *rule == finding.rule.name) else { return false };
    let span = finding.at.span;
    let (first, last) = (text.position(span.start).line, text.position(span.end).line);
    (first..=last).any(|line| {
        let line = text.line(line).to_ascii_uppercase();
        let comment = line.split_once('#').and_then(|(_, comment)| comment.split_once("NOQA:"));
        comment.is_some_and(|(_, named)| named.split([',', ' ']).any(|code| codes.contains(&code)))
    })
}
