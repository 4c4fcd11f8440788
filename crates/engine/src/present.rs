//! From what the rules found to the report: suppressions, severities, lines and columns, fingerprints, order.

use crate::fingerprint::fingerprint;
use crate::lower::{self, Part, Unit};
use crate::selection::Selection;
use crate::suppress::{self, Judge};
use crate::{Options, Outcome};
use racewalk_ir::{FunctionKind, Module, Span, SyntaxProblem};
use racewalk_link::{FileId, Program};
use racewalk_project::{Disk, Project, SourceFile, Vocabulary};
use racewalk_report::{
    Confidence, Finding, Hop, Note, Position, Range, Related, Report, Shown, Skipped, SourceText, Sources, Step,
    Summary, Witness,
};
use racewalk_rules::{Finding as Raw, Place};
use rayon::prelude::*;
use rustc_hash::{FxHashMap, FxHashSet};

/// Everything around the program that a report needs.
pub(crate) struct Check<'a> {
    pub(crate) disk: &'a Disk,
    pub(crate) project: &'a Project,
    pub(crate) selection: &'a Selection<'a>,
    pub(crate) vocabulary: &'a Vocabulary,
    pub(crate) options: &'a Options,
}

/// A finding on its way into the report, with what its fingerprint is made of.
struct Draft<'a> {
    finding: Finding,
    rooted: &'a str,
    shape: String,
}

impl Check<'_> {
    /// The file of a module; of one that is made of several, the first that is reported on.
    pub(crate) fn file(&self, unit: &Unit) -> &SourceFile {
        &self.project.files[unit.file]
    }

    /// The file that a place of a module stands in.
    fn file_at(&self, unit: &Unit, span: Span) -> &SourceFile {
        &self.project.files[unit.file_at(span.start)]
    }

    /// The report on a program in which the rules have found this.
    pub(crate) fn outcome(&self, program: &Program, units: &[Unit], found: Vec<Raw>, unread: &[Skipped]) -> Outcome {
        let found = self.wanted(program, units, found);
        let texts = self.texts(units, &self.needed(program, &found));
        let view = View { check: self, program, units, texts: &texts };
        let found = self.suppressed(&view, found);
        let findings = view.findings(found);
        let summary = self.summary(&view, findings.len(), unread);
        let tool = format!("racewalk {}", env!("CARGO_PKG_VERSION"));
        Outcome {
            report: Report { version: 1, tool, summary, findings },
            sources: self.sources(units, texts),
            fail_on: self.project.config.fail_on,
            costs: None,
        }
    }

    fn wanted(&self, program: &Program, units: &[Unit], mut found: Vec<Raw>) -> Vec<Raw> {
        found.retain(|raw| {
            let unit = raw.at.file.0 as usize;
            let file = self.file_at(&units[unit], raw.at.span);
            program.reported[unit] && file.reported && self.selection.wants(raw.rule, &file.path)
        });
        found
    }

    /// A finding that is merely possible is for those who ask for it.
    fn shows(&self, raw: &Raw) -> bool {
        self.options.strict || raw.confidence > Confidence::Possible
    }

    /// The modules whose text must be read: those with suppressions or problems, and all that shown findings name.
    fn needed(&self, program: &Program, found: &[Raw]) -> FxHashSet<u32> {
        let shown = found.iter().filter(|raw| self.shows(raw));
        let mut needed: FxHashSet<u32> = shown.flat_map(Raw::places).map(|place| place.file.0).collect();
        let modules = program.modules().iter().zip(&program.reported).enumerate();
        let read = |module: &Module| suppress::has_suppressions(module) || !module.problems.is_empty();
        needed.extend(modules.filter(|(_, (m, reported))| **reported && read(m)).map(|(index, _)| index as u32));
        needed
    }

    /// The texts of these modules.
    fn texts(&self, units: &[Unit], needed: &FxHashSet<u32>) -> FxHashMap<u32, SourceText> {
        let read = |index: &u32| {
            let unit = &units[*index as usize];
            (*index, lower::text(self.disk, &self.project.files, unit))
        };
        needed.par_iter().map(read).collect()
    }

    fn suppressed(&self, view: &View<'_>, found: Vec<Raw>) -> Vec<Raw> {
        let mut by_file: FxHashMap<FileId, Vec<Raw>> = FxHashMap::default();
        for raw in found {
            by_file.entry(raw.at.file).or_default().push(raw);
        }
        let mut kept = Vec::new();
        for (index, module) in view.program.modules().iter().enumerate() {
            let file = FileId(index as u32);
            let mut findings = by_file.remove(&file).unwrap_or_default();
            if view.program.reported[index] && suppress::has_suppressions(module) {
                let path = &self.file(&view.units[index]).path;
                let judge = Judge { selection: self.selection, vocabulary: self.vocabulary, path };
                suppress::apply(&judge, file, module, &view.texts[&file.0], &mut findings);
            }
            kept.append(&mut findings);
        }
        kept.retain(|raw| self.shows(raw));
        kept
    }

    fn summary(&self, view: &View<'_>, findings: usize, unread: &[Skipped]) -> Summary {
        let mut summary = Summary { findings, ..Summary::default() };
        summary.skipped = self.project.skipped.iter().chain(unread).cloned().collect();
        let mut last_file = None;
        let modules = view.units.iter().zip(view.program.modules()).enumerate();
        for (index, (unit, module)) in modules.filter(|(_, (unit, _))| self.file(unit).reported) {
            summary.files += match &unit.part {
                Part::Files(pieces) => pieces.iter().filter(|piece| self.project.files[piece.file].reported).count(),
                _ => usize::from(last_file.replace(unit.file) != Some(unit.file)),
            };
            summary.lines += unit.lines;
            let functions = module.functions.iter().filter(|function| function.kind == FunctionKind::Function);
            summary.functions += functions.clone().count();
            summary.async_functions += functions.filter(|function| function.is_async).count();
            let text = view.texts.get(&(index as u32));
            summary.skipped.extend(text.into_iter().flat_map(|text| self.syntax_problems(unit, module, text)));
        }
        summary.skipped.sort_by(|a, b| (&a.path, a.line, &a.reason).cmp(&(&b.path, b.line, &b.reason)));
        summary
    }

    /// The first problem of each file that a module is made of.
    fn syntax_problems(&self, unit: &Unit, module: &Module, text: &SourceText) -> Vec<Skipped> {
        let mut last_file = None;
        let first = module.problems.iter().filter(|problem| {
            let file = unit.file_at(problem.span.start);
            self.project.files[file].reported && last_file.replace(file) != Some(file)
        });
        let outcome = if module.exprs.is_empty() { "nothing of it was analysed" } else { "the rest was analysed" };
        let skipped = |problem: &SyntaxProblem| {
            let (line, cell) = unit.part.line(text.position(problem.span.start).line);
            let cell = cell.map_or_else(String::new, |cell| format!("cell {cell}: "));
            let reason = format!("{cell}{}; {outcome}", problem.message);
            Skipped { path: self.file_at(unit, problem.span).shown.clone(), line, reason }
        };
        first.map(skipped).collect()
    }

    fn sources(&self, units: &[Unit], texts: FxHashMap<u32, SourceText>) -> Sources {
        let mut sources = Sources::default();
        for (index, text) in texts {
            let unit = &units[index as usize];
            let file = self.file(unit);
            let (text, cells) = match &unit.part {
                Part::Files(pieces) => {
                    for piece in pieces {
                        let file = &self.project.files[piece.file];
                        let text = SourceText::new(self.disk.read_text(&file.path).unwrap_or_default());
                        sources.insert(file.shown.clone(), Shown { text, cells: Vec::new() });
                    }
                    continue;
                }
                Part::Whole => (text, Vec::new()),
                Part::Cells(cells) => (text, cells.clone()),
                Part::Block { .. } => {
                    (SourceText::new(self.disk.read_text(&file.path).unwrap_or_default()), Vec::new())
                }
            };
            sources.insert(file.shown.clone(), Shown { text, cells });
        }
        sources
    }
}

impl Part {
    /// A line of the module as a line of the file, with the cell that it counts in.
    pub(crate) fn line(&self, line: u32) -> (u32, Option<u32>) {
        match self {
            Self::Whole => (line, None),
            Self::Files(pieces) => {
                let after = pieces.partition_point(|piece| piece.first_line <= line);
                (pieces[..after].last().map_or(line, |piece| line - piece.first_line + 1), None)
            }
            Self::Block { fence_line, .. } => (line + fence_line, None),
            Self::Cells(cells) => {
                let at = cells.partition_point(|(start, _)| *start <= line);
                let cell = at.checked_sub(1).map(|at| cells[at]);
                cell.map_or((line, None), |(start, number)| (line - start + 1, Some(number)))
            }
        }
    }

    /// A place in the module as a place in the file.
    pub(crate) fn position(&self, at: Position) -> Position {
        let indent = if let Self::Block { indent, .. } = self { *indent } else { 0 };
        Position { line: self.line(at.line).0, column: at.column + indent }
    }
}

/// The program as the report shows it: files by path, places by line and column.
struct View<'a> {
    check: &'a Check<'a>,
    program: &'a Program,
    units: &'a [Unit],
    texts: &'a FxHashMap<u32, SourceText>,
}

impl<'a> View<'a> {
    fn file(&self, at: Place) -> &'a SourceFile {
        self.check.file_at(&self.units[at.file.0 as usize], at.span)
    }

    fn range(&self, place: Place) -> (Range, Option<u32>) {
        let part = &self.units[place.file.0 as usize].part;
        let Span { start, end } = place.span;
        let range = self.texts[&place.file.0].range(start, end);
        let cell = part.line(range.start.line).1;
        (Range { start: part.position(range.start), end: part.position(range.end) }, cell)
    }

    fn findings(&self, found: Vec<Raw>) -> Vec<Finding> {
        let rules: FxHashMap<_, _> = found.iter().map(|raw| (raw.rule.name, raw.rule)).collect();
        let hides: FxHashMap<_, _> = rules.into_iter().map(|(name, rule)| (name, why_it_hides(rule))).collect();
        let hides = |rule: &racewalk_rules::Rule| hides[rule.name].clone();
        let mut drafts: Vec<Draft<'a>> = found.into_par_iter().map(|raw| self.draft(raw, &hides)).collect();
        // What is merely possible is numbered last: a finding has one fingerprint, with and without `--strict`.
        let last = |draft: &Draft<'a>| draft.finding.confidence == Confidence::Possible;
        drafts.sort_by(|a, b| (last(a), order(&a.finding)).cmp(&(last(b), order(&b.finding))));
        let mut ordinals: FxHashMap<[String; 4], usize> = FxHashMap::default();
        let mut finish = |draft: Draft<'a>| {
            let mut finding = draft.finding;
            let key = [draft.rooted.to_owned(), finding.symbol.clone(), finding.rule.clone(), draft.shape];
            let ordinal = ordinals.entry(key.clone()).or_default();
            finding.fingerprint = fingerprint(&key.each_ref().map(String::as_str), *ordinal);
            *ordinal += 1;
            finding
        };
        let mut findings: Vec<Finding> = drafts.into_iter().map(&mut finish).collect();
        findings.sort_by(|a, b| order(a).cmp(&order(b)));
        findings
    }

    fn draft(&self, raw: Raw, hides: &impl Fn(&racewalk_rules::Rule) -> String) -> Draft<'a> {
        let (range, cell) = self.range(raw.at);
        let file = self.file(raw.at);
        let finding = Finding {
            rule: raw.rule.name.to_owned(),
            severity: self.check.selection.severity(raw.rule).unwrap_or(raw.severity),
            confidence: raw.confidence,
            path: file.shown.clone(),
            range,
            cell,
            symbol: raw.symbol,
            fingerprint: String::new(),
            cluster: cluster(raw.rule.name, if raw.cluster.is_empty() { &raw.shape } else { &raw.cluster }),
            reached_from: raw.reached_from,
            message: raw.message,
            why_it_hides: if raw.why_it_hides.is_empty() { hides(raw.rule) } else { raw.why_it_hides },
            help: raw.help,
            notes: raw.notes.into_iter().map(|(kind, message)| Note { kind: kind.to_owned(), message }).collect(),
            related: raw.related.into_iter().map(|(place, message)| self.related(place, message)).collect(),
            chain: raw.chain.into_iter().map(|hop| self.hop(hop)).collect(),
            witness: raw.witness.map(|witness| self.witness(witness)),
            fixes: Vec::new(),
        };
        Draft { finding, rooted: &file.rooted, shape: raw.shape }
    }

    fn related(&self, place: Place, message: String) -> Related {
        let (range, cell) = self.range(place);
        Related { path: self.file(place).shown.clone(), range, cell, message }
    }

    fn hop(&self, hop: racewalk_rules::Hop) -> Hop {
        Hop {
            symbol: hop.symbol,
            path: self.file(hop.at).shown.clone(),
            line: self.line(hop.at),
            via: hop.via.to_owned(),
        }
    }

    /// The line on which a place begins.
    fn line(&self, at: Place) -> u32 {
        let line = self.texts[&at.file.0].position(at.span.start).line;
        self.units[at.file.0 as usize].part.line(line).0
    }

    fn witness(&self, witness: racewalk_rules::Witness) -> Witness {
        let tasks: Vec<String> = witness.tasks.iter().map(|task| (*task).to_owned()).collect();
        let step = |step: racewalk_rules::Step| Step {
            task: tasks[step.task].clone(),
            path: self.file(step.at).shown.clone(),
            line: self.line(step.at),
            symbol: step.symbol,
            does: step.does,
            value: step.value,
        };
        let steps = witness.steps.into_iter().map(step).collect();
        Witness { tasks, object: witness.object, steps }
    }
}

/// Findings of one rule and shape are one cluster; those without a shape stand alone.
fn cluster(rule: &str, shape: &str) -> String {
    if shape.is_empty() { String::new() } else { format!("{rule}:{shape}") }
}

/// The first paragraph of what the rule's documentation says about it.
fn why_it_hides(rule: &racewalk_rules::Rule) -> String {
    let section = rule.section("Why tests pass all the same").unwrap_or_default();
    section.lines().take_while(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

fn order(finding: &Finding) -> impl Ord + '_ {
    (&finding.path, finding.cell, finding.range, &finding.rule, &finding.message)
}
