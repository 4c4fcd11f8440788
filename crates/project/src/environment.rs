//! Installed packages: where a virtual environment keeps them.

use crate::disk::Disk;
use std::path::{Path, PathBuf};

/// The `site-packages` directories of the environment: the one that was given, else one that lies in the project.
pub(crate) fn site_packages(disk: &Disk, given: Option<&Path>, root: &Path) -> Result<Vec<PathBuf>, String> {
    if let Some(given) = given {
        let found = installed_in(disk, given);
        if found.is_empty() {
            return Err(format!("{}: no virtual environment (it has no lib/python*/site-packages)", given.display()));
        }
        return Ok(found);
    }
    let own = [".venv", "venv"].map(|name| installed_in(disk, &root.join(name)));
    Ok(own.into_iter().find(|found| !found.is_empty()).unwrap_or_default())
}

/// Takes the environment's directory, or the interpreter in it.
fn installed_in(disk: &Disk, environment: &Path) -> Vec<PathBuf> {
    let home = if disk.is_file(environment) { environment.parent().and_then(Path::parent) } else { Some(environment) };
    let Some(home) = home else { return Vec::new() };
    let versions = ["lib", "lib64"].into_iter().flat_map(|name| disk.entries(&home.join(name)));
    let unix =
        versions.filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("python")));
    let mut found: Vec<PathBuf> = unix.map(|path| path.join("site-packages")).collect();
    found.push(home.join("Lib").join("site-packages"));
    found.retain(|path| disk.is_dir(path));
    // `lib64` is usually a link to `lib`.
    let mut seen = Vec::new();
    found.retain(|path| {
        disk.follow(path).is_ok_and(|real| {
            !seen.contains(&real) && {
                seen.push(real);
                true
            }
        })
    });
    found
}
