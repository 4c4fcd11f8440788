//! Markdown for comments and summaries: a list of findings, interleavings as Mermaid sequence diagrams.

use crate::concise::place;
use crate::{Finding, Report, Step, Witness};
use std::fmt::Write;

/// The report as Markdown.
pub fn markdown(report: &Report) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    if report.findings.is_empty() {
        let _ = writeln!(out, "No findings in {} files.", report.summary.files);
        return out;
    }
    for finding in &report.findings {
        section(&mut out, finding);
    }
    for skipped in &report.summary.skipped {
        let _ = writeln!(out, "Not analysed: `{}`: {}", skipped.path, skipped.reason);
    }
    out
}

fn section(out: &mut String, finding: &Finding) {
    let severity = finding.severity.as_str();
    let _ = writeln!(out, "### {severity}: {} at `{}`\n\n{}\n", finding.rule, place(finding), finding.message);
    if let Some(witness) = &finding.witness {
        let _ = writeln!(out, "{}\n", diagram(witness));
    }
    for (number, hop) in finding.chain.iter().enumerate() {
        let _ = writeln!(out, "{}. `{}:{}` `{}` ({})", number + 1, hop.path, hop.line, hop.symbol, hop.via);
    }
    if !finding.chain.is_empty() {
        out.push('\n');
    }
    if !finding.reached_from.is_empty() {
        let _ = writeln!(out, "Reached from {}.\n", finding.reached_from.join(", "));
    }
    for note in &finding.notes {
        let _ = writeln!(out, "- {}: {}", note.kind, note.message);
    }
    if !finding.notes.is_empty() {
        out.push('\n');
    }
    if !finding.help.is_empty() {
        let _ = writeln!(out, "**Help:** {}\n", finding.help);
    }
}

/// <https://mermaid.js.org/syntax/sequenceDiagram.html>
fn diagram(witness: &Witness) -> String {
    let mut out = String::from("```mermaid\nsequenceDiagram\n");
    for task in &witness.tasks {
        let _ = writeln!(out, "    participant {task} as task {task}");
    }
    let _ = writeln!(out, "    participant S as {}", safe(&witness.object));
    for step in &witness.steps {
        let _ = writeln!(out, "    {}", told(step));
    }
    out.push_str("```");
    out
}

fn told(step: &Step) -> String {
    let value = step.value.as_ref().map_or_else(String::new, |value| format!(", {value}"));
    let text = safe(&format!("line {} {}{value}", step.line, step.does));
    if step.does.starts_with("waits") {
        format!("Note over {}: {text}", step.task)
    } else {
        format!("{}->>S: {text}", step.task)
    }
}

/// Without what ends a line or opens markup in a diagram.
fn safe(text: &str) -> String {
    text.replace(';', ",").replace('#', "").replace(['\n', '<', '>'], " ")
}
