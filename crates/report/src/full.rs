//! Findings for people: source frames, the call chain in steps, remarks, why it hides, what to do.

use crate::concise::place;
use crate::frame::{Spot, frames};
use crate::lanes::lanes;
use crate::{Confidence, Finding, Hop, Note, PROVED, Report, Severity, Sources};
use annotate_snippets::{Group, Level, Renderer};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// How many other places of a cluster are named.
const NAMED_SITES: usize = 10;
/// What stands before a remark: the frame's margin, `= ` and the remark's name.
const MARGIN: usize = 20;

/// The report as text with colours; `width` is how wide lines may be. Findings of one cluster are shown once, with the
/// places of the others, and why a defect hides is told once.
pub fn full(report: &Report, sources: &Sources, width: usize) -> String {
    let renderer = Renderer::styled().term_width(width);
    let mut out = String::new();
    let mut told = BTreeSet::new();
    for (first, others) in clusters(&report.findings) {
        let is_news = told.insert(&first.why_it_hides);
        let view = View { finding: first, others: &others, width, is_news };
        out.push_str(&renderer.render(&[view.group(sources)]));
        out.push_str("\n\n");
    }
    out.push_str(&closing(report));
    out
}

/// The first finding of each cluster with the others of it, in the report's order.
fn clusters(findings: &[Finding]) -> Vec<(&Finding, Vec<&Finding>)> {
    let mut clusters: Vec<(&Finding, Vec<&Finding>)> = Vec::new();
    let mut known: BTreeMap<&str, usize> = BTreeMap::new();
    for finding in findings {
        match known.get(finding.cluster.as_str()) {
            Some(index) => clusters[*index].1.push(finding),
            None => {
                if !finding.cluster.is_empty() {
                    known.insert(&finding.cluster, clusters.len());
                }
                clusters.push((finding, Vec::new()));
            }
        }
    }
    clusters
}

fn closing(report: &Report) -> String {
    let files = count(report.summary.files, "file");
    if report.findings.is_empty() {
        return format!("No findings in {files}.\n");
    }
    let of = |severity| report.findings.iter().filter(|finding| finding.severity == severity).count();
    let kinds = [(Severity::Error, "error"), (Severity::Warning, "warning"), (Severity::Hint, "hint")];
    let kinds = kinds.map(|(severity, name)| (of(severity), name)).into_iter().filter(|(number, _)| *number > 0);
    let kinds = kinds.map(|(number, name)| count(number, name)).collect::<Vec<_>>().join(", ");
    format!("{} in {files}: {kinds}.\n", count(report.findings.len(), "finding"))
}

/// A number of things.
pub(crate) fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

struct View<'a> {
    finding: &'a Finding,
    others: &'a [&'a Finding],
    width: usize,
    /// Why it hides has not been told yet.
    is_news: bool,
}

impl<'a> View<'a> {
    fn group(&self, sources: &Sources) -> Group<'a> {
        let finding = self.finding;
        let title = if finding.confidence == Confidence::Possible {
            format!("{} (possible)", finding.message)
        } else {
            finding.message.clone()
        };
        let level = match finding.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
            Severity::Hint => Level::INFO.with_name("hint"),
        };
        let group = level.primary_title(title).id(finding.rule.as_str()).elements(frames(&self.spots(), sources));
        group.elements(self.remarks().into_iter().map(|(level, text)| level.message(text)))
    }

    fn spots(&self) -> Vec<Spot<'a>> {
        let Finding { path, cell, range, .. } = self.finding;
        let primary = Spot { path, cell: *cell, range: *range, label: "", is_primary: true };
        let related = self.finding.related.iter().map(|related| Spot {
            path: &related.path,
            cell: related.cell,
            range: related.range,
            label: &related.message,
            is_primary: false,
        });
        std::iter::once(primary).chain(related).collect()
    }

    /// What stands under the frames, in the order in which one reads it.
    fn remarks(&self) -> Vec<(Level<'a>, String)> {
        let finding = self.finding;
        let mut remarks = Vec::new();
        if !finding.chain.is_empty() {
            remarks.push((Level::NOTE.with_name("chain"), self.chain()));
        }
        if let Some(witness) = &finding.witness {
            let title = Level::NOTE.with_name("interleaving");
            remarks.push((title, lanes(witness, self.width.saturating_sub(MARGIN))));
        }
        if !finding.reached_from.is_empty() {
            remarks.push((Level::NOTE.with_name("reached from"), self.wrap(&finding.reached_from.join(", "))));
        }
        let named = |kind: &str| match kind {
            "why-safe" => Level::NOTE.with_name("safe then"),
            "rejected" => Level::NOTE.with_name("not enough"),
            PROVED => Level::NOTE.with_name("proved"),
            _ => Level::NOTE,
        };
        let after_help = |kind: &str| matches!(kind, "why-safe" | "rejected");
        let (after, before): (Vec<&Note>, Vec<&Note>) = finding.notes.iter().partition(|note| after_help(&note.kind));
        let told = |note: &Note| (named(&note.kind), self.wrap(&note.message));
        remarks.extend(before.into_iter().map(told));
        if self.is_news && !finding.why_it_hides.is_empty() {
            remarks.push((Level::NOTE.with_name("why it hides"), self.wrap(&finding.why_it_hides)));
        }
        if !finding.help.is_empty() {
            remarks.push((Level::HELP, self.wrap(&finding.help)));
        }
        remarks.extend(after.into_iter().map(told));
        if !self.others.is_empty() {
            remarks.push((Level::NOTE.no_name(), self.sites()));
        }
        remarks
    }

    fn chain(&self) -> String {
        let steps = self.finding.chain.iter().enumerate();
        let step = |(index, hop): (usize, &Hop)| {
            format!("{}. {}:{} {}  {}", index + 1, hop.path, hop.line, hop.symbol, hop.via)
        };
        steps.map(step).collect::<Vec<_>>().join("\n")
    }

    fn sites(&self) -> String {
        let mut out = format!("and {}:", count(self.others.len(), "more site"));
        for other in self.others.iter().take(NAMED_SITES) {
            let _ = write!(out, "\n{}", place(other));
        }
        if self.others.len() > NAMED_SITES {
            let _ = write!(out, "\n… and {} more", self.others.len() - NAMED_SITES);
        }
        out
    }

    fn wrap(&self, text: &str) -> String {
        wrap(text, self.width.saturating_sub(MARGIN))
    }
}

/// Breaks lines between words; a line break in the text stays one.
pub(crate) fn wrap(text: &str, width: usize) -> String {
    text.lines().map(|line| wrap_line(line, width)).collect::<Vec<_>>().join("\n")
}

fn wrap_line(line: &str, width: usize) -> String {
    let mut out = String::new();
    let mut column = 0;
    for word in line.split_whitespace() {
        let length = word.chars().count();
        if column > 0 && column + 1 + length > width {
            out.push('\n');
            column = 0;
        } else if column > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += length;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{full, wrap};
    use crate::{
        Confidence, Finding, Hop, Note, Position, Range, Related, Report, Severity, Shown, SourceText, Sources, Summary,
    };

    fn range(line: u32, start: u32, end: u32) -> Range {
        Range { start: Position { line, column: start }, end: Position { line, column: end } }
    }

    fn finding(line: u32) -> Finding {
        Finding {
            rule: "loop/blocking-call".to_owned(),
            severity: Severity::Error,
            confidence: Confidence::Certain,
            path: "app/api.py".to_owned(),
            range: range(line, 5, 12),
            cell: None,
            symbol: "endpoint".to_owned(),
            fingerprint: String::new(),
            cluster: "loop/blocking-call:fetch".to_owned(),
            reached_from: vec!["GET /orders".to_owned()],
            message: "`fetch` blocks the event loop".to_owned(),
            why_it_hides: "A test has one request at a time.".to_owned(),
            help: "call it in a thread: `await asyncio.to_thread(fetch)`".to_owned(),
            notes: vec![Note { kind: "sibling".to_owned(), message: "line 9 does it right".to_owned() }],
            related: vec![Related {
                path: "app/store.py".to_owned(),
                range: range(1, 1, 4),
                cell: None,
                message: "it sleeps here".to_owned(),
            }],
            chain: vec![Hop {
                symbol: "endpoint".to_owned(),
                path: "app/api.py".to_owned(),
                line,
                via: "starts".to_owned(),
            }],
            witness: None,
            fixes: Vec::new(),
        }
    }

    fn sources() -> Sources {
        let shown = |text: &str| Shown { text: SourceText::new(text.to_owned()), cells: Vec::new() };
        let mut sources = Sources::default();
        sources.insert("app/api.py".to_owned(), shown("async def endpoint():\n    fetch()\n"));
        sources.insert("app/store.py".to_owned(), shown("time.sleep(1)\n"));
        sources
    }

    #[test]
    fn a_cluster_is_shown_once_with_everything_that_is_known() {
        let summary = Summary { files: 2, findings: 2, ..Summary::default() };
        let findings = vec![finding(2), finding(7)];
        let report = Report { version: 1, tool: "racewalk".to_owned(), summary, findings };
        let text = full(&report, &sources(), 100);
        let plain = anstream::adapter::strip_str(&text).to_string();
        let expected = "\
error[loop/blocking-call]: `fetch` blocks the event loop
 --> app/api.py:2:5
  |
2 |     fetch()
  |     ^^^^^^^
  |
 ::: app/store.py:1:1
  |
1 | time.sleep(1)
  | --- it sleeps here
  |
  = chain: 1. app/api.py:2 endpoint  starts
  = reached from: GET /orders
  = note: line 9 does it right
  = why it hides: A test has one request at a time.
  = help: call it in a thread: `await asyncio.to_thread(fetch)`
  = and 1 more site:
    app/api.py:7:5

2 findings in 2 files: 2 errors.
";
        assert_eq!(plain, expected);
    }

    #[test]
    fn no_place_makes_it_fail() {
        let mut odd = finding(99);
        odd.related[0].range = range(1, 400, 3);
        odd.range.end = Position { line: 5000, column: 1 };
        let report = Report { version: 1, tool: String::new(), summary: Summary::default(), findings: vec![odd] };
        assert!(full(&report, &sources(), 60).contains("app/api.py:99:5"));
    }

    #[test]
    fn long_texts_break_between_words() {
        assert_eq!(wrap("one two three\nfour", 8), "one two\nthree\nfour");
    }
}
