//! One line a finding.

use crate::{Finding, Report};
use std::fmt::Write;

/// `path:line:column: severity[rule] message`, a line a finding.
pub fn concise(report: &Report) -> String {
    report.findings.iter().fold(String::new(), |mut out, finding| {
        // Writing to a string cannot fail.
        let (severity, message) = (finding.severity.as_str(), finding.marked_message());
        let _ = writeln!(out, "{}: {severity}[{}] {message}", place(finding), finding.rule);
        out
    })
}

/// Where a finding starts, as terminals and editors take it apart.
pub(crate) fn place(finding: &Finding) -> String {
    let at = finding.range.start;
    let cell = finding.cell.map_or_else(String::new, |cell| format!("cell {cell}:"));
    format!("{}:{cell}{}:{}", finding.path, at.line, at.column)
}
