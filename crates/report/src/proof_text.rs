//! Proofs for people: the verdict, the failing schedule line by line with values, and what it rests on.

use crate::full::{count, wrap};
use crate::proof::{Answer, Call, Moment, Proof, Proofs, Search, Verdict};
use anstyle::{AnsiColor, Style};
use std::fmt::Write;

/// What stands before every line beneath the verdict.
const MARGIN: usize = 2;

impl Proofs {
    /// As text with colours; `width` is how wide lines may be.
    pub fn text(&self, width: usize) -> String {
        let mut out = String::new();
        for proof in &self.proofs {
            out.push_str(&shown(proof, width));
            out.push('\n');
        }
        out.push_str(&self.closing());
        out
    }

    fn closing(&self) -> String {
        let counted = Verdict::ALL.map(|verdict| (self.count(verdict), verdict.as_str()));
        let counted: Vec<String> = counted
            .into_iter()
            .filter(|(number, _)| *number > 0)
            .map(|(number, verdict)| format!("{number} {verdict}"))
            .collect();
        let told = if counted.is_empty() { "nothing here can be proved".to_owned() } else { counted.join(", ") };
        let rest = match self.unprovable {
            0 => String::new(),
            number => format!(" {} of other kinds: running the code shows nothing of these.", count(number, "finding")),
        };
        format!("{}: {told}.{rest}\n", count(self.proofs.len(), "attempt"))
    }
}

fn style(verdict: Verdict) -> Style {
    let color = match verdict {
        Verdict::Proved => AnsiColor::BrightRed,
        Verdict::NoViolation => AnsiColor::BrightGreen,
        Verdict::Inconclusive => AnsiColor::BrightYellow,
        Verdict::NotRunnable => AnsiColor::BrightBlue,
    };
    Style::new().bold().fg_color(Some(color.into()))
}

fn shown(proof: &Proof, width: usize) -> String {
    let (answer, subject) = (&proof.answer, &proof.subject);
    let style = style(answer.verdict);
    let rule = subject.rule.as_ref().map_or_else(String::new, |rule| format!("[{rule}]"));
    let mut out = format!("{style}{}{rule}{style:#}: {}\n", answer.verdict.as_str(), answer.message);
    // Writing to a string cannot fail.
    let _ = writeln!(out, " --> {}:{} {}", subject.path, subject.line, subject.symbol);
    let timeline = timeline(answer, &subject.path);
    if !timeline.is_empty() {
        let _ = writeln!(out, "  |\n{timeline}  |");
    }
    for (name, text) in remarks(proof) {
        let indent = format!("\n{}", " ".repeat(MARGIN + 4 + name.len()));
        let text = wrap(&text, width.saturating_sub(MARGIN + 4 + name.len())).replace('\n', &indent);
        let _ = writeln!(out, "  = {name}: {text}");
    }
    out
}

/// What was called, then line after line: who runs it, its text, and the values that it meets or leaves.
fn timeline(answer: &Answer, path: &str) -> String {
    let calls: Vec<String> = answer.calls.iter().map(call).collect();
    let mut out = String::new();
    // Writing to a string cannot fail.
    for call in &calls {
        let _ = writeln!(out, "  | {call}");
    }
    for moment in &answer.timeline {
        let told = match &moment.does {
            Some(does) => format!("{:4}  {does}", ""),
            None => line(moment, path),
        };
        let _ = writeln!(out, "  | {told}");
    }
    out
}

fn line(moment: &Moment, path: &str) -> String {
    let elsewhere = if path.ends_with(&moment.path) { String::new() } else { format!("{}:", moment.path) };
    let place = format!("{elsewhere}{}", moment.line);
    let code = format!("{:4}  {place:>4}  {}", moment.call, moment.source);
    moment.values().map_or_else(|| code.clone(), |values| format!("{code:50}  # {values}"))
}

fn call(call: &Call) -> String {
    let name = call.target.rsplit_once(':').map_or(call.target.as_str(), |(_, name)| name);
    let argument = |(name, value): (&String, &serde_json::Value)| match value {
        serde_json::Value::String(text) => format!("{name}={text}"),
        other => format!("{name}={other}"),
    };
    let arguments: Vec<String> = call.arguments.iter().map(argument).collect();
    format!("{:4}  {name}({})", call.call, arguments.join(", "))
}

fn remarks(proof: &Proof) -> Vec<(&'static str, String)> {
    let answer = &proof.answer;
    let mut remarks = Vec::new();
    let called = if answer.called.is_empty() { other_targets(proof) } else { answer.called.clone() };
    if !called.is_empty() {
        remarks.push(("called", some_of(&called)));
    }
    if let (Some(first), Some(replayed)) = (answer.first_failing, answer.replayed) {
        let python = answer.python.as_ref().map_or_else(String::new, |version| format!(" of Python {version}"));
        let text = format!(
            "the {} schedule that was tried; it failed {replayed} times of {replayed} on the stock event loop{python}",
            ordinal(first)
        );
        remarks.push(("found", text));
    }
    if answer.verdict == Verdict::NoViolation {
        remarks.push(("bounds", bounds(&answer.explored)));
    }
    if !answer.missing_packages.is_empty() {
        remarks.push(("stand-ins", format!("not installed: {}", answer.missing_packages.join(", "))));
    }
    if let Some(hint) = &answer.hint {
        remarks.push(("help", help(hint)));
    }
    remarks.extend(proof.besides.iter().map(|text| ("besides", text.clone())));
    for test in &answer.tests {
        remarks.push(match (&test.path, &test.problem) {
            (Some(path), _) => ("test", format!("{path}: it was run, and fails")),
            (None, problem) => {
                ("test", format!("no {} test: {}", test.variant, problem.as_deref().unwrap_or_default()))
            }
        });
    }
    if let Some(fix) = &answer.fix {
        remarks.push(("fix", format!("{}: {}", fix.verdict.replace('-', " "), fix.message)));
    }
    remarks
}

/// What was called in place of the function that the finding is in; nothing when that was.
fn other_targets(proof: &Proof) -> Vec<String> {
    let names = proof.targets.iter().map(|target| target.rsplit_once(':').map_or("", |(_, name)| name));
    let names: Vec<&str> = names.collect();
    if names == [proof.subject.symbol.as_str()] || !proof.answer.timeline.is_empty() {
        return Vec::new();
    }
    names.into_iter().map(str::to_owned).collect()
}

/// The first of these, and how many more.
fn some_of(texts: &[String]) -> String {
    const SHOWN: usize = 6;
    let more = texts.len().saturating_sub(SHOWN);
    let shown = texts[..texts.len() - more].join(", ");
    if more == 0 { shown } else { format!("{shown}, and {more} more") }
}

fn ordinal(number: usize) -> String {
    let ending = match (number % 10, number % 100) {
        (1, not) if not != 11 => "st",
        (2, not) if not != 12 => "nd",
        (3, not) if not != 13 => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
}

/// What was searched: by number of calls, whether to the end, and what disturbed them.
fn bounds(explored: &[Search]) -> String {
    let mut counts: Vec<usize> = explored.iter().map(|search| search.calls).collect();
    counts.sort_unstable();
    counts.dedup();
    let of = |calls: usize| {
        let searches = || explored.iter().filter(move |search| search.calls == calls);
        let schedules: usize = searches().map(|search| search.schedules).sum();
        let all = if searches().all(|search| search.exhaustive) { "all of them" } else { "as far as the budget went" };
        let faults = searches().map(|search| search.faults).max().unwrap_or_default();
        let cancels = searches().map(|search| search.cancels).max().unwrap_or_default();
        let disturbed = match (faults, cancels) {
            (0, 0) => String::new(),
            _ => format!(", with up to {} and {}", count(faults, "failure"), count(cancels, "cancellation")),
        };
        format!("{}, {}, {all}{disturbed}", count(calls, "call"), count(schedules, "schedule"))
    };
    counts.into_iter().map(of).collect::<Vec<_>>().join("; ")
}

/// What to say with `--hint`.
fn help(hint: &str) -> String {
    let example = match hint {
        "args" => "args.NAME=VALUE, the value of a parameter",
        "receiver" => "receiver.NAME=VALUE, what the object is made with",
        "stubs" => "stub=MODULE:NAME, what a stand-in replaces",
        "targets" => "target=MODULE:NAME, a further call that overlaps",
        "finding.cells" => "cells=PLACE, the state that must come out right",
        "budget" => return "more time: --budget SECONDS".to_owned(),
        other => return format!("--hint {other}=…"),
    };
    format!("--hint {example}")
}
