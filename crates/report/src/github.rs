//! Workflow commands of GitHub Actions, which annotate the lines of a change.

use crate::{Finding, Report, Severity};
use std::fmt::Write;

/// One `::error` / `::warning` / `::notice` command a finding.
pub fn github(report: &Report) -> String {
    report.findings.iter().fold(String::new(), |mut out, finding| {
        // Writing to a string cannot fail.
        let _ = writeln!(out, "{}", command(finding));
        out
    })
}

fn command(finding: &Finding) -> String {
    let level = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Hint => "notice",
    };
    let (start, end) = (finding.range.start, finding.range.end);
    // Columns are only taken for one line.
    let columns =
        if start.line == end.line { format!(",col={},endColumn={}", start.column, end.column) } else { String::new() };
    let help = if finding.help.is_empty() { String::new() } else { format!("\nHelp: {}", finding.help) };
    format!(
        "::{level} file={},line={},endLine={}{columns},title={}::{}",
        property(&finding.path),
        start.line,
        end.line,
        property(&finding.rule),
        data(&format!("{}{help}", finding.marked_message())),
    )
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
