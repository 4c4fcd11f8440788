//! The baseline of a project: where it lies, what it holds back, how it grows and shrinks.

use crate::{Engine, Options};
use racewalk_project::{Disk, Failure, paths};
use racewalk_report::{Baseline, Finding, Known, Report, Skipped};
use rustc_hash::FxHashSet;
use std::path::{Path, PathBuf};

/// The file's name at the root of a project.
const NAME: &str = "racewalk-baseline.json";

/// Which baseline is meant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum BaselineFile {
    /// `racewalk-baseline.json` at the project's root. A check goes without when there is none, and when it is isolated.
    #[default]
    Project,
    /// This one.
    Named(PathBuf),
    /// None.
    Ignored,
}

/// What an update has done.
#[derive(Clone, Debug)]
pub struct BaselineUpdate {
    /// The file, as it is printed.
    pub file: String,
    /// How many findings it holds now.
    pub held: usize,
    /// A report of those that it did not hold before.
    pub added: Report,
}

/// What a pruning has done.
#[derive(Clone, Debug)]
pub struct BaselinePruning {
    /// The file, as it is printed.
    pub file: String,
    /// How many findings it holds now.
    pub held: usize,
    /// Those that it no longer holds, their paths as they are printed.
    pub removed: Vec<Known>,
    /// What was not analysed. What is known of these files is kept.
    pub skipped: Vec<Skipped>,
}

impl Engine {
    /// Adds the findings of a check to the baseline, which is made when there is none.
    ///
    /// # Errors
    /// As [`Engine::check`], and when the baseline cannot be read or written.
    pub fn update_baseline(&self, options: &Options) -> Result<BaselineUpdate, Failure> {
        let disk = &Disk::default();
        self.in_pool(|| {
            let (vocabulary, mut project) = self.discovered(disk, options)?;
            let place = Place::new(options, &project.root);
            let mut baseline = if disk.exists(&place.path) { place.read(disk)? } else { Baseline::default() };
            let mut added = self.judged(disk, options, &vocabulary, &mut project)?.report;
            hold_back(&baseline, &mut added);
            for finding in &added.findings {
                let path = paths::absolute(Path::new(&finding.path), &options.working_directory);
                baseline.add(Known::new(finding, paths::relative(&path, &project.root)));
            }
            place.write(disk, &baseline)?;
            Ok(BaselineUpdate { file: place.shown, held: baseline.len(), added })
        })
    }

    /// Takes out of the baseline what is no longer found beneath the paths of the check. All rules are run, so that
    /// nothing goes that another selection would still find.
    ///
    /// # Errors
    /// As [`Engine::check`], and when there is no baseline or it cannot be read or written.
    pub fn prune_baseline(&self, options: &Options) -> Result<BaselinePruning, Failure> {
        let disk = &Disk::default();
        let options = &Options { strict: true, select: vec!["all".to_owned()], ..options.clone() };
        let working = &options.working_directory;
        self.in_pool(|| {
            let (vocabulary, mut project) = self.discovered(disk, options)?;
            let place = Place::new(options, &project.root);
            let mut baseline = place.read(disk)?;
            let report = self.judged(disk, options, &vocabulary, &mut project)?.report;
            let skipped = report.summary.skipped;
            let found: FxHashSet<String> = report.findings.into_iter().map(|it| it.fingerprint).collect();
            let asked: Vec<PathBuf> = options.paths.iter().map(|path| paths::absolute(path, working)).collect();
            let unread: Vec<PathBuf> = skipped.iter().map(|it| paths::absolute(Path::new(&it.path), working)).collect();
            let full = |known: &Known| paths::absolute(Path::new(&known.path), &project.root);
            let mut removed = baseline.remove(|known| {
                let beneath = |tops: &[PathBuf]| tops.iter().any(|top| full(known).starts_with(top));
                !found.contains(&known.fingerprint) && beneath(&asked) && !beneath(&unread)
            });
            for known in &mut removed {
                known.path = paths::relative(&full(known), working);
            }
            removed.sort_by(|a, b| (&a.path, &a.rule, &a.symbol).cmp(&(&b.path, &b.rule, &b.symbol)));
            place.write(disk, &baseline)?;
            Ok(BaselinePruning { file: place.shown, held: baseline.len(), removed, skipped })
        })
    }
}

/// The baseline that holds for a check.
pub(crate) fn for_check(disk: &Disk, options: &Options, root: &Path) -> Result<Option<Baseline>, Failure> {
    let place = Place::new(options, root);
    let wanted = match options.baseline {
        BaselineFile::Project => !options.isolated && disk.exists(&place.path),
        BaselineFile::Named(_) => true,
        BaselineFile::Ignored => false,
    };
    wanted.then(|| place.read(disk)).transpose()
}

/// Takes what is known out of the report, and leaves its number there.
pub(crate) fn hold_back(baseline: &Baseline, report: &mut Report) {
    report.summary.baselined = Some(take_out(report, |finding| baseline.holds(finding)));
}

/// Takes out of the report what is known, and says how much that was.
pub(crate) fn take_out(report: &mut Report, is_known: impl Fn(&Finding) -> bool) -> usize {
    let before = report.findings.len();
    report.findings.retain(|finding| !is_known(finding));
    report.summary.findings = report.findings.len();
    before - report.findings.len()
}

/// Where a baseline lies.
struct Place {
    path: PathBuf,
    shown: String,
}

impl Place {
    fn new(options: &Options, root: &Path) -> Self {
        let path = match &options.baseline {
            BaselineFile::Named(path) => paths::absolute(path, &options.working_directory),
            BaselineFile::Project | BaselineFile::Ignored => root.join(NAME),
        };
        Self { shown: paths::relative(&path, &options.working_directory), path }
    }

    fn read(&self, disk: &Disk) -> Result<Baseline, Failure> {
        let shown = &self.shown;
        if !disk.exists(&self.path) {
            return Err(Failure(format!("{shown}: no such file; `racewalk baseline update` writes a baseline")));
        }
        let text = disk.read_text(&self.path).map_err(|reason| Failure(format!("{shown}: {reason}")))?;
        Baseline::parse(&text).map_err(|fault| {
            let mend = "restore it or use the racewalk that wrote it, or delete it and run `racewalk baseline update`";
            Failure(format!("{shown}: {fault}; {mend}"))
        })
    }

    fn write(&self, disk: &Disk, baseline: &Baseline) -> Result<(), Failure> {
        let written = disk.write(&self.path, &baseline.text());
        written.map_err(|reason| Failure(format!("{}: it cannot be written: {reason}", self.shown)))
    }
}
