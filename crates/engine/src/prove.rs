//! From what was asked for to findings, and from findings to proofs.

use crate::lower::{Kept, Part, Unit};
use crate::{BaselineFile, CacheDirectory, Engine, Linked, Options, Outcome, Stage};
use racewalk_link::FileId;
use racewalk_project::{Disk, Failure, Project, paths};
use racewalk_prove::{Hint, Question, Session, Settings, instrumented, is_cell, is_provable};
use racewalk_report::proof::{Answer, Proof, Proofs, Subject, Verdict};
use racewalk_report::{Confidence, Finding, Note, PROVED, SourceText};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A fingerprint is told from a path by its digits; fewer are not unique enough.
const SHORTEST_FINGERPRINT: usize = 4;

/// How code is run. What is not said here is the configuration's to say, or has its default.
#[derive(Clone, Debug, Default)]
pub struct Proving {
    /// An environment or interpreter, in place of the project's.
    pub python: Option<PathBuf>,
    /// Seconds for the search of one finding.
    pub budget: Option<f64>,
    /// What the user says about the code.
    pub hints: Vec<Hint>,
    /// Tests to write: variant and path.
    pub tests: Vec<(String, PathBuf)>,
    /// How many calls a stress test makes.
    pub stress_calls: Option<usize>,
    /// Traces to write: format and path.
    pub traces: Vec<(String, PathBuf)>,
    /// A patch, or a changed version of the project.
    pub against: Option<PathBuf>,
    /// How often a failing schedule is replayed.
    pub replays: Option<usize>,
}

/// What was asked for.
enum Asked {
    /// The finding whose fingerprint starts like this.
    Fingerprint(String),
    /// A line of a file: its findings, else the function around it.
    Line(PathBuf, u32),
    /// Everything beneath a path.
    Beneath,
}

impl Engine {
    /// Runs the code around findings: that of a fingerprint, those of a line (`PATH:LINE`), or those beneath a path.
    ///
    /// # Errors
    /// As [`Engine::check`]; and when nothing can be run, or what was asked for is not there.
    pub fn prove(&self, options: &Options, what: &str, proving: &Proving) -> Result<Proofs, Failure> {
        self.with_findings(options, what, |scene, asked, outcome| {
            let settings = scene.settings(proving)?;
            let (findings, unprovable) = chosen(&asked, what, outcome)?;
            let tool = format!("racewalk {}", env!("CARGO_PKG_VERSION"));
            let mut told = Proofs { version: 1, tool, interpreter: None, unprovable, proofs: Vec::new() };
            let place = if let (Asked::Line(path, line), true) = (asked, findings.is_empty()) {
                Some((path, line))
            } else {
                None
            };
            if findings.is_empty() && place.is_none() {
                return Ok(told);
            }
            let session = scene.session(&settings)?;
            told.interpreter = Some(session.interpreter().to_string_lossy().into_owned());
            self.enter(Stage::Proving(findings.len().max(1)));
            told.proofs.extend(findings.iter().map(|finding| scene.proof(&session, finding)));
            if let Some((path, line)) = place {
                told.proofs.push(scene.proof_of_place(&session, &path, line)?);
            }
            Ok(told)
        })
    }

    /// A diff that makes the files around findings log each access of the state that the findings are about. Nothing is run.
    ///
    /// # Errors
    /// As [`Engine::prove`]; and when no finding there is about a state that has a name.
    pub fn instrument(&self, options: &Options, what: &str, proving: &Proving) -> Result<String, Failure> {
        self.with_findings(options, what, |scene, asked, outcome| {
            let settings = scene.settings(proving)?;
            let (findings, _) = chosen(&asked, what, outcome)?;
            let mut cells: BTreeMap<&str, Vec<String>> = BTreeMap::new();
            for finding in &findings {
                let object = finding.witness.as_ref().map(|witness| &witness.object).filter(|object| is_cell(object));
                let known = cells.entry(&finding.path).or_default();
                known.extend(object.filter(|object| !known.contains(object)).cloned());
            }
            let mut diff = String::new();
            for (path, cells) in cells.iter().filter(|(_, cells)| !cells.is_empty()) {
                let file = scene.project.files.iter().find(|file| file.shown == *path);
                let Some(file) = file else { continue };
                let working = &scene.options.working_directory;
                let made = instrumented(scene.disk, scene.project, &settings, file, cells, working);
                diff.extend(made.map_err(Failure)?);
            }
            if diff.is_empty() {
                return Err(Failure(format!(
                    "{what}: no finding there is about a state with a name that could be logged"
                )));
            }
            Ok(diff)
        })
    }

    /// Hands over the findings beneath what was asked for, and the program that they are of.
    fn with_findings<T: Send>(
        &self,
        options: &Options,
        what: &str,
        work: impl FnOnce(&Scene<'_>, Asked, Outcome) -> Result<T, Failure> + Send,
    ) -> Result<T, Failure> {
        let disk = Disk::default();
        let asked = asked(&disk, options, what);
        let paths = match &asked {
            Asked::Fingerprint(_) => vec![PathBuf::from(".")],
            Asked::Line(path, _) => vec![path.clone()],
            Asked::Beneath => vec![PathBuf::from(what)],
        };
        let strict = options.strict || !matches!(asked, Asked::Beneath);
        let options = Options {
            paths,
            strict,
            baseline: BaselineFile::Ignored,
            cache: CacheDirectory::Off,
            changed_since: None,
            ..options.clone()
        };
        self.in_pool(|| {
            let (vocabulary, mut project) = self.discovered(&disk, &options)?;
            let (outcome, linked) = self.judged_with(Kept::default(), &disk, &options, &vocabulary, &mut project)?;
            let linked = linked.expect("without a cache, every answer is worked out");
            work(&Scene { disk: &disk, project: &project, linked: &linked, options: &options }, asked, outcome)
        })
    }

    /// Proves what it can of a check's findings, the surest first, until time is up. What is proved is certain, and shows the
    /// schedule that was run.
    pub(crate) fn prove_findings(
        &self,
        disk: &Disk,
        options: &Options,
        project: &Project,
        linked: &Linked,
        outcome: &mut Outcome,
    ) -> Result<(), Failure> {
        let Some(proving) = &options.prove else { return Ok(()) };
        let scene = Scene { disk, project, linked, options };
        let settings = scene.settings(&proving.how)?;
        let mut open: Vec<&mut Finding> =
            outcome.report.findings.iter_mut().filter(|finding| is_provable(&finding.rule)).collect();
        if open.is_empty() {
            return Ok(());
        }
        open.sort_by_key(|finding| std::cmp::Reverse((finding.confidence, finding.severity)));
        let session = scene.session(&settings)?;
        self.enter(Stage::Proving(open.len()));
        let time = std::time::Instant::now();
        for finding in open {
            if time.elapsed().as_secs_f64() >= proving.seconds {
                break;
            }
            let proof = scene.proof(&session, finding);
            scene.mark(finding, proof.answer);
        }
        Ok(())
    }
}

/// What a check is to prove.
#[derive(Clone, Debug)]
pub struct ProveInCheck {
    /// Seconds for all findings together; the one that is being proved when they are over is finished.
    pub seconds: f64,
    /// How code is run.
    pub how: Proving,
}

fn asked(disk: &Disk, options: &Options, what: &str) -> Asked {
    if disk.exists(&paths::absolute(Path::new(what), &options.working_directory)) {
        return Asked::Beneath;
    }
    let line = what.rsplit_once(':').and_then(|(path, line)| Some((PathBuf::from(path), line.parse().ok()?)));
    let is_digit = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    match line {
        Some((path, line)) => Asked::Line(path, line),
        None if what.len() >= SHORTEST_FINGERPRINT && what.chars().all(is_digit) => Asked::Fingerprint(what.to_owned()),
        None => Asked::Beneath,
    }
}

/// The findings that are meant and can be proved, and how many are meant that cannot.
fn chosen(asked: &Asked, what: &str, outcome: Outcome) -> Result<(Vec<Finding>, usize), Failure> {
    let mut findings = outcome.report.findings;
    match asked {
        Asked::Fingerprint(start) => {
            findings.retain(|finding| finding.fingerprint.starts_with(start));
            if findings.is_empty() {
                return Err(Failure(format!("{what}: no such path, and no finding here has such a fingerprint")));
            }
        }
        Asked::Line(_, line) => findings.retain(|finding| {
            let range = finding.range;
            finding.cell.is_none() && (range.start.line..=range.end.line).contains(line)
        }),
        Asked::Beneath => {}
    }
    let all = findings.len();
    findings.retain(|finding| is_provable(&finding.rule));
    let unprovable = all - findings.len();
    match asked {
        Asked::Fingerprint(_) if findings.is_empty() => {
            Err(Failure(format!("{what}: running the code shows nothing of findings of this kind")))
        }
        _ => Ok((findings, unprovable)),
    }
}

/// A program, and where its files lie.
struct Scene<'a> {
    disk: &'a Disk,
    project: &'a Project,
    linked: &'a Linked,
    options: &'a Options,
}

impl Scene<'_> {
    fn settings(&self, proving: &Proving) -> Result<Settings, Failure> {
        let defaults = Settings::default();
        let config = &self.project.config.prove;
        let absolute = |path: &PathBuf| paths::absolute(path, &self.options.working_directory);
        let placed =
            |files: &[(String, PathBuf)]| files.iter().map(|(kind, path)| (kind.clone(), absolute(path))).collect();
        let configured = config.hints.iter().map(|(symbol, hint)| Ok((symbol.clone(), Hint::parse(hint)?)));
        let mut hints: Vec<(String, Hint)> = configured.collect::<Result<_, String>>().map_err(Failure)?;
        hints.extend(proving.hints.iter().map(|hint| (String::new(), hint.clone())));
        Ok(Settings {
            python: proving.python.clone(),
            budget: proving.budget.or(config.budget.map(|budget| budget as f64 / 1000.0)).unwrap_or(defaults.budget),
            hints,
            tests: placed(&proving.tests),
            stress_calls: proving.stress_calls.unwrap_or(defaults.stress_calls),
            traces: placed(&proving.traces),
            against: proving.against.clone(),
            replays: proving.replays.unwrap_or(defaults.replays),
        })
    }

    fn session<'s>(&'s self, settings: &'s Settings) -> Result<Session<'s>, Failure> {
        let whole = |file: FileId| {
            let unit = &self.linked.units[file.index()];
            (unit.part == Part::Whole).then_some(unit.file)
        };
        let working = &self.options.working_directory;
        Session::new(self.disk, self.project, &self.linked.program, &whole, settings, working).map_err(Failure)
    }

    fn proof(&self, session: &Session<'_>, finding: &Finding) -> Proof {
        let subject = Subject::of(finding);
        let unit = self.unit(|unit| self.project.files[unit.file].shown == finding.path);
        let function = unit.and_then(|file| session.function_named(file, &finding.symbol));
        let Some(function) = function else {
            let answer = Answer::inconclusive("it stands in no function that can be called", "targets");
            return Proof { subject, targets: Vec::new(), besides: Vec::new(), answer };
        };
        let mut lines = vec![finding.range.start.line];
        let steps = finding.witness.iter().flat_map(|witness| &witness.steps);
        lines.extend(steps.filter(|step| step.path == finding.path).map(|step| step.line));
        lines.sort_unstable();
        lines.dedup();
        let question = Question {
            rule: Some(finding.rule.clone()),
            function,
            symbol: finding.symbol.clone(),
            lines,
            object: finding.witness.as_ref().map(|witness| witness.object.clone()),
        };
        self.told(session, subject, &question)
    }

    /// A proof of what no finding speaks of: the function around a line.
    fn proof_of_place(&self, session: &Session<'_>, path: &Path, line: u32) -> Result<Proof, Failure> {
        let path = paths::absolute(path, &self.options.working_directory);
        let shown = paths::relative(&path, &self.options.working_directory);
        let text = self.disk.read_text(&path).map_err(|reason| Failure(format!("{shown}: {reason}")))?;
        let unit = self.unit(|unit| self.project.files[unit.file].path == path);
        let bytes = SourceText::new(text).bytes_of(line);
        let function = unit.zip(bytes).and_then(|(file, (start, end))| session.function_around(file, start, end));
        let function =
            function.ok_or_else(|| Failure(format!("{shown}:{line}: no finding, and no function is there")))?;
        let symbol = self.linked.program.qualified(function);
        let subject = Subject {
            rule: None,
            path: shown,
            line,
            symbol: symbol.clone(),
            fingerprint: None,
            message: String::new(),
        };
        let question = Question { rule: None, function, symbol, lines: Vec::new(), object: None };
        Ok(self.told(session, subject, &question))
    }

    fn told(&self, session: &Session<'_>, subject: Subject, question: &Question) -> Proof {
        let mut proved = session.prove(question);
        let working = &self.options.working_directory;
        for test in &mut proved.answer.tests {
            test.path = test.path.take().map(|path| paths::relative(Path::new(&path), working));
        }
        for moment in proved.answer.timeline.iter_mut().filter(|moment| moment.line > 0) {
            moment.path = self.shown(&moment.path);
        }
        Proof { subject, targets: proved.targets, besides: proved.besides, answer: proved.answer }
    }

    /// A path that counts from the project's root as it is printed.
    fn shown(&self, path: &str) -> String {
        paths::relative(&self.project.root.join(path), &self.options.working_directory)
    }

    fn unit(&self, is_it: impl Fn(&Unit) -> bool) -> Option<FileId> {
        let at = self.linked.units.iter().position(is_it)?;
        Some(FileId(u32::try_from(at).ok()?))
    }

    /// Notes on a finding what came of running it.
    fn mark(&self, finding: &mut Finding, answer: Answer) {
        if answer.verdict != Verdict::Proved {
            return;
        }
        finding.confidence = Confidence::Certain;
        if let Some(witness) = answer.witness() {
            finding.witness = Some(witness);
        }
        let message = format!("{}: this schedule was run, and failed on the stock event loop", answer.message);
        finding.notes.insert(0, Note { kind: PROVED.to_owned(), message });
    }
}
