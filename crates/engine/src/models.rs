//! Loading what is known of the libraries that a program uses.

use racewalk_ir::{Module, Name};
use racewalk_javascript::import_path;
use racewalk_models::Models;
use racewalk_project::{Disk, Failure, paths};
use rustc_hash::FxHashSet;
use std::path::{Path, PathBuf};

/// Model files of the user's own, each with its path for messages.
pub(crate) type Extra = Vec<(String, String)>;

/// Reads the user's own model files.
pub(crate) fn read(disk: &Disk, paths: &[PathBuf], working: &Path) -> Result<Extra, Failure> {
    let read = |path: &PathBuf| {
        let shown = paths::relative(path, working);
        let text = disk.read_text(path).map_err(|reason| Failure(format!("model file {shown}: {reason}")))?;
        Ok((shown, text))
    };
    paths.iter().map(read).collect()
}

/// The models for everything that the modules import, and the user's own.
pub(crate) fn load(extra: &Extra, modules: &[Module]) -> Result<Models, Failure> {
    let mut languages: Vec<(&str, &str)> =
        modules.iter().map(|module| (module.language.name, module.language.builtins)).collect();
    languages.sort_unstable();
    languages.dedup();
    Models::load(&languages, &import_roots(modules), extra).map_err(Failure)
}

fn import_roots(modules: &[Module]) -> FxHashSet<Name> {
    let by_path = |module: &&Module| module.language == &racewalk_javascript::LANGUAGE;
    let dotted = modules.iter().filter(|module| !by_path(module)).flat_map(|module| &module.imports);
    let specifiers = modules.iter().filter(by_path).flat_map(|module| &module.imports);
    let dotted = dotted.map(|path| Name::new(path.first_segment()));
    dotted.chain(specifiers.flat_map(|specifier| paths_of(specifier.as_str()))).collect()
}

/// The path of what a specifier names, and that of the package around it.
fn paths_of(specifier: &str) -> [Name; 2] {
    let segments = if specifier.starts_with('@') { 2 } else { 1 };
    let end = specifier.match_indices('/').nth(segments - 1).map_or(specifier.len(), |(at, _)| at);
    [import_path(specifier), import_path(&specifier[..end])]
}
