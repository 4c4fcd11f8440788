//! The inventory of a program, or of what is asked for by name.

use crate::lower::{self, Unit};
use crate::present::Check;
use crate::report::SourceText;
use crate::report::inventory::{Answered, Examined, Facts, FileFigures, Inventory, Known, Location};
use crate::selection::Selection;
use crate::{BaselineFile, Engine, Linked, Options, Outcome, Stage};
use racewalk_ir::{FunctionId, FunctionKind};
use racewalk_link::{ClassRef, FileId, FunctionRef, Program};
use racewalk_project::{Disk, Failure, Project, did_you_mean, paths};
use racewalk_rules::{Ground, Place, Wanted};
use rustc_hash::FxHashSet;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::OnceLock;

impl Engine {
    /// What the code that `options` names shares, waits for, starts, locks and calls. A path that does not exist and that looks
    /// like a name is one: of a function, a class or a module. With names, only what they stand for is listed, and the five
    /// questions are answered for functions. Calls are listed when names are given or `calls` says so.
    ///
    /// # Errors
    /// As [`Engine::check`], and when a name stands for nothing.
    pub fn inventory(&self, options: &Options, calls: bool) -> Result<Inventory, Failure> {
        let disk = Disk::default();
        let (paths, names) = split(&disk, options);
        let options = Options { paths, baseline: BaselineFile::Ignored, ..options.clone() };
        self.in_pool(|| {
            let (vocabulary, mut project) = self.discovered(&disk, &options)?;
            let linked = self.linked(&disk, &options, &mut project)?;
            let lookup = Lookup::new(&linked.program);
            let found = lookup.targets(&names)?;
            let wanted = wanted(&linked.program, &found, names.is_empty(), calls || !names.is_empty());
            let selection = Selection::new(self.rules(), &options, &project.config);
            let rules = selection.to_run();
            self.enter(Stage::Gathering);
            let ground = Ground::new(&linked.program, None);
            self.enter(Stage::Judging(rules.len()));
            let found_by_rules = ground.judge(&rules);
            let (facts, figures) = ground.take_stock(&wanted);
            self.enter(Stage::Reporting);
            let check = Check {
                disk: &disk,
                project: &project,
                selection: &selection,
                vocabulary: &vocabulary,
                options: &options,
            };
            let outcome = check.outcome(&linked.program, &linked.units, found_by_rules, &linked.skipped);
            let places = Places { disk: &disk, project: &project, linked: &linked, texts: texts(&linked) };
            let mut facts = facts.located(&|place| places.location(place));
            facts.sort();
            add_findings(&mut facts, &outcome);
            let is_asked_for = |symbol: &str| found.iter().any(|target| lookup.is_called(*target, symbol));
            facts.functions.retain(|function| is_worth_showing(function) || is_asked_for(&function.symbol));
            let Outcome { report, .. } = outcome;
            Ok(Inventory {
                version: 1,
                tool: report.tool,
                symbols: found.iter().map(|target| lookup.full_name(*target)).collect(),
                summary: report.summary,
                files: places.figures(&wanted, figures),
                facts,
            })
        })
    }
}

/// The paths among what was asked for, and the names. Names alone are looked for in the whole project.
fn split(disk: &Disk, options: &Options) -> (Vec<PathBuf>, Vec<String>) {
    let is_name = |path: &&PathBuf| {
        let text = path.to_string_lossy();
        let is_dotted = text.split('.').all(is_identifier);
        is_dotted && !disk.exists(&paths::absolute(path, &options.working_directory))
    };
    let (names, mut paths): (Vec<&PathBuf>, Vec<&PathBuf>) = options.paths.iter().partition(is_name);
    let here = PathBuf::from(".");
    if paths.is_empty() {
        paths.push(&here);
    }
    let names = names.into_iter().map(|name| name.to_string_lossy().into_owned()).collect();
    (paths.into_iter().cloned().collect(), names)
}

fn is_identifier(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(|first: char| first.is_ascii_digit())
        && text.chars().all(|letter| letter.is_alphanumeric() || letter == '_')
}

/// What a name stands for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Target {
    Module(FileId),
    Class(ClassRef),
    Function(FunctionRef),
}

/// The modules, classes and functions of the files that are reported on, by their full names.
struct Lookup<'p> {
    program: &'p Program,
    names: Vec<(String, Target)>,
}

impl<'p> Lookup<'p> {
    fn new(program: &'p Program) -> Self {
        let mut names = Vec::new();
        for file in program.files().filter(|file| program.reported[file.index()]) {
            let module = program.module(file);
            names.push((module.name.to_string(), Target::Module(file)));
            for id in (0..module.functions.len() as u32).map(FunctionId) {
                let body = module.function(id);
                let target = match (body.kind, body.class) {
                    (FunctionKind::Function, _) => Target::Function(FunctionRef { file, id }),
                    (FunctionKind::ClassBody, Some(id)) => Target::Class(ClassRef { file, id }),
                    _ => continue,
                };
                names.push((format!("{}.{}", module.name, plain(&module.qualified(id))), target));
            }
        }
        Self { program, names }
    }

    /// What these names stand for, in the order of the files: every function of that name, when there are several.
    fn targets(&self, names: &[String]) -> Result<Vec<Target>, Failure> {
        let mut found = Vec::new();
        for name in names {
            let mut of_name: Vec<Target> = self.ending_with(name).collect();
            if of_name.is_empty() {
                return Err(Failure(self.nothing_called(name)));
            }
            found.append(&mut of_name);
        }
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }

    /// The full name is the name, or ends with it.
    fn ending_with<'n>(&'n self, name: &'n str) -> impl Iterator<Item = Target> + 'n {
        let is_it =
            move |full: &str| full.strip_suffix(name).is_some_and(|before| before.is_empty() || before.ends_with('.'));
        self.names.iter().filter(move |(full, _)| is_it(full)).map(|(_, target)| *target)
    }

    /// The message for a name that stands for nothing, with the nearest that stands for something.
    fn nothing_called(&self, name: &str) -> String {
        let parts = name.split('.').count();
        let ends: FxHashSet<&str> = self.names.iter().map(|(full, _)| last_parts(full, parts)).collect();
        let mut ends: Vec<&str> = ends.into_iter().collect();
        ends.sort_unstable();
        let hint = did_you_mean(name, ends.iter().copied());
        let last = name.rsplit('.').next().unwrap_or(name);
        let mut elsewhere: Vec<&str> =
            self.names.iter().map(|(full, _)| full.as_str()).filter(|full| last_parts(full, 1) == last).collect();
        elsewhere.truncate(3);
        let also =
            if elsewhere.is_empty() { String::new() } else { format!("; there is `{}`", elsewhere.join("`, `")) };
        format!("`{name}` is neither a path nor a function, class or module here{hint}{also}")
    }

    /// The target is a function of this name.
    fn is_called(&self, target: Target, symbol: &str) -> bool {
        matches!(target, Target::Function(_)) && {
            let full = self.full_name(target);
            full.strip_suffix(symbol).is_some_and(|before| before.ends_with('.'))
        }
    }

    fn full_name(&self, target: Target) -> String {
        let known = self.names.iter().find(|(_, known)| *known == target);
        known.map_or_else(String::new, |(full, _)| full.clone())
    }

    /// The functions that stand in a target, itself among them.
    fn within(&self, target: Target) -> Vec<FunctionRef> {
        let (file, outer) = match target {
            Target::Module(file) => (file, FunctionId(0)),
            Target::Class(class) => (class.file, self.program.class(class).body),
            Target::Function(function) => (function.file, function.id),
        };
        let module = self.program.module(file);
        let is_inside = |id: &FunctionId| {
            std::iter::successors(Some(*id), |id| module.function(*id).parent).any(|around| around == outer)
        };
        let ids = (0..module.functions.len() as u32).map(FunctionId).filter(is_inside);
        ids.map(|id| FunctionRef { file, id }).collect()
    }
}

fn plain(qualified: &str) -> String {
    qualified.replace(".<locals>.", ".")
}

/// The last so many parts of a dotted name.
fn last_parts(full: &str, parts: usize) -> &str {
    let at = full.rmatch_indices('.').nth(parts.saturating_sub(1)).map(|(at, _)| at + 1);
    &full[at.unwrap_or(0)..]
}

/// What the targets ask for; everything that is reported on when there are none.
fn wanted(program: &Program, targets: &[Target], everything: bool, calls: bool) -> Wanted {
    let lookup = Lookup { program, names: Vec::new() };
    let mut wanted = Wanted {
        functions: FxHashSet::default(),
        examined: Vec::new(),
        files: FxHashSet::default(),
        classes: FxHashSet::default(),
        calls,
    };
    if everything {
        wanted.files = program.files().filter(|file| program.reported[file.index()]).collect();
        let of_files = program.functions().filter(|function| wanted.files.contains(&function.file));
        wanted.functions = of_files.collect();
    }
    for target in targets {
        let within = lookup.within(*target);
        match *target {
            Target::Module(file) => drop(wanted.files.insert(file)),
            Target::Class(class) => drop(wanted.classes.insert(class)),
            Target::Function(_) => {}
        }
        if !matches!(target, Target::Module(_)) {
            let is_named = |function: &&FunctionRef| program.function(**function).kind == FunctionKind::Function;
            wanted.examined.extend(within.iter().filter(is_named));
        }
        wanted.functions.extend(within);
    }
    wanted.examined.sort_unstable();
    wanted.examined.dedup();
    wanted
}

/// The files' texts, read when a place in one is asked for.
struct Places<'a> {
    disk: &'a Disk,
    project: &'a Project,
    linked: &'a Linked,
    texts: Vec<OnceLock<SourceText>>,
}

fn texts(linked: &Linked) -> Vec<OnceLock<SourceText>> {
    linked.units.iter().map(|_| OnceLock::new()).collect()
}

impl Places<'_> {
    fn unit(&self, file: FileId) -> &Unit {
        &self.linked.units[file.index()]
    }

    fn location(&self, place: Place) -> Location {
        let unit = self.unit(place.file);
        let files = &self.project.files;
        let file = &files[unit.file_at(place.span.start)];
        let text = self.texts[place.file.index()].get_or_init(|| lower::text(self.disk, files, unit));
        let at = text.position(place.span.start);
        let cell = unit.part.line(at.line).1;
        let at = unit.part.position(at);
        Location { path: file.shown.clone(), cell, line: at.line, column: at.column }
    }

    /// The figures of the files that something is listed of; of one with several parts, together.
    fn figures(&self, wanted: &Wanted, figures: Vec<FileFigures>) -> Vec<FileFigures> {
        let mut by_path: BTreeMap<&str, FileFigures> = BTreeMap::new();
        let files: FxHashSet<FileId> = wanted.functions.iter().map(|function| function.file).collect();
        for (index, figure) in figures.into_iter().enumerate() {
            let file = FileId(index as u32);
            if !files.contains(&file) {
                continue;
            }
            let functions = self.linked.program.module(file).functions.iter().enumerate();
            let named = functions.filter(|(id, body)| {
                let function = FunctionRef { file, id: FunctionId(*id as u32) };
                body.kind == FunctionKind::Function && wanted.functions.contains(&function)
            });
            let path = self.project.files[self.unit(file).file].shown.as_str();
            let sum =
                by_path.entry(path).or_insert_with(|| FileFigures { path: path.to_owned(), ..FileFigures::default() });
            sum.functions += named.clone().count();
            sum.async_functions += named.filter(|(_, body)| body.is_async).count();
            sum.shared += figure.shared;
            sum.suspensions += figure.suspensions;
            sum.spawns += figure.spawns;
            sum.locks += figure.locks;
            sum.calls += figure.calls;
        }
        by_path.into_values().collect()
    }
}

/// Of a class's plain methods those that wait for, share and start nothing say nothing.
fn is_worth_showing(function: &Examined) -> bool {
    let says = |answer: &Answered| !answer.evidence.is_empty() || !answer.findings.is_empty();
    function.is_async || function.answers.iter().any(says)
}

/// Lists what the rules have found in a function under the question that it answers.
fn add_findings(facts: &mut Facts, outcome: &Outcome) {
    for function in &mut facts.functions {
        let own =
            |finding: &&crate::report::Finding| finding.path == function.at.path && finding.symbol == function.symbol;
        for finding in outcome.report.findings.iter().filter(own) {
            let question = finding.rule.split('/').next().unwrap_or_default();
            let at = finding.range.start;
            let known = Known {
                rule: finding.rule.clone(),
                severity: finding.severity,
                confidence: finding.confidence,
                message: finding.message.clone(),
                at: Location { path: finding.path.clone(), cell: finding.cell, line: at.line, column: at.column },
            };
            let answer = function.answers.iter_mut().find(|answer| answer.question == question);
            answer.into_iter().for_each(|answer| answer.findings.push(known.clone()));
        }
    }
}
