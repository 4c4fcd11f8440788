//! The one facade: everything that a shell (command line, server, editor) asks for goes through [`Engine`].

mod answers;
mod baseline;
mod changed;
mod costs;
mod explain;
mod fingerprint;
mod imports;
mod installed;
mod inventory;
mod lower;
mod measure;
mod models;
mod packages;
mod present;
mod prove;
mod selection;
mod suppress;
mod tool;

pub use answers::{CacheClearing, CacheDirectory};
pub use baseline::{BaselineFile, BaselinePruning, BaselineUpdate};
pub use costs::Costs;
pub use explain::Explanation;
pub use measure::AwaitedCall;
pub use prove::{ProveInCheck, Proving};
pub use racewalk_project::{FailOn, Failure, did_you_mean, nearest};
pub use racewalk_prove::Hint;
pub use racewalk_report as report;
pub use racewalk_rules::{Clocks, Question, Rule};

use costs::Files;
use lower::Kept;
use racewalk_ir::Name;
use racewalk_link::{FileNames, Program, Reach, Settings};
use racewalk_project::{Disk, Project, Vocabulary, discover, paths};
use racewalk_report::{Report, Sources};
use racewalk_rules::Ground;
use selection::Selection;
use std::path::PathBuf;
use std::sync::Once;

/// Room for code that is nested thousands of levels deep: parsing and lowering recurse. Only what is used of it is
/// taken from the system.
const STACK: usize = 256 << 20;

/// What to check, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// Files and directories that are reported on.
    pub paths: Vec<PathBuf>,
    /// Relative paths count from here, and printed ones are relative to it. Absolute.
    pub working_directory: PathBuf,
    /// Load nothing but `paths`: no project around them, no configuration, no installed packages.
    pub isolated: bool,
    /// This configuration file instead of the nearest.
    pub config: Option<PathBuf>,
    /// A virtual environment, or its interpreter.
    pub python: Option<PathBuf>,
    /// Show `possible` findings and rules that are off by default.
    pub strict: bool,
    /// Rules to run instead of the default ones: full names, short names, questions, or `all`.
    pub select: Vec<String>,
    /// Rules not to run.
    pub ignore: Vec<String>,
    /// The findings that are known, and not reported.
    pub baseline: BaselineFile,
    /// A revision of the git repository: only what has come since is reported.
    pub changed_since: Option<String>,
    /// Where answers are kept, and found when nothing has changed. Texts that are no files are not looked up there.
    pub cache: CacheDirectory,
    /// Run the code around what is found: it is proved, or not.
    pub prove: Option<ProveInCheck>,
}

impl Options {
    /// Checks one directory, with everything else as it is by default.
    pub fn new(working_directory: PathBuf) -> Self {
        Self {
            paths: vec![PathBuf::from(".")],
            working_directory,
            isolated: false,
            config: None,
            python: None,
            strict: false,
            select: Vec::new(),
            ignore: Vec::new(),
            baseline: BaselineFile::default(),
            changed_since: None,
            cache: CacheDirectory::default(),
            prove: None,
        }
    }

    fn discovery(&self) -> racewalk_project::Options {
        racewalk_project::Options {
            paths: self.paths.clone(),
            working_directory: self.working_directory.clone(),
            isolated: self.isolated,
            config: self.config.clone(),
            python: self.python.clone(),
        }
    }
}

/// What a check gives.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The findings and the summary: the output contract.
    pub report: Report,
    /// The texts that the findings point into, for renderers that show source.
    pub sources: Sources,
    /// Which findings the configuration wants the check to fail on.
    pub fail_on: Option<FailOn>,
    /// What it has cost, when the engine was lent clocks.
    pub costs: Option<Costs>,
}

/// How far a check is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Looking for files.
    Discovering,
    /// Reading and lowering this many files.
    Reading(usize),
    /// Reading what installed packages declare, and the models of libraries.
    Consulting,
    /// Linking all of it into one program.
    Linking,
    /// Gathering what the rules rest on.
    Gathering,
    /// Running this many rules.
    Judging(usize),
    /// Turning findings into the report.
    Reporting,
    /// Running the code around this many findings.
    Proving(usize),
}

/// The analyser.
pub struct Engine {
    rules: Vec<&'static Rule>,
    threads: usize,
    is_last: bool,
    clocks: Option<Clocks>,
    on_stage: Box<dyn Fn(Stage) + Send + Sync>,
}

impl Default for Engine {
    fn default() -> Self {
        Self::with_rules(racewalk_rules::all())
    }
}

impl Engine {
    /// An analyser with these rules and the tool's own.
    pub fn with_rules(rules: &[&'static Rule]) -> Self {
        let rules = rules.iter().copied().chain(tool::RULES).collect();
        Self { rules, threads: 0, is_last: false, clocks: None, on_stage: Box::new(|_| {}) }
    }

    /// Works on this many threads instead of one a core. The answers are the same.
    #[must_use]
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }

    /// The process ends after the next check: what that was made of is not taken apart piece by piece.
    #[must_use]
    pub fn for_last_check(mut self) -> Self {
        self.is_last = true;
        self
    }

    /// Measures with these clocks what the parts of a check cost: [`Outcome::costs`].
    #[must_use]
    pub fn measured(mut self, clocks: Clocks) -> Self {
        self.clocks = Some(clocks);
        self
    }

    /// Calls this whenever a check enters its next stage.
    #[must_use]
    pub fn on_stage(mut self, tell: impl Fn(Stage) + Send + Sync + 'static) -> Self {
        self.on_stage = Box::new(tell);
        self
    }

    /// All rules, by question and name.
    pub fn rules(&self) -> &[&'static Rule] {
        &self.rules
    }

    /// Checks what is stored on the disk.
    ///
    /// # Errors
    /// When a path does not exist, or a rule name, the configuration or the baseline cannot be used.
    pub fn check(&self, options: &Options) -> Result<Outcome, Failure> {
        self.check_on(&Disk::default(), options)
    }

    /// Checks a text as if it were stored at `path`, inside the project around that path.
    ///
    /// # Errors
    /// As [`Engine::check`].
    pub fn check_text(&self, options: &Options, path: PathBuf, text: String) -> Result<Outcome, Failure> {
        let disk = Disk::default().with_text(paths::absolute(&path, &options.working_directory), text);
        self.check_on(&disk, &Options { paths: vec![path], cache: CacheDirectory::Off, ..options.clone() })
    }

    fn check_on(&self, disk: &Disk, options: &Options) -> Result<Outcome, Failure> {
        self.in_pool(|| self.check_in_pool(disk, options))
    }

    /// Does work on threads of its own.
    fn in_pool<T: Send>(&self, work: impl FnOnce() -> Result<T, Failure> + Send) -> Result<T, Failure> {
        silence_caught_panics();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(self.threads).stack_size(STACK).build();
        let pool = pool.map_err(|error| Failure(format!("no threads to work on: {error}")))?;
        pool.install(work)
    }

    fn check_in_pool(&self, disk: &Disk, options: &Options) -> Result<Outcome, Failure> {
        let (vocabulary, mut project) = self.discovered(disk, options)?;
        let baseline = baseline::for_check(disk, options, &project.root)?;
        let watched = &answers::watched(disk, options);
        let (mut outcome, linked) = match &options.changed_since {
            Some(revision) => (self.judged_since(revision, watched, options, &vocabulary, project.clone())?, None),
            None => self.judged_with(Kept::default(), watched, options, &vocabulary, &mut project)?,
        };
        if let Some(baseline) = baseline {
            baseline::hold_back(&baseline, &mut outcome.report);
        }
        let linked = match linked {
            None if options.prove.is_some() => Some(self.linked(disk, options, &mut project)?),
            linked => linked,
        };
        if let Some(linked) = &linked {
            self.prove_findings(disk, options, &project, linked, &mut outcome)?;
        }
        if self.is_last {
            std::mem::forget(linked);
        }
        Ok(outcome)
    }

    /// Everything that is found in these files, whatever is known of it.
    fn judged(
        &self,
        disk: &Disk,
        options: &Options,
        vocabulary: &Vocabulary,
        project: &mut Project,
    ) -> Result<Outcome, Failure> {
        let (outcome, linked) = self.judged_with(Kept::default(), disk, options, vocabulary, project)?;
        if self.is_last {
            std::mem::forget(linked);
        }
        Ok(outcome)
    }

    /// The same, where some modules are there already; with the program, unless the answer was known.
    fn judged_with(
        &self,
        kept: Kept,
        disk: &Disk,
        options: &Options,
        vocabulary: &Vocabulary,
        project: &mut Project,
    ) -> Result<(Outcome, Option<Linked>), Failure> {
        // What is measured is done.
        let place = if self.clocks.is_some() { None } else { answers::Place::new(self, disk, options, project) };
        if let Some(outcome) = place.as_ref().and_then(|place| place.recall(project)) {
            return Ok((outcome, None));
        }
        let files = Files::new(self.clocks);
        let linked = self.linked_with(kept, disk, options, project, &files)?;
        let outcome = self.outcome(disk, options, vocabulary, project, &linked, &files);
        if let Some(place) = place {
            place.keep(&outcome, project);
        }
        Ok((outcome, Some(linked)))
    }

    /// Runs the rules over a program.
    fn outcome(
        &self,
        disk: &Disk,
        options: &Options,
        vocabulary: &Vocabulary,
        project: &Project,
        linked: &Linked,
        files: &Files,
    ) -> Outcome {
        let selection = Selection::new(&self.rules, options, &project.config);
        let check = present::Check { disk, project, selection: &selection, vocabulary, options };
        let rules = selection.to_run();
        self.enter(Stage::Gathering);
        let ground = Ground::new(&linked.program, self.clocks);
        self.enter(Stage::Judging(rules.len()));
        let found = ground.judge(&rules);
        let costs = self.clocks.map(|_| Costs::new(files, ground.costs()));
        self.enter(Stage::Reporting);
        let outcome = check.outcome(&linked.program, &linked.units, found, &linked.skipped);
        if self.is_last {
            std::mem::forget(ground);
        }
        Outcome { costs, ..outcome }
    }

    /// Tells whoever watches that the next stage begins.
    fn enter(&self, stage: Stage) {
        (self.on_stage)(stage);
    }

    /// The files, and the names that may be used of rules.
    fn discovered(&self, disk: &Disk, options: &Options) -> Result<(Vocabulary, Project), Failure> {
        let vocabulary = Vocabulary::new(self.rules.iter().map(|rule| rule.name));
        for name in options.select.iter().chain(&options.ignore) {
            vocabulary.check(name).map_err(Failure)?;
        }
        self.enter(Stage::Discovering);
        let project = discover(disk, &options.discovery(), &vocabulary)?;
        Ok((vocabulary, project))
    }

    /// The files as one program. What is read of installed packages joins the project's files.
    fn linked(&self, disk: &Disk, options: &Options, project: &mut Project) -> Result<Linked, Failure> {
        self.linked_with(Kept::default(), disk, options, project, &Files::new(self.clocks))
    }

    /// The same, where some modules are there already.
    fn linked_with(
        &self,
        kept: Kept,
        disk: &Disk,
        options: &Options,
        project: &mut Project,
        costs: &Files,
    ) -> Result<Linked, Failure> {
        self.enter(Stage::Reading(project.files.len()));
        let working = &options.working_directory;
        let lower::Lowered { mut units, mut modules, skipped } = lower::lower(disk, &project.files, kept, costs);
        self.enter(Stage::Consulting);
        let extra = models::read(disk, &project.config.models, working)?;
        let installed = installed::read(disk, project, &modules, working);
        project.files.extend(installed.files);
        units.extend(installed.units);
        modules.extend(installed.modules);
        let models = models::load(&extra, &modules)?;
        self.enter(Stage::Linking);
        let files = || units.iter().map(|unit| &project.files[unit.file]);
        let settings = Settings {
            language_version: project.python_version,
            names: files().map(file_names).collect(),
            imports: imports::by_path(disk, project, &units, &modules),
        };
        let reported = files().map(|file| file.reported).collect();
        let program = racewalk_link::link(modules, reported, models, settings);
        Ok(Linked { units, program, skipped })
    }
}

/// A panic that is caught and becomes a problem of its file is not printed as if the tool had crashed.
fn silence_caught_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let print = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !racewalk_python::is_guarding() && !racewalk_javascript::is_guarding() {
                print(panic);
            }
        }));
    });
}

/// A linked program, and where its modules come from.
struct Linked {
    units: Vec<lower::Unit>,
    program: Program,
    skipped: Vec<report::Skipped>,
}

fn file_names(file: &racewalk_project::SourceFile) -> FileNames {
    let reach = |reach| match reach {
        racewalk_project::Reach::Anywhere => Reach::Anywhere,
        racewalk_project::Reach::Unclaimed => Reach::Unclaimed,
        racewalk_project::Reach::Beneath => Reach::Beneath,
        racewalk_project::Reach::Installed => Reach::Installed,
    };
    FileNames {
        names: file.names.iter().map(|name| (Name::new(&name.text), reach(name.reach))).collect(),
        project: file.project,
    }
}
