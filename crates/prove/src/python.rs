//! Which Python runs the code: the one that is named, the project's own, the active one, the system's.

use racewalk_project::{Disk, paths};
use std::path::{Path, PathBuf};

/// Where an environment has its interpreter.
const INSIDE: [&str; 4] = ["bin/python3", "bin/python", "Scripts/python.exe", "python.exe"];

/// The interpreter to run; `given` is an environment, its interpreter, or its directory of packages.
///
/// # Errors
/// Says what to do when there is none.
pub(crate) fn find(disk: &Disk, given: Option<&Path>, root: &Path, working: &Path) -> Result<PathBuf, String> {
    if let Some(given) = given {
        let given = paths::absolute(given, working);
        let named = if disk.is_file(&given) { Some(given.clone()) } else { None };
        // From what isn't there, the way up leads to the system's own.
        let around = if disk.is_dir(&given) { 4 } else { 0 };
        let inside = || given.ancestors().take(around).find_map(|directory| interpreter(disk, directory));
        let shown = paths::relative(&given, working);
        return named
            .or_else(inside)
            .ok_or_else(|| format!("{shown}: no Python there; name a virtual environment, or the interpreter in it"));
    }
    let own = [".venv", "venv"].into_iter().find_map(|name| interpreter(disk, &root.join(name)));
    let active = || interpreter(disk, Path::new(&std::env::var_os("VIRTUAL_ENV")?));
    own.or_else(active).or_else(|| on_path(disk)).ok_or_else(|| {
        "no Python was found to run the code with: name an interpreter or a virtual environment with --python"
            .to_owned()
    })
}

fn interpreter(disk: &Disk, environment: &Path) -> Option<PathBuf> {
    INSIDE.iter().map(|inside| environment.join(inside)).find(|path| disk.is_file(path))
}

fn on_path(disk: &Disk) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let directories: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let names = if cfg!(windows) { ["python.exe", "python3.exe"] } else { ["python3", "python"] };
    let candidates = names.iter().flat_map(|name| directories.iter().map(move |directory| directory.join(name)));
    candidates.into_iter().find(|path| disk.is_file(path))
}
