//! `racewalk prove`.

use crate::arguments::{ProofFormat, ProveArguments};
use crate::check::default_options;
use crate::{cache, consent, output, progress};
use racewalk_engine::report::proof::{Proofs, Verdict};
use racewalk_engine::{Options, Proving};
use std::process::ExitCode;

/// Proves, prints, and says by the exit status whether something was proved (1), or nothing was, and something could not be
/// settled (3).
pub(crate) fn run(arguments: &ProveArguments) -> Result<ExitCode, String> {
    let options = options(arguments)?;
    let what = arguments.what.as_deref().unwrap_or(".");
    let proving = proving(arguments);
    if arguments.instrument {
        output::print(&progress::watch(|engine| engine.instrument(&options, what, &proving))?)?;
        return Ok(ExitCode::SUCCESS);
    }
    consent::ask(&options, arguments.yes)?;
    let proofs = progress::watch(|engine| engine.prove(&options, what, &proving))?;
    output::print(&match arguments.output_format {
        ProofFormat::Text => proofs.text(output::width()),
        ProofFormat::Json => proofs.json(),
    })?;
    Ok(ExitCode::from(status(&proofs)))
}

fn status(proofs: &Proofs) -> u8 {
    let is_wrong = proofs.proofs.iter().any(|proof| match &proof.answer.fix {
        Some(fix) => fix.verdict != "fixed",
        None => proof.answer.verdict == Verdict::Proved,
    });
    let unsettled = proofs.count(Verdict::Inconclusive) + proofs.count(Verdict::NotRunnable);
    match (is_wrong, unsettled) {
        (true, _) => 1,
        (false, 0) => 0,
        (false, _) => 3,
    }
}

fn options(arguments: &ProveArguments) -> Result<Options, String> {
    let mut options = default_options(&[])?;
    options.strict = arguments.strict;
    options.isolated = arguments.isolated;
    options.select.clone_from(&arguments.select);
    options.ignore.clone_from(&arguments.ignore);
    options.config.clone_from(&arguments.config);
    options.cache = cache::directory(&None);
    Ok(options)
}

fn proving(arguments: &ProveArguments) -> Proving {
    let number = |number: Option<u32>| number.map(|number| number as usize);
    Proving {
        python: arguments.python.clone(),
        budget: arguments.budget,
        hints: arguments.hints.clone(),
        tests: arguments.tests.clone(),
        stress_calls: number(arguments.calls),
        traces: arguments.traces.clone(),
        against: arguments.against.clone(),
        replays: number(arguments.replays),
    }
}
