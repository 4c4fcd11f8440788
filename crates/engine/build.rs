//! Gives the build a name: an answer that was kept is good for the same build only, and a version number stays the same
//! while one is working on the code.

#![expect(clippy::disallowed_methods, reason = "a build script reads what is built")]

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::{env, fs};

/// The crates that answers come from.
const CRATES: [&str; 8] = ["engine", "ir", "link", "models", "project", "python", "report", "rules"];

fn main() {
    let package = env::var_os("CARGO_MANIFEST_DIR").expect("cargo names the package's folder");
    let crates = Path::new(&package).join("..");
    let mut folders: Vec<PathBuf> = CRATES.iter().map(|name| crates.join(name).join("src")).collect();
    folders.push(crates.join("../models"));
    // A file that is added changes the folder.
    folders.iter().for_each(|folder| println!("cargo::rerun-if-changed={}", folder.display()));
    let mut files: Vec<PathBuf> = folders.iter().flat_map(|folder| sources(folder)).collect();
    files.push(crates.join("../Cargo.lock"));
    let mut hasher = DefaultHasher::new();
    for file in files {
        println!("cargo::rerun-if-changed={}", file.display());
        let name = file.strip_prefix(&crates).expect("it was found beneath them");
        (name, fs::read(&file).expect("a listed file can be read")).hash(&mut hasher);
    }
    println!("cargo::rustc-env=RACEWALK_BUILD={:016x}", hasher.finish());
}

/// Code and models beneath a directory, sorted.
fn sources(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).expect("a folder of the workspace can be read").flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    let expand = |path: PathBuf| if path.is_dir() { sources(&path) } else { vec![path] };
    let found = paths.into_iter().flat_map(expand);
    found.filter(|path| path.extension().is_some_and(|ending| ending == "rs" || ending == "toml")).collect()
}
