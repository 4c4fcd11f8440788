//! `racewalk cache`.

use crate::arguments::{CacheArguments, CacheCommand};
use crate::check::default_options;
use crate::output;
use racewalk_engine::{CacheDirectory, Engine, Options};
use std::path::PathBuf;
use std::process::ExitCode;

/// The environment variable that names the directory where no option does.
const VARIABLE: &str = "RACEWALK_CACHE_DIR";

const NOWHERE: &str = "nothing marks a project here, so no answers are kept: name a directory with --cache-dir";

/// Removes what is kept, or says where that is.
pub(crate) fn run(command: &CacheCommand) -> Result<ExitCode, String> {
    let engine = Engine::default();
    let text = match command {
        CacheCommand::Clean(arguments) => {
            let cleared = engine.clear_cache(&options(arguments)?).ok_or(NOWHERE)?;
            let answers = output::count(cleared.entries, "answer");
            format!("{answers} ({} kB) removed from {}\n", cleared.bytes.div_ceil(1000), cleared.directory)
        }
        CacheCommand::Dir(arguments) => {
            let directory = engine.cache_directory(&options(arguments)?).ok_or(NOWHERE)?;
            format!("{}\n", directory.display())
        }
    };
    output::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// The directory that an option names, else the environment, else the project's own.
pub(crate) fn directory(named: &Option<PathBuf>) -> CacheDirectory {
    let variable = || std::env::var_os(VARIABLE).filter(|value| !value.is_empty()).map(PathBuf::from);
    named.clone().or_else(variable).map_or(CacheDirectory::Project, CacheDirectory::Named)
}

fn options(arguments: &CacheArguments) -> Result<Options, String> {
    Ok(Options { cache: directory(&arguments.cache_dir), ..default_options(&arguments.paths)? })
}
