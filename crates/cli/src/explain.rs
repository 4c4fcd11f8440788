//! `racewalk explain`.

use crate::arguments::ExplainArguments;
use crate::output;
use anstyle::Style;
use racewalk_engine::{Engine, Explanation, Rule, did_you_mean};
use std::fmt::Write;
use std::process::ExitCode;

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();

/// Explains a rule or a message.
pub(crate) fn run(arguments: &ExplainArguments) -> Result<ExitCode, String> {
    let query = arguments.query.join(" ");
    let engine = Engine::default();
    let text = match engine.explain(&query) {
        Explanation::Rules(rules) => rules.into_iter().map(page).collect::<Vec<_>>().join("\n"),
        Explanation::Causes(causes) => causes_text(&query, &causes),
        Explanation::Nothing => return Err(unknown(&engine, &query)),
    };
    output::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// The rule's own documentation, for a terminal.
fn page(rule: &Rule) -> String {
    let mut out = String::new();
    let mut in_code = false;
    for line in rule.documentation().trim().lines() {
        // Writing to a string cannot fail.
        let _ = match line.trim_start().strip_prefix("```") {
            Some(info) => {
                in_code = !in_code;
                let label = info.split_whitespace().last().filter(|word| ["bad", "good"].contains(word));
                label.map_or(Ok(()), |label| writeln!(out, "{DIM}  {label}:{DIM:#}\n"))
            }
            None if in_code => writeln!(out, "    {line}"),
            None => match line.trim_start_matches('#') {
                text if text.len() < line.len() => writeln!(out, "{BOLD}{}{BOLD:#}", text.trim_start()),
                text => writeln!(out, "{text}"),
            },
        };
    }
    out
}

fn causes_text(query: &str, causes: &[(&'static Rule, String)]) -> String {
    let mut out = format!("Rules whose defects show as \"{query}\", the likeliest first:\n\n");
    for (rule, symptom) in causes {
        // Writing to a string cannot fail.
        let _ = writeln!(out, "{BOLD}{}{BOLD:#}: {}\n    seen as: {symptom}", rule.name, rule.summary);
    }
    out.push_str("\n`racewalk explain RULE` has the whole story.\n");
    out
}

fn unknown(engine: &Engine, query: &str) -> String {
    let names = engine.rules().iter().flat_map(|rule| [rule.name, rule.short_name()]);
    let mend = if query.contains(' ') { String::new() } else { did_you_mean(query, names) };
    format!("no rule is called `{query}`, and no rule has it as a symptom{mend}")
}
