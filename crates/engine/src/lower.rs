//! Reading and lowering all files, in parallel.

use crate::costs::Files;
use crate::packages;
use racewalk_ir::{Event, Module, Name};
use racewalk_javascript::Syntax;
use racewalk_project::{Disk, Kind, SourceFile, markdown};
use racewalk_python::{Source, lower as lower_python, lower_noting, notebook_source, parse as parse_python};
use racewalk_report::{Shown, Skipped, SourceText};
use rayon::prelude::*;
use rustc_hash::FxHashMap;
use std::path::{Path, PathBuf};

/// One module of the program: a file, or a part of one.
#[derive(Debug)]
pub(crate) struct Unit {
    /// Its file, in the project's list.
    pub(crate) file: usize,
    /// Which part of it.
    pub(crate) part: Part,
    /// Lines of code in it.
    pub(crate) lines: usize,
}

/// Which part of its file a module is, and so how its lines are counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// All of it.
    Whole,
    /// The code cells of a notebook: the line where each starts, and its number.
    Cells(Vec<(u32, u32)>),
    /// All of several files, joined.
    Files(Vec<Piece>),
    /// A code block.
    Block {
        /// Its position among the blocks.
        index: usize,
        /// The line before its first.
        fence_line: u32,
        /// How far it is indented.
        indent: u32,
    },
}

/// A file that is a part of a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    /// The file, in the project's list.
    pub(crate) file: usize,
    /// Where its text begins in the module's, in bytes.
    pub(crate) start: u32,
    /// The line of the module's text that is its first.
    pub(crate) first_line: u32,
}

impl Unit {
    /// The file that this place of the module stands in.
    pub(crate) fn file_at(&self, offset: u32) -> usize {
        match &self.part {
            Part::Files(pieces) => {
                let after = pieces.partition_point(|piece| piece.start <= offset);
                pieces[..after].last().map_or(self.file, |piece| piece.file)
            }
            _ => self.file,
        }
    }
}

/// All modules of a program. `units` and `modules` go in step.
#[derive(Default)]
pub(crate) struct Lowered {
    pub(crate) units: Vec<Unit>,
    pub(crate) modules: Vec<Module>,
    /// Files that could not be read at all.
    pub(crate) skipped: Vec<Skipped>,
}

/// Modules of another program, by the path and name of their file: what both have is lowered once.
pub(crate) type Kept = FxHashMap<(PathBuf, String), Parts>;

/// The modules in one file.
type Parts = Vec<(Unit, Module)>;

/// Reads and lowers the files that are not kept already. A text is dropped as soon as it is lowered.
pub(crate) fn lower(disk: &Disk, files: &[SourceFile], mut kept: Kept, costs: &Files) -> Lowered {
    let kept: Vec<_> = files.iter().map(|file| kept.remove(&(file.path.clone(), own_name(file).to_owned()))).collect();
    let lower = |((index, file), kept): ((usize, &SourceFile), Option<Parts>)| match kept {
        _ if file.kind == Kind::Go => Ok(Vec::new()),
        Some(kept) => Ok(kept.into_iter().map(|(unit, module)| (Unit { file: index, ..unit }, module)).collect()),
        None => lower_file(disk, file, index, costs),
    };
    let lowered: Vec<Result<_, _>> = files.par_iter().enumerate().zip(kept).map(lower).collect();
    let mut all = Lowered::default();
    for (file, result) in files.iter().zip(lowered) {
        match result {
            Ok(parts) => {
                let (units, modules): (Vec<Unit>, Vec<Module>) = parts.into_iter().unzip();
                all.units.extend(units);
                all.modules.extend(modules);
            }
            Err(reason) if file.reported => all.skipped.push(Skipped { path: file.shown.clone(), line: 0, reason }),
            Err(_) => {}
        }
    }
    let directories = packages::directories(disk, files);
    let lowered: Vec<packages::Lowered> =
        directories.par_iter().map(|directory| packages::lower(disk, files, directory, costs)).collect();
    for directory in lowered {
        let (units, modules): (Vec<Unit>, Vec<Module>) = directory.parts.into_iter().unzip();
        all.units.extend(units);
        all.modules.extend(modules);
        all.skipped.extend(directory.skipped);
    }
    all
}

/// The modules in a file that has this place in the project's list.
pub(crate) fn lower_file(disk: &Disk, file: &SourceFile, index: usize, costs: &Files) -> Result<Parts, String> {
    let lower = |(part, text): (Part, String)| {
        let module = costs.measured(|is_parsed| lower_part(file, &part, &text, is_parsed));
        if part == Part::Whole && !module.problems.is_empty() && is_template(&text) {
            return Err("a template that Python is made from, by its placeholders: it was left out".to_owned());
        }
        Ok((Unit { file: index, part, lines: line_count(&text) }, module))
    };
    parts(disk, file)?.into_iter().map(lower).collect()
}

/// Some line is a placeholder or an instruction of a template language. Of a text that Python cannot read, that explains why.
fn is_template(text: &str) -> bool {
    text.lines().map(str::trim_start).any(|line| {
        let has_placeholder = line.find("{{ ").is_some_and(|start| line[start..].contains(" }}"));
        has_placeholder || line.starts_with("{%") || line.starts_with("# % ")
    })
}

/// As many as `text.lines()` gives.
fn line_count(text: &str) -> usize {
    memchr::memchr_iter(b'\n', text.as_bytes()).count() + usize::from(!text.is_empty() && !text.ends_with('\n'))
}

/// The modules in a file, as texts.
pub(crate) fn parts(disk: &Disk, file: &SourceFile) -> Result<Vec<(Part, String)>, String> {
    let text = disk.read_text(&file.path)?;
    match file.kind {
        Kind::Script => match racewalk_javascript::unreadable(&text) {
            Some(why) => Err(why.to_owned()),
            None => Ok(vec![(Part::Whole, text)]),
        },
        Kind::Source | Kind::Stub | Kind::Go => Ok(vec![(Part::Whole, text)]),
        Kind::Notebook => {
            let notebook =
                notebook_source(&text).map_err(|reason| format!("not a notebook that can be read: {reason}"))?;
            Ok(vec![(Part::Cells(notebook.cells), notebook.text)])
        }
        Kind::Markdown => Ok(blocks(&text)),
    }
}

/// The text of a module, read again: few are asked for after lowering, so none is kept.
pub(crate) fn text(disk: &Disk, files: &[SourceFile], unit: &Unit) -> SourceText {
    if let Part::Files(pieces) = &unit.part {
        return packages::text(disk, files, pieces);
    }
    let parts = parts(disk, &files[unit.file]).unwrap_or_default();
    let text = parts.into_iter().find(|(part, _)| *part == unit.part).map(|(_, text)| text);
    SourceText::new(text.unwrap_or_default())
}

/// A file's text as it is shown.
pub(crate) fn shown(disk: &Disk, path: &Path, kind: Kind) -> Result<Shown, String> {
    let text = disk.read_text(path)?;
    let (text, cells) = match kind {
        Kind::Notebook => notebook_source(&text).map(|notebook| (notebook.text, notebook.cells))?,
        Kind::Source | Kind::Stub | Kind::Markdown | Kind::Script | Kind::Go => (text, Vec::new()),
    };
    Ok(Shown { text: SourceText::new(text), cells })
}

/// Reads and parses the files, and keeps nothing.
pub(crate) fn parse_only(disk: &Disk, files: &[SourceFile]) {
    files.par_iter().for_each(|file| {
        for (part, text) in parts(disk, file).unwrap_or_default() {
            match script(file, &text) {
                Some(source) => racewalk_javascript::parse(source),
                None if file.kind == Kind::Go => racewalk_go::parse(&text),
                None => parse_python(source(file, &part, &text)),
            };
        }
    });
}

fn blocks(text: &str) -> Vec<(Part, String)> {
    let blocks = markdown::blocks(text).into_iter().filter(markdown::Block::is_python).enumerate();
    let part = |(index, block): (usize, markdown::Block<'_>)| {
        (Part::Block { index, fence_line: block.fence_line, indent: block.indent as u32 }, block.text)
    };
    blocks.map(part).collect()
}

fn lower_part(file: &SourceFile, part: &Part, text: &str, is_parsed: &mut dyn FnMut()) -> Module {
    if let Some(source) = script(file, text) {
        return racewalk_javascript::lower_noting(source, is_parsed);
    }
    let source = source(file, part, text);
    let module = lower_noting(source, is_parsed);
    // A fragment in a document that awaits at its top level is meant for a prompt that allows it.
    if file.kind == Kind::Markdown && suspends_at_top(&module) {
        return lower_python(Source { is_notebook: true, ..source });
    }
    module
}

/// The file as JavaScript or TypeScript, when it is that.
fn script<'a>(file: &SourceFile, text: &'a str) -> Option<racewalk_javascript::Source<'a>> {
    let name = file.path.file_name().and_then(|name| name.to_str()).filter(|_| file.kind == Kind::Script)?;
    let syntax = Syntax::of_file(name).unwrap_or(Syntax::JavaScript);
    Some(racewalk_javascript::Source { text, name: Name::new(own_name(file)), syntax })
}

fn source<'a>(file: &SourceFile, part: &Part, text: &'a str) -> Source<'a> {
    let name = own_name(file);
    let name = match part {
        Part::Block { index, .. } => Name::new(&format!("{name}.block{}", index + 1)),
        _ => Name::new(name),
    };
    Source {
        text,
        name,
        is_package: file.is_package,
        is_stub: file.kind == Kind::Stub,
        is_notebook: file.kind == Kind::Notebook,
        signatures_only: file.is_installed(),
    }
}

/// The dotted name that counts inside of the file.
pub(crate) fn own_name(file: &SourceFile) -> &str {
    file.names.first().map_or("", |name| name.text.as_str())
}

fn suspends_at_top(module: &Module) -> bool {
    module.functions.first().is_some_and(|body| body.events.iter().any(|event| matches!(event, Event::Suspend(..))))
}
