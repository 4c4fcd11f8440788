//! `racewalk baseline`.

use crate::arguments::{BaselineArguments, BaselineCommand};
use crate::check::{self, default_options};
use crate::{output, progress};
use racewalk_engine::{BaselineFile, Options, report};
use std::fmt::Write;
use std::process::ExitCode;

/// Changes the baseline, and prints what has changed in it.
pub(crate) fn run(command: &BaselineCommand) -> Result<ExitCode, String> {
    let (text, skipped) = match command {
        BaselineCommand::Update { baseline, strict, select, ignore } => {
            let mut options = options(baseline)?;
            options.strict = *strict;
            options.select.clone_from(select);
            options.ignore.clone_from(ignore);
            update(&options)?
        }
        BaselineCommand::Prune(baseline) => prune(&options(baseline)?)?,
    };
    output::print(&text)?;
    check::tell_skipped(&skipped);
    Ok(ExitCode::SUCCESS)
}

fn options(arguments: &BaselineArguments) -> Result<Options, String> {
    let mut options = default_options(&arguments.paths)?;
    options.isolated = arguments.isolated;
    options.config.clone_from(&arguments.config);
    options.python.clone_from(&arguments.python);
    if let Some(file) = &arguments.baseline {
        options.baseline = BaselineFile::Named(file.clone());
    }
    Ok(options)
}

fn update(options: &Options) -> Result<(String, Vec<report::Skipped>), String> {
    let update = progress::watch(|engine| engine.update_baseline(options))?;
    let mut text = report::concise(&update.added);
    let added = output::count(update.added.findings.len(), "finding");
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{added} added to {}, which holds {} now.", update.file, update.held);
    Ok((text, update.added.summary.skipped))
}

fn prune(options: &Options) -> Result<(String, Vec<report::Skipped>), String> {
    let pruning = progress::watch(|engine| engine.prune_baseline(options))?;
    let mut text = String::new();
    for known in &pruning.removed {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{}: [{}] {}", known.path, known.rule, known.message);
    }
    let removed = output::count(pruning.removed.len(), "finding");
    let _ = writeln!(text, "{removed} removed from {}, which holds {} now.", pruning.file, pruning.held);
    Ok((text, pruning.skipped))
}
