//! Loading what is known of the libraries that a program uses.

use racewalk_ir::{Module, Name};
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
    Models::load("python", &import_roots(modules), extra).map_err(Failure)
}

fn import_roots(modules: &[Module]) -> FxHashSet<Name> {
    modules.iter().flat_map(|module| &module.imports).map(|path| Name::new(path.first_segment())).collect()
}
