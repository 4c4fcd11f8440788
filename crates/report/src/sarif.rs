//! SARIF 2.1.0, for code scanning services: <https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html>.

use crate::{Finding, Hop, Range, Related, Report, Severity, Step, Witness};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The report as one SARIF log. A chain becomes a code flow; an interleaving one with a thread flow for each task, the order of
/// the steps kept in `executionOrder`. The fingerprint survives line drift.
pub fn sarif(report: &Report) -> String {
    let (name, version) = report.tool.split_once(' ').unwrap_or((&report.tool, ""));
    let rules: BTreeSet<&str> = report.findings.iter().map(|finding| finding.rule.as_str()).collect();
    let rules: Vec<&str> = rules.into_iter().collect();
    let results: Vec<Value> = report.findings.iter().map(|finding| result(finding, &rules)).collect();
    let skipped: Vec<Value> = report.summary.skipped.iter().map(notification).collect();
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": name,
                "version": version,
                "rules": rules.iter().map(|rule| json!({"id": rule})).collect::<Vec<_>>(),
            }},
            "columnKind": "unicodeCodePoints",
            "invocations": [{"executionSuccessful": true, "toolExecutionNotifications": skipped}],
            "results": results,
        }],
    });
    let mut text = serde_json::to_string_pretty(&log).unwrap_or_else(|error| format!("{{\"error\": \"{error}\"}}"));
    text.push('\n');
    text
}

fn result(finding: &Finding, rules: &[&str]) -> Value {
    let mut result = json!({
        "ruleId": finding.rule,
        "ruleIndex": rules.binary_search(&finding.rule.as_str()).unwrap_or_default(),
        "level": level(finding.severity),
        "message": {"text": message(finding)},
        "locations": [location(&finding.path, finding.range)],
        "partialFingerprints": {"racewalk/v1": finding.fingerprint},
        "properties": {"confidence": finding.confidence, "symbol": finding.symbol, "cluster": finding.cluster},
    });
    if finding.is_proved() {
        result["properties"]["proved"] = json!(true);
    }
    if !finding.related.is_empty() {
        result["relatedLocations"] = finding.related.iter().map(related).collect();
    }
    let flow = match &finding.witness {
        Some(witness) => Some(interleaving(witness)),
        None => (!finding.chain.is_empty()).then(|| chain(&finding.chain)),
    };
    if let Some(flow) = flow {
        result["codeFlows"] = json!([flow]);
    }
    result
}

const fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Hint => "note",
    }
}

/// What happens and what to do: viewers show one text.
fn message(finding: &Finding) -> String {
    if finding.help.is_empty() {
        finding.marked_message()
    } else {
        format!("{}. Help: {}", finding.marked_message(), finding.help)
    }
}

fn location(path: &str, range: Range) -> Value {
    json!({"physicalLocation": {
        "artifactLocation": {"uri": uri(path)},
        "region": {
            "startLine": range.start.line, "startColumn": range.start.column,
            "endLine": range.end.line, "endColumn": range.end.column,
        },
    }})
}

fn line(path: &str, line: u32) -> Value {
    json!({"physicalLocation": {"artifactLocation": {"uri": uri(path)}, "region": {"startLine": line}}})
}

/// A relative reference: what would end it or be decoded is written as its code.
fn uri(path: &str) -> String {
    path.replace('%', "%25").replace(' ', "%20").replace('#', "%23").replace('?', "%3F").replace('\\', "/")
}

fn related(related: &Related) -> Value {
    let mut place = location(&related.path, related.range);
    place["message"] = json!({"text": related.message});
    place
}

fn chain(chain: &[Hop]) -> Value {
    let step = |hop: &Hop| {
        let mut place = line(&hop.path, hop.line);
        place["message"] = json!({"text": format!("{} {}", hop.via, hop.symbol)});
        json!({"location": place})
    };
    json!({"threadFlows": [{"locations": chain.iter().map(step).collect::<Vec<_>>()}]})
}

fn interleaving(witness: &Witness) -> Value {
    let step = |(order, step): (usize, &Step)| {
        let mut place = line(&step.path, step.line);
        let value = step.value.as_ref().map_or_else(String::new, |value| format!(": {value}"));
        place["message"] = json!({"text": format!("{}{value}", step.does)});
        json!({"location": place, "executionOrder": order + 1})
    };
    let lane = |task: &String| {
        let own = witness.steps.iter().enumerate().filter(|(_, step)| step.task == *task);
        json!({"id": task, "locations": own.map(step).collect::<Vec<_>>()})
    };
    json!({
        "message": {"text": format!("an interleaving over {}", witness.object)},
        "threadFlows": witness.tasks.iter().map(lane).collect::<Vec<_>>(),
    })
}

fn notification(skipped: &crate::Skipped) -> Value {
    json!({
        "level": "warning",
        "message": {"text": skipped.reason},
        "locations": [line(&skipped.path, skipped.line.max(1))],
    })
}
