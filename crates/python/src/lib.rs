//! Python front end: source text to the concurrency IR.

use racewalk_ir::{Module, Name};

/// What lowering must know of a file besides its text.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// The file's text.
    pub text: &'a str,
    /// Absolute dotted module name.
    pub name: Name,
    /// `__init__` file.
    pub is_package: bool,
    /// Stub file (`.pyi`).
    pub is_stub: bool,
    /// Cells of a notebook, concatenated by [`notebook_source`]; top-level `await` is allowed.
    pub is_notebook: bool,
}

/// Lowers one file. Never fails: what cannot be parsed is listed in [`Module::problems`], and the rest is lowered.
pub fn lower(source: Source<'_>) -> Module {
    Module::empty(source.name)
}

/// A notebook's code as one text.
#[derive(Clone, Debug, Default)]
pub struct Notebook {
    /// All code cells, one after another.
    pub text: String,
    /// For each code cell: the line in `text` (from 1) where it starts, and its position among all cells (from 1).
    pub cells: Vec<(u32, u32)>,
}

/// Takes the code cells out of a notebook file.
///
/// # Errors
/// Says why the file is no notebook that can be read.
pub fn notebook_source(json: &str) -> Result<Notebook, String> {
    let _ = json;
    Err("not yet".to_owned())
}
