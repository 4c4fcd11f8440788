//! How many findings each rule has.

use crate::Report;
use std::collections::BTreeMap;
use std::fmt::Write;

/// Findings by rule, the most frequent first, with their rates.
pub fn statistics(report: &Report) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for finding in &report.findings {
        *counts.entry(&finding.rule).or_default() += 1;
    }
    let mut rows: Vec<(&str, usize)> = counts.into_iter().collect();
    rows.sort_by_key(|(rule, count)| (std::cmp::Reverse(*count), *rule));
    rows.push(("all", report.findings.len()));
    let width = rows.iter().map(|(rule, _)| rule.len()).max().unwrap_or_default();
    let mut out = format!(
        "{:width$}  {:>8}  {:>15}  {:>25}\n",
        "rule", "findings", "per 1,000 lines", "per 1,000 async functions"
    );
    let summary = &report.summary;
    for (rule, count) in rows {
        let (lines, functions) = (rate(count, summary.lines), rate(count, summary.async_functions));
        // Writing to a string cannot fail.
        let _ = writeln!(out, "{rule:width$}  {count:>8}  {lines:>15}  {functions:>25}");
    }
    let (files, lines, functions) = (summary.files, summary.lines, summary.functions);
    let _ = writeln!(out, "\n{files} files, {lines} lines, {functions} functions ({} async)", summary.async_functions);
    out
}

fn rate(count: usize, of: usize) -> String {
    if of == 0 { "-".to_owned() } else { format!("{:.2}", count as f64 * 1000.0 / of as f64) }
}
