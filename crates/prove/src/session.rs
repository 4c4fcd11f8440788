//! A project's copy, and the runs in it: which calls are tried, and what is made of the answers.

use crate::aim::{Aim, short};
use crate::plan::{Plan, Reported, Target};
use crate::repair::Tried;
use crate::{PATIENCE, Proved, Question, Settings, child, is_cell, python, runtime};
use racewalk_link::{FileId, FunctionRef, Program};
use racewalk_project::{Disk, Project, Scratch, paths};
use racewalk_report::proof::{Answer, Verdict};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Seconds that a test, or the comparison with a changed version, may take besides.
const PATIENCE_FOR_EXTRAS: f64 = 180.0;
/// How often what a run lacked is looked for in the program.
const MOST_REPAIRS: usize = 6;
/// After so many seconds, and as many budgets, no further run is begun for one question: large projects take long to load.
const LONGEST: f64 = 30.0;
const MOST_BUDGETS: f64 = 10.0;

/// Calls that overlap.
struct Group {
    targets: Vec<FunctionRef>,
    /// A caller is called in place of the function that is in question.
    is_substitute: bool,
}

/// How a file is found by an import, in the copy.
pub(crate) struct Place {
    /// The module, or the file's path, as a plan names it.
    pub(crate) spec: String,
    /// Relative to the root.
    pub(crate) path: String,
    /// From where its name counts, relative to the root; none when its name doesn't lead to it.
    source_root: Option<String>,
}

/// A copy of a project with all that is needed to run parts of it.
pub struct Session<'a> {
    pub(crate) aim: Aim<'a>,
    pub(crate) disk: &'a Disk,
    pub(crate) root: &'a Path,
    pub(crate) places: Vec<Option<Place>>,
    settings: &'a Settings,
    interpreter: PathBuf,
    scratch: Scratch,
    start: PathBuf,
    tree: PathBuf,
    changed: Option<PathBuf>,
}

impl<'a> Session<'a> {
    /// Copies the project. `file_of` gives each module's place in the project's list of files, when it is a whole file.
    ///
    /// # Errors
    /// Says why nothing can be run: no Python, no room, a patch that does not apply.
    pub fn new(
        disk: &'a Disk,
        project: &'a Project,
        program: &'a Program,
        file_of: &dyn Fn(FileId) -> Option<usize>,
        settings: &'a Settings,
        working: &Path,
    ) -> Result<Self, String> {
        let root = project.root.as_path();
        let interpreter = python::find(disk, settings.python.as_deref(), root, working)?;
        let scratch = Scratch::new(disk)?;
        let start = runtime::unpack(&scratch)?;
        let tree = scratch.copy(project, "tree")?;
        let changed = match &settings.against {
            None => None,
            Some(given) => Some(changed(disk, project, &scratch, &paths::absolute(given, working))?),
        };
        let place = |file: FileId| {
            let file = &project.files[file_of(file)?];
            place(&file.path, file.names.first().map(|name| name.text.as_str()), root).filter(|_| !file.is_installed())
        };
        let places = program.files().map(place).collect();
        let aim = Aim { program };
        Ok(Self { aim, disk, root, places, settings, interpreter, scratch, start, tree, changed })
    }

    /// The Python that runs the code.
    pub fn interpreter(&self) -> &Path {
        &self.interpreter
    }

    /// The smallest function around these bytes of a file.
    pub fn function_around(&self, file: FileId, start: u32, end: u32) -> Option<FunctionRef> {
        self.aim.function_around(file, start, end)
    }

    /// The function that a finding's symbol names.
    pub fn function_named(&self, file: FileId, symbol: &str) -> Option<FunctionRef> {
        self.aim.function_named(file, symbol)
    }

    /// Runs the code until something is known.
    pub fn prove(&self, question: &Question) -> Proved {
        let targets = match self.aim.targets(question.function, question.rule.as_deref()) {
            Ok(targets) => targets,
            Err(why) => {
                let answer = Answer::inconclusive(why, "targets");
                return Proved { targets: Vec::new(), besides: Vec::new(), answer };
            }
        };
        let until = Instant::now() + Duration::from_secs_f64(LONGEST + MOST_BUDGETS * self.settings.budget);
        let mut best: Option<Proved> = None;
        for group in self.groups(question, &targets) {
            if best.is_some() && Instant::now() > until {
                break;
            }
            let Some(found) = self.attempt(question, &group.targets, until) else { continue };
            let is_done = found.answer.verdict == Verdict::Proved;
            best = Some(match best {
                // A caller may share nothing with other calls: that nothing goes wrong there says little of the function itself.
                Some(best) if group.is_substitute && !is_done => beside(best, found),
                Some(best) => better(best, found),
                None => found,
            });
            if is_done {
                break;
            }
        }
        best.unwrap_or_else(|| Proved {
            targets: Vec::new(),
            besides: Vec::new(),
            answer: Answer::not_runnable("it stands in no Python module: notebooks and other languages are not run"),
        })
    }

    /// What is called together, the likeliest first: each target with itself, with others that use the state, and callers, for
    /// when the function's own arguments cannot be made up.
    fn groups(&self, question: &Question, targets: &[FunctionRef]) -> Vec<Group> {
        let group = |targets: Vec<FunctionRef>, is_substitute| Group { targets, is_substitute };
        let mut groups: Vec<Group> = targets.iter().map(|target| group(vec![*target], false)).collect();
        let has_state = question.object.is_some() || question.rule.is_none();
        if let Some(first) = targets.first().filter(|_| has_state) {
            let companions = self.aim.companions(*first, question.object.as_deref());
            groups.extend(companions.into_iter().map(|other| group(vec![*first, other], false)));
        }
        if let [only] = targets {
            groups.extend(self.aim.entries(*only).into_iter().map(|caller| group(vec![caller], true)));
        }
        groups
    }

    fn attempt(&self, question: &Question, targets: &[FunctionRef], until: Instant) -> Option<Proved> {
        let mut plan = self.plan(question, targets)?;
        let mut answer = self.run(&plan);
        let mut tried = Tried::default();
        for _ in 0..MOST_REPAIRS {
            if Instant::now() > until {
                break;
            }
            let Some(repaired) = self.repaired(&plan, targets, &answer, &mut tried) else { break };
            let next = self.run(&repaired);
            if rank(&next) >= rank(&answer) {
                (plan, answer) = (repaired, next);
            }
        }
        let targets = plan.targets.iter().map(|target| target.call.clone()).collect();
        Some(Proved { targets, besides: Vec::new(), answer })
    }

    fn plan(&self, question: &Question, targets: &[FunctionRef]) -> Option<Plan> {
        let call = |target: &FunctionRef| Some(Target { call: self.name(*target)?, ..Target::default() });
        let place = self.place(question.function.file)?;
        let mut path: Vec<String> = Vec::new();
        // The target's own comes first.
        for root in std::iter::once(place).chain(self.places.iter().flatten()).filter_map(|it| it.source_root.as_ref())
        {
            if !path.contains(root) {
                path.push(root.clone());
            }
        }
        let rule = question.rule.as_deref().map(|rule| short(rule).to_owned());
        let mut plan = Plan {
            root: self.tree.to_string_lossy().into_owned(),
            path,
            finding: Reported {
                rule,
                path: place.path.clone(),
                lines: question.lines.clone(),
                cells: question.object.iter().filter(|object| is_cell(object)).cloned().collect(),
            },
            targets: targets.iter().map(call).collect::<Option<_>>()?,
            budget: self.settings.budget,
            ..Plan::default()
        };
        for (symbol, hint) in &self.settings.hints {
            if symbol.is_empty() || *symbol == question.symbol {
                // A hint was looked at when it was read.
                let _ = hint.apply(&mut plan);
            }
        }
        Some(plan)
    }

    pub(crate) fn name(&self, function: FunctionRef) -> Option<String> {
        Some(format!("{}:{}", self.place(function.file)?.spec, self.aim.program.qualified(function)))
    }

    pub(crate) fn place(&self, file: FileId) -> Option<&Place> {
        self.places.get(file.index())?.as_ref()
    }

    fn run(&self, plan: &Plan) -> Answer {
        self.answer(plan).unwrap_or_else(Answer::not_runnable)
    }

    fn answer(&self, plan: &Plan) -> Result<Answer, String> {
        let text = serde_json::to_string_pretty(plan).map_err(|error| error.to_string())?;
        let written = self.scratch.write("plan.json", &text)?;
        let shown = |path: &Path| path.to_string_lossy().into_owned();
        let mut arguments = vec![shown(&self.start), shown(&written), "--confine".to_owned()];
        arguments.push(format!("--replays={}", self.settings.replays));
        arguments.push(format!("--calls={}", self.settings.stress_calls));
        for (variant, path) in &self.settings.tests {
            arguments.push(format!("--write-test={variant}={}", shown(&self.in_tree(path)?)));
        }
        for (number, (format, _)) in self.settings.traces.iter().enumerate() {
            arguments.push(format!("--trace={format}={}", shown(&self.trace(number))));
        }
        arguments.extend(self.changed.iter().map(|changed| format!("--against={}", shown(changed))));
        let has_extras = self.changed.is_some() || !self.settings.tests.is_empty();
        let patience = PATIENCE + if has_extras { PATIENCE_FOR_EXTRAS } else { 0.0 };
        let limit = Duration::from_secs_f64(plan.budget + patience);
        let said = child::run(&self.interpreter, &arguments, &self.tree, limit)?;
        if said.ran_out {
            return Ok(Answer::inconclusive(format!("it did not end within {} seconds", limit.as_secs()), "budget"));
        }
        let mut answer: Answer = serde_json::from_slice(&said.output).map_err(|error| no_answer(&error, &said))?;
        self.hand_over(&mut answer)?;
        Ok(answer)
    }

    /// Where a file of the project's lies in the copy.
    fn in_tree(&self, path: &Path) -> Result<PathBuf, String> {
        let inside = path.strip_prefix(self.root).map_err(|_| {
            format!(
                "{}: a test finds the project's modules from its own place: name one in the project",
                path.display()
            )
        })?;
        Ok(self.tree.join(inside))
    }

    fn trace(&self, number: usize) -> PathBuf {
        self.scratch.path(&format!("trace-{number}"))
    }

    /// Brings what was written in the copy to where it was asked for.
    fn hand_over(&self, answer: &mut Answer) -> Result<(), String> {
        for (test, (_, path)) in answer.tests.iter_mut().zip(&self.settings.tests) {
            if let Some(written) = test.path.take() {
                self.hand(Path::new(&written), path)?;
                test.path = Some(path.to_string_lossy().into_owned());
            }
        }
        if answer.verdict == Verdict::Proved {
            for (number, (_, path)) in self.settings.traces.iter().enumerate() {
                self.hand(&self.trace(number), path)?;
            }
        }
        Ok(())
    }

    fn hand(&self, from: &Path, to: &Path) -> Result<(), String> {
        let text = self.disk.read_text(from)?;
        self.disk.write_with_directories(to, &text).map_err(|reason| format!("{}: {reason}", to.display()))
    }
}

/// A patch is applied to a second copy; a directory is copied.
fn changed(disk: &Disk, project: &Project, scratch: &Scratch, given: &Path) -> Result<PathBuf, String> {
    if disk.is_dir(given) {
        return scratch.copy_directory(given, "changed");
    }
    if !disk.is_file(given) {
        return Err(format!("--against: {}: no such file or directory", given.display()));
    }
    let copy = scratch.copy(project, "changed")?;
    scratch.apply(given, &copy)?;
    Ok(copy)
}

/// How a file is imported: by its name where that leads to it from a directory above, else by its path.
fn place(path: &Path, name: Option<&str>, root: &Path) -> Option<Place> {
    if path.extension().is_none_or(|ending| ending != "py") {
        return None;
    }
    let inside = paths::relative(path.strip_prefix(root).ok()?, Path::new(""));
    let is_package = path.file_stem().is_some_and(|stem| stem == "__init__");
    let module = if is_package { path.parent()? } else { path }.with_extension("");
    let segments: Vec<&str> = name.unwrap_or_default().split('.').collect();
    let above = module.ancestors().nth(segments.len()).filter(|above| above.starts_with(root));
    let source_root = above.filter(|above| above.join(segments.join("/")) == module);
    // A module's name without a dot may be a library's.
    let is_named = source_root.is_some() && (is_package || segments.len() > 1);
    Some(Place {
        spec: if is_named { segments.join(".") } else { inside.clone() },
        path: inside,
        source_root: source_root.map(|above| paths::relative(above, root)),
    })
}

/// How much an answer says.
fn rank(answer: &Answer) -> u8 {
    match answer.verdict {
        Verdict::Proved => 3,
        Verdict::NoViolation => 2,
        Verdict::Inconclusive => 1,
        Verdict::NotRunnable => 0,
    }
}

/// The one that says more; the first, when both say the same. What the other one says is told besides.
fn better(first: Proved, second: Proved) -> Proved {
    if rank(&second.answer) > rank(&first.answer) { beside(second, first) } else { beside(first, second) }
}

/// The first, with what the other one says told besides, unless it is settled by itself.
fn beside(mut kept: Proved, other: Proved) -> Proved {
    if kept.answer.verdict == Verdict::Proved {
        return kept;
    }
    let says_more = other.answer.verdict == Verdict::NoViolation || other.answer.message != kept.answer.message;
    if rank(&other.answer) > 0 && says_more {
        let verdict = other.answer.verdict.as_str();
        kept.besides.push(format!("{}: {verdict}: {}", other.targets.join(" with "), other.answer.message));
    }
    kept.besides.extend(other.besides);
    kept
}

/// Why there is nothing to read: what the child said last, else what is wrong with its answer.
fn no_answer(error: &serde_json::Error, said: &child::Said) -> String {
    let last = said.errors.lines().rev().find(|line| !line.trim().is_empty());
    match last.filter(|_| said.output.is_empty()) {
        Some(last) => format!("the runtime gave no answer: {last}"),
        None => format!("the runtime's answer cannot be read: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::place;
    use std::path::Path;

    #[test]
    fn files_are_imported_by_name_or_path() {
        let of = |path: &str, name: &str| {
            let place = place(Path::new(path), Some(name), Path::new("/r")).unwrap();
            (place.spec, place.source_root)
        };
        let own = |spec: &str, root: Option<&str>| (spec.to_owned(), root.map(str::to_owned));
        assert_eq!(of("/r/src/shop/api.py", "shop.api"), own("shop.api", Some("src")));
        assert_eq!(of("/r/shop/__init__.py", "shop"), own("shop", Some(".")), "its directory is on nobody's path");
        assert_eq!(of("/r/shop/sub/__init__.py", "shop.sub"), own("shop.sub", Some(".")));
        assert_eq!(of("/r/queue.py", "queue"), own("queue.py", Some(".")));
        assert_eq!(of("/r/my-tools/x.py", "my_tools.x"), own("my-tools/x.py", None));
    }
}
