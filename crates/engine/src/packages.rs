//! Go's packages: the files of a directory are one module.

use crate::costs::Files;
use crate::lower::{Part, Piece, Unit};
use racewalk_go::{Package, header, joined, lower_noting};
use racewalk_ir::{Module, Name};
use racewalk_project::{Disk, GoModules, GoPackage, Kind, SourceFile};
use racewalk_report::{Skipped, SourceText};
use rustc_hash::FxHashMap;
use std::path::Path;

/// Files in one directory, by their places in the project's list.
pub(crate) struct Directory {
    files: Vec<usize>,
    package: GoPackage,
}

/// What lowering a directory gives.
#[derive(Default)]
pub(crate) struct Lowered {
    pub(crate) parts: Vec<(Unit, Module)>,
    pub(crate) skipped: Vec<Skipped>,
}

/// The directories with Go in them, in the order of their files.
pub(crate) fn directories(disk: &Disk, files: &[SourceFile]) -> Vec<Directory> {
    let mut modules = GoModules::default();
    let mut found: Vec<Directory> = Vec::new();
    let mut at: FxHashMap<&Path, usize> = FxHashMap::default();
    for (index, file) in files.iter().enumerate().filter(|(_, file)| file.kind == Kind::Go) {
        let directory = file.path.parent().unwrap_or(&file.path);
        let position = *at.entry(directory).or_insert_with(|| {
            let depth = file.rooted.matches('/').count();
            let top = directory.ancestors().nth(depth).unwrap_or(directory);
            found.push(Directory { files: Vec::new(), package: modules.package(disk, directory, top) });
            found.len() - 1
        });
        found[position].files.push(index);
    }
    found
}

/// Reads and lowers the packages in a directory: one, and the one that tests it from outside.
pub(crate) fn lower(disk: &Disk, files: &[SourceFile], directory: &Directory, costs: &Files) -> Lowered {
    let mut lowered = Lowered::default();
    let mut packages: Vec<(String, Vec<(usize, String)>)> = Vec::new();
    for index in &directory.files {
        let file = &files[*index];
        let text = match disk.read_text(&file.path) {
            Ok(text) => text,
            Err(reason) if file.reported => {
                lowered.skipped.push(Skipped { path: file.shown.clone(), line: 0, reason });
                continue;
            }
            Err(_) => continue,
        };
        let name = file.path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let package = match header(name, &text) {
            Some(header) if !header.is_built => continue,
            Some(header) => header.package.to_owned(),
            None => String::new(),
        };
        match packages.iter_mut().find(|(known, _)| *known == package) {
            Some((_, members)) => members.push((*index, text)),
            None => packages.push((package, vec![(*index, text)])),
        }
    }
    // Most files tell which package the directory is; another one is a program beside it, or its tests.
    packages.sort_by_key(|(_, members)| std::cmp::Reverse(members.len()));
    packages.sort_by_key(|(name, _)| name.ends_with("_test"));
    for (position, (name, members)) in packages.iter().enumerate() {
        let path = match position {
            0 => directory.package.path.clone(),
            _ => format!("{}.{name}", directory.package.path),
        };
        lowered.parts.push(lower_package(files, members, &path, &directory.package, costs));
    }
    lowered
}

fn lower_package(
    files: &[SourceFile],
    members: &[(usize, String)],
    path: &str,
    directory: &GoPackage,
    costs: &Files,
) -> (Unit, Module) {
    let mut pieces = Vec::new();
    let (mut start, mut first_line, mut lines) = (0, 1, 0);
    for (file, text) in members {
        pieces.push(Piece { file: *file, start, first_line });
        let count = memchr::memchr_iter(b'\n', text.as_bytes()).count();
        start += text.len() as u32 + 1;
        first_line += count as u32 + 1;
        lines += if files[*file].reported { count + usize::from(!text.is_empty() && !text.ends_with('\n')) } else { 0 };
    }
    let texts: Vec<&str> = members.iter().map(|(_, text)| text.as_str()).collect();
    let package = Package {
        path: Name::new(path),
        texts: &texts,
        version: directory.version,
        signatures_only: directory.is_vendored,
    };
    let module = costs.measured(|is_parsed| lower_noting(package, is_parsed));
    let first = members.iter().map(|(file, _)| *file).find(|file| files[*file].reported);
    let file = first.or(members.first().map(|(file, _)| *file)).unwrap_or_default();
    (Unit { file, part: Part::Files(pieces), lines }, module)
}

/// The text of a package, read again.
pub(crate) fn text(disk: &Disk, files: &[SourceFile], pieces: &[Piece]) -> SourceText {
    let texts: Vec<String> =
        pieces.iter().map(|piece| disk.read_text(&files[piece.file].path).unwrap_or_default()).collect();
    SourceText::new(joined(texts.iter().map(String::as_str)))
}
