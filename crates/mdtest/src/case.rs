//! Taking a Markdown text apart into cases.

use crate::expectation::{self, Expectation};
use racewalk_project::markdown::{self, Block};
use serde_json::json;

/// A section with its files and what is expected in them.
#[derive(Debug, Default)]
pub(crate) struct Case {
    pub(crate) title: String,
    /// The heading's line.
    pub(crate) line: u32,
    pub(crate) config: String,
    pub(crate) files: Vec<File>,
    /// Rules that are looked at; all when empty.
    pub(crate) rules: Vec<String>,
    pub(crate) strict: bool,
    /// What is wrong with the case itself.
    pub(crate) mistakes: Vec<String>,
}

/// A file of a case.
#[derive(Debug)]
pub(crate) struct File {
    pub(crate) path: String,
    /// The line of the Markdown text before the file's first.
    pub(crate) fence_line: u32,
    /// The file's lines without the expectations.
    pub(crate) lines: Vec<String>,
    /// Expectations with their lines in the file.
    pub(crate) expected: Vec<(u32, Expectation)>,
}

/// The cases of a text.
pub(crate) fn cases(text: &str) -> Vec<Case> {
    let lines: Vec<&str> = text.lines().collect();
    let blocks = markdown::blocks(text);
    let in_block = |line: u32| blocks.iter().any(|block| (block.fence_line..=last_line(block)).contains(&line));
    let mut cases: Vec<Case> = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let number = index as u32 + 1;
        if in_block(number) {
            if let Some((case, block)) = cases.last_mut().zip(blocks.iter().find(|block| block.fence_line == number)) {
                case.take_block(block, lines[..index].last().copied().unwrap_or_default());
            }
        } else if let Some(title) = line.strip_prefix("## ") {
            cases.push(Case { title: title.trim().to_owned(), line: number, ..Case::default() });
        } else if let Some(case) = cases.last_mut() {
            case.take_setting(line);
        }
    }
    cases.retain(|case| !case.files.is_empty());
    cases
}

fn last_line(block: &Block<'_>) -> u32 {
    block.fence_line + block.text.lines().count() as u32 + 1
}

impl Case {
    fn take_setting(&mut self, line: &str) {
        if let Some(rules) = line.strip_prefix("rules:") {
            self.rules = rules.split(',').map(|rule| rule.trim().to_owned()).collect();
        } else if let Some(strict) = line.strip_prefix("strict:") {
            self.strict = strict.trim() == "true";
        }
    }

    fn take_block(&mut self, block: &Block<'_>, before: &str) {
        let is_toml = block.info == "toml";
        let is_json =
            named(before).is_some_and(|path| path.ends_with("package.json") || path.ends_with("tsconfig.json"));
        if is_toml && named(before).is_none() {
            self.config.clone_from(&block.text);
        } else if let Some(ending) = block.ending().or(is_toml.then_some("toml")).or(is_json.then_some("json")) {
            let path = named(before).map_or_else(|| format!("main.{ending}"), str::to_owned);
            let mut file = File { path, fence_line: block.fence_line, lines: Vec::new(), expected: Vec::new() };
            for (index, line) in block.text.lines().enumerate() {
                match expectation::split(line) {
                    Ok((code, expected)) => {
                        file.lines.push(code.to_owned());
                        file.expected.extend(expected.into_iter().map(|it| (index as u32 + 1, it)));
                    }
                    Err(mistake) => {
                        self.mistakes.push(format!("line {}: {mistake}", block.fence_line + index as u32 + 1))
                    }
                }
            }
            self.files.push(file);
        }
    }
}

/// The path in a line such as `` `app/api.py`: ``.
fn named(line: &str) -> Option<&str> {
    line.trim().strip_prefix('`')?.strip_suffix("`:")
}

impl File {
    /// The file as it is written to the disk.
    pub(crate) fn stored(&self) -> String {
        if !self.is_notebook() {
            return self.lines.join("\n") + "\n";
        }
        let starts: Vec<usize> = self.cells().collect();
        let ends = starts.iter().copied().skip(1).chain([self.lines.len()]);
        let cells = starts.iter().zip(ends).map(|(start, end)| {
            let source = self.lines[*start..end].join("\n");
            json!({"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": null, "source": source})
        });
        json!({"cells": cells.collect::<Vec<_>>(), "metadata": {}, "nbformat": 4, "nbformat_minor": 5}).to_string()
    }

    /// A line of a cell as a line of the block.
    pub(crate) fn block_line(&self, cell: Option<u32>, line: u32) -> u32 {
        let start = cell.and_then(|cell| self.cells().nth(cell as usize - 1)).unwrap_or_default();
        start as u32 + line
    }

    fn is_notebook(&self) -> bool {
        self.path.ends_with(".ipynb")
    }

    fn cells(&self) -> impl Iterator<Item = usize> {
        let marks = self.lines.iter().enumerate().skip(1).filter(|(_, line)| line.starts_with("# %%"));
        std::iter::once(0).chain(marks.map(|(index, _)| index))
    }
}
