//! `racewalk rules`.

use crate::arguments::{ListFormat, RulesArguments};
use crate::output;
use racewalk_engine::{Engine, Rule};
use serde_json::json;
use std::fmt::Write;
use std::process::ExitCode;

/// Lists the rules.
pub(crate) fn run(arguments: &RulesArguments) -> Result<ExitCode, String> {
    let engine = Engine::default();
    let text = match arguments.output_format {
        ListFormat::Full => table(engine.rules()),
        ListFormat::Markdown => markdown(engine.rules()),
        ListFormat::Json => array(engine.rules()),
    };
    output::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn table(rules: &[&Rule]) -> String {
    let width = rules.iter().map(|rule| rule.name.len()).max().unwrap_or_default();
    rules.iter().fold(String::new(), |mut out, rule| {
        // Writing to a string cannot fail.
        let _ = writeln!(out, "{:width$}  {:12} {}", rule.name, level(rule), rule.summary);
        out
    })
}

fn markdown(rules: &[&Rule]) -> String {
    let head = "| rule | severity | what it finds |\n|---|---|---|\n".to_owned();
    rules.iter().fold(head, |mut out, rule| {
        let _ = writeln!(out, "| `{}` | {} | {} |", rule.name, level(rule), rule.summary);
        out
    })
}

fn array(rules: &[&Rule]) -> String {
    let each = rules.iter().map(|rule| {
        json!({
            "name": rule.name,
            "severity": rule.severity,
            "languages": rule.languages,
            "on_by_default": rule.on_by_default,
            "summary": rule.summary,
        })
    });
    format!("{:#}\n", serde_json::Value::from_iter(each))
}

fn level(rule: &Rule) -> String {
    let severity = rule.severity.as_str();
    if rule.on_by_default { severity.to_owned() } else { format!("{severity}, off") }
}
