//! The examples in the rules' own documentation.

use crate::sandbox::Sandbox;
use racewalk_engine::{Engine, Rule};
use racewalk_project::markdown::{self, Block};
use rayon::prelude::*;

/// Checks every example in the rules' documentation: a `python bad` block must show the rule's defect, a `python good`
/// block must not. Gives what failed, readable.
pub fn documentation_failures() -> Vec<String> {
    Engine::default().rules().par_iter().flat_map_iter(|rule| rule_failures(rule)).collect()
}

fn rule_failures(rule: &Rule) -> Vec<String> {
    let documentation = rule.documentation();
    let blocks = markdown::blocks(&documentation);
    blocks
        .iter()
        .filter(|block| block.ending().is_some())
        .filter_map(|block| block_failure(rule, block).err())
        .collect()
}

fn block_failure(rule: &Rule, block: &Block<'_>) -> Result<(), String> {
    let wanted = match block.info.split_whitespace().last() {
        Some("bad") => true,
        Some("good") => false,
        _ => return Ok(()),
    };
    let place = format!("{}, line {} of its documentation", rule.name, block.fence_line);
    let shown =
        shows(rule, block.ending().unwrap_or_default(), &block.text).map_err(|error| format!("{place}: {error}"))?;
    match (wanted, shown) {
        (true, false) => Err(format!("{place}: the bad example does not show the defect\n{}", block.text)),
        (false, true) => Err(format!("{place}: the good example shows the defect\n{}", block.text)),
        _ => Ok(()),
    }
}

fn shows(rule: &Rule, ending: &str, code: &str) -> Result<bool, String> {
    let sandbox = Sandbox::new().map_err(|error| error.to_string())?;
    sandbox.write("racewalk.toml", "")?;
    sandbox.write(&format!("example.{ending}"), code)?;
    let report = sandbox.check(true)?;
    if let Some(skipped) = report.summary.skipped.first() {
        return Err(format!("the example cannot be read: line {}: {}", skipped.line, skipped.reason));
    }
    Ok(report.findings.iter().any(|finding| finding.rule == rule.name))
}
