//! `racewalk check`.

use crate::arguments::{self, CheckArguments, Format};
use crate::profile::{self, Profile};
use crate::{cache, consent, output, progress};
use racewalk_engine::report::{self, Severity, Skipped};
use racewalk_engine::{BaselineFile, CacheDirectory, Engine, FailOn, Options, Outcome, ProveInCheck, Proving};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Checks, prints, and says by the exit status whether something was found.
pub(crate) fn run(arguments: &CheckArguments) -> Result<ExitCode, String> {
    let profile = arguments.profile.then(Profile::start);
    let outcome = check(arguments, profile.as_ref())?;
    if let Some(profile) = &profile {
        profile.printing();
    }
    output::print(&render(arguments, &outcome))?;
    if let Some(profile) = profile {
        output::aside(&profile.table(&outcome));
    }
    tell_skipped(&outcome.report.summary.skipped);
    if let Some(number @ 1..) = outcome.report.summary.baselined {
        output::note(&format!("the baseline holds back {}", output::count(number, "finding")));
    }
    if let (Some(revision), Some(since)) = (&arguments.changed_since, &outcome.report.summary.changed_since) {
        let verb = if since.held_back == 1 { "was" } else { "were" };
        output::note(&format!("{} {verb} there at {revision} already", output::count(since.held_back, "finding")));
    }
    let configured = outcome.fail_on.unwrap_or(FailOn::AtLeast(Severity::Warning));
    let fail_on = arguments.fail_on.map_or(configured, threshold);
    let failed = outcome.report.findings.iter().any(|finding| fail_on.fails(finding.severity));
    Ok(ExitCode::from(u8::from(failed)))
}

fn check(arguments: &CheckArguments, profile: Option<&Profile>) -> Result<Outcome, String> {
    let options = options(arguments)?;
    if options.prove.is_some() {
        consent::ask(&options, arguments.yes)?;
    }
    let text = match stdin_name(arguments)? {
        Some(name) => Some((name, read_stdin()?)),
        None => None,
    };
    let work = |engine: &Engine| match text {
        Some((name, text)) => engine.check_text(&options, name, text),
        None => engine.check(&options),
    };
    match profile {
        Some(profile) => progress::watch_with(Engine::default().measured(profile::CLOCKS), profile.teller(), work),
        None => progress::watch(work),
    }
}

/// Options that say nothing but which paths are meant.
pub(crate) fn default_options(paths: &[PathBuf]) -> Result<Options, String> {
    let working = std::env::current_dir().map_err(|error| format!("no working directory: {error}"))?;
    let mut options = Options::new(working);
    if !paths.is_empty() {
        options.paths = paths.to_vec();
    }
    Ok(options)
}

fn options(arguments: &CheckArguments) -> Result<Options, String> {
    let mut options = default_options(&arguments.paths)?;
    options.isolated = arguments.isolated;
    options.strict = arguments.strict;
    options.select.clone_from(&arguments.select);
    options.ignore.clone_from(&arguments.ignore);
    options.config.clone_from(&arguments.config);
    options.python.clone_from(&arguments.python);
    options.changed_since.clone_from(&arguments.changed_since);
    options.cache = if arguments.no_cache { CacheDirectory::Off } else { cache::directory(&arguments.cache_dir) };
    options.baseline = match &arguments.baseline {
        _ if arguments.no_baseline => BaselineFile::Ignored,
        Some(file) => BaselineFile::Named(file.clone()),
        None => BaselineFile::Project,
    };
    options.prove = arguments.prove.then(|| ProveInCheck {
        seconds: arguments.prove_budget,
        how: Proving { python: arguments.python.clone(), ..Proving::default() },
    });
    Ok(options)
}

/// The name of what standard input holds, when that is what is checked.
fn stdin_name(arguments: &CheckArguments) -> Result<Option<PathBuf>, String> {
    let dash = arguments.paths.iter().any(|path| path == Path::new("-"));
    if arguments.paths.len() > usize::from(dash) && (dash || arguments.stdin_filename.is_some()) {
        return Err("standard input is checked alone: give no other PATH with `-` or --stdin-filename".to_owned());
    }
    if dash && arguments.changed_since.is_some() {
        return Err("--changed-since compares files, and standard input is none".to_owned());
    }
    let name = arguments.stdin_filename.clone();
    Ok(if dash { Some(name.unwrap_or_else(|| PathBuf::from("stdin.py"))) } else { name })
}

fn read_stdin() -> Result<String, String> {
    let mut text = String::new();
    let read = std::io::stdin().read_to_string(&mut text);
    read.map_err(|error| format!("standard input: {error}"))?;
    Ok(text)
}

fn render(arguments: &CheckArguments, outcome: &Outcome) -> String {
    match arguments.output_format {
        Format::Json => report::json(&outcome.report),
        Format::Sarif => report::sarif(&outcome.report),
        Format::Github => report::github(&outcome.report),
        Format::Markdown => report::markdown(&outcome.report),
        _ if arguments.statistics => report::statistics(&outcome.report),
        Format::Concise => report::concise(&outcome.report),
        Format::Full => report::full(&outcome.report, &outcome.sources, output::width()),
    }
}

/// Says on standard error what was not analysed.
pub(crate) fn tell_skipped(skipped: &[Skipped]) {
    for skipped in skipped {
        output::warning(&describe(skipped));
    }
}

fn describe(skipped: &Skipped) -> String {
    match skipped.line {
        0 => format!("{}: {}", skipped.path, skipped.reason),
        line => format!("{}:{line}: {}", skipped.path, skipped.reason),
    }
}

fn threshold(fail_on: arguments::FailOn) -> FailOn {
    match fail_on {
        arguments::FailOn::Hint => FailOn::AtLeast(Severity::Hint),
        arguments::FailOn::Warning => FailOn::AtLeast(Severity::Warning),
        arguments::FailOn::Error => FailOn::AtLeast(Severity::Error),
        arguments::FailOn::Never => FailOn::Never,
    }
}
