//! `racewalk inventory`.

use crate::arguments::{InventoryArguments, InventoryFormat};
use crate::check::{default_options, tell_skipped};
use crate::{output, progress};
use racewalk_engine::Options;
use racewalk_engine::report::inventory;
use std::process::ExitCode;

/// Lists what is there, and prints it.
pub(crate) fn run(arguments: &InventoryArguments) -> Result<ExitCode, String> {
    let options = options(arguments)?;
    let format = arguments.output_format;
    let calls = arguments.all || format == InventoryFormat::Json;
    let found = progress::watch(|engine| engine.inventory(&options, calls))?;
    output::print(&match format {
        InventoryFormat::Text => inventory::text(&found, arguments.all),
        InventoryFormat::Json => inventory::json(&found),
        InventoryFormat::Markdown => inventory::markdown(&found, arguments.all),
    })?;
    tell_skipped(&found.summary.skipped);
    Ok(ExitCode::SUCCESS)
}

fn options(arguments: &InventoryArguments) -> Result<Options, String> {
    let mut options = default_options(&arguments.targets)?;
    options.isolated = arguments.isolated;
    options.strict = arguments.strict;
    options.config.clone_from(&arguments.config);
    options.python.clone_from(&arguments.python);
    Ok(options)
}
