//! Go's modules: by which path a directory's package is imported, and for which Go it is written.

use crate::disk::Disk;
use rustc_hash::FxHashMap;
use std::path::{Path, PathBuf};

/// What a manifest (`go.mod`) says.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Manifest {
    /// The directory that it stands in.
    root: PathBuf,
    /// The path under which its packages are imported.
    path: String,
    version: u32,
}

/// The modules that directories belong to.
#[derive(Debug, Default)]
pub struct GoModules {
    of: FxHashMap<PathBuf, Option<Manifest>>,
}

/// A directory as a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoPackage {
    /// The path by which it is imported.
    pub path: String,
    /// The minor version of Go that it is written for: 22 for Go 1.22.
    pub version: u32,
    /// It is a copy of other people's code.
    pub is_vendored: bool,
}

/// Where no manifest says otherwise, the newest Go that is known is meant.
const NEWEST: u32 = 27;

/// A manifest that names no version was written for this one.
const UNNAMED: u32 = 16;

impl GoModules {
    /// The package in a directory, which counts from `top` where no manifest stands above it.
    pub fn package(&mut self, disk: &Disk, directory: &Path, top: &Path) -> GoPackage {
        let manifest = self.manifest(disk, directory);
        let (root, version) = match &manifest {
            Some(manifest) => (manifest.root.as_path(), manifest.version),
            None => (top, NEWEST),
        };
        let inside = directory.strip_prefix(root).unwrap_or(directory).to_string_lossy().replace('\\', "/");
        let vendored = format!("/{inside}");
        if let Some((_, path)) = vendored.rsplit_once("/vendor/") {
            return GoPackage { path: path.to_owned(), version, is_vendored: true };
        }
        // The standard library is imported without the name of its module.
        let module = manifest.as_ref().map_or("", |manifest| manifest.path.as_str()).trim_start_matches("std");
        let path = match (module, inside.as_str()) {
            (module, "") => module.to_owned(),
            ("", inside) => inside.to_owned(),
            (module, inside) => format!("{module}/{inside}"),
        };
        GoPackage { path: if path.is_empty() { ".".to_owned() } else { path }, version, is_vendored: false }
    }

    fn manifest(&mut self, disk: &Disk, directory: &Path) -> Option<Manifest> {
        if let Some(known) = self.of.get(directory) {
            return known.clone();
        }
        let file = directory.join("go.mod");
        let found = match disk.is_file(&file).then(|| disk.read_text(&file).ok()).flatten() {
            Some(text) => Some(parsed(&text, directory)),
            None => directory.parent().and_then(|parent| self.manifest(disk, parent)),
        };
        self.of.insert(directory.to_owned(), found.clone());
        found
    }
}

fn parsed(text: &str, root: &Path) -> Manifest {
    let said = |word: &str| {
        let mut lines = text.lines().map(|line| line.split("//").next().unwrap_or_default().trim());
        lines.find_map(|line| {
            Some(line.strip_prefix(word)?.strip_prefix([' ', '\t'])?.trim().trim_matches('"').to_owned())
        })
    };
    let minor = |version: String| version.strip_prefix("1.")?.split(['.', 'r', 'b']).next()?.parse().ok();
    Manifest {
        root: root.to_owned(),
        path: said("module").unwrap_or_default(),
        version: said("go").and_then(minor).unwrap_or(UNNAMED),
    }
}
