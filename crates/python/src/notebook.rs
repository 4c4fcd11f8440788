//! Notebooks: their code cells as one text.

use ruff_notebook::{Cell, SourceValue};

/// A notebook's code as one text.
#[derive(Clone, Debug, Default)]
pub struct Notebook {
    /// All code cells, one after another, each ending in a line break.
    pub text: String,
    /// For each code cell: the line in `text` (from 1) where it starts, and its position among all cells (from 1).
    pub cells: Vec<(u32, u32)>,
}

/// Takes the code cells out of a notebook file. Cells of another language (`%%bash` and the like) are left out.
///
/// # Errors
/// Says why the file is no notebook that can be read.
pub fn notebook_source(json: &str) -> Result<Notebook, String> {
    let notebook = ruff_notebook::Notebook::from_source_code(json).map_err(|error| error.to_string())?;
    if !notebook.is_python_notebook() {
        return Err("its kernel is not Python".to_owned());
    }
    let mut code = Notebook::default();
    let mut line = 1;
    for (position, cell) in notebook.cells().iter().enumerate() {
        if !matches!(cell, Cell::Code(_)) {
            continue;
        }
        let text = match cell.source() {
            SourceValue::String(text) => text.clone(),
            SourceValue::StringArray(lines) => lines.concat(),
        };
        if is_other_language(&text) {
            continue;
        }
        code.cells.push((line, position as u32 + 1));
        code.text.push_str(&text);
        code.text.push('\n');
        line += text.matches('\n').count() as u32 + 1;
    }
    Ok(code)
}

/// A cell magic hands the whole cell to something else, but for those that run it as Python.
fn is_other_language(text: &str) -> bool {
    let first = text.trim_start().lines().next().unwrap_or_default();
    let Some(magic) = first.strip_prefix("%%") else { return false };
    !["time", "timeit", "capture", "prun", "debug"].contains(&magic.split_whitespace().next().unwrap_or_default())
}
