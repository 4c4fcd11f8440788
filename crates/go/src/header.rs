//! What a file says of itself before its declarations: its package, and the builds that it belongs to.

use racewalk_go_syntax::{Build, Constraint, file_name_matches};

/// The head of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    /// The name of its package.
    pub package: &'a str,
    /// It belongs to the build that is analysed: the newest Go on Linux.
    pub is_built: bool,
}

/// The head of a file with this name; none for a text without a package clause.
pub fn header<'a>(file_name: &str, text: &'a str) -> Option<Header<'a>> {
    let build = Build::default();
    let of_text = Constraint::of_text(text.as_bytes());
    let is_built =
        file_name_matches(file_name, &build) && of_text.is_none_or(|constraint| constraint.holds(|tag| build.has(tag)));
    Some(Header { package: package_clause(text)?, is_built })
}

/// The name behind `package`, which nothing but comments may stand before.
fn package_clause(text: &str) -> Option<&str> {
    let mut rest = text.trim_start_matches('\u{feff}');
    loop {
        rest = rest.trim_start();
        if let Some(line) = rest.strip_prefix("//") {
            rest = &line[line.find('\n')?..];
        } else if let Some(block) = rest.strip_prefix("/*") {
            rest = &block[block.find("*/")? + 2..];
        } else {
            let name = rest.strip_prefix("package")?.trim_start();
            let end = name.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(name.len());
            return Some(&name[..end]).filter(|name| !name.is_empty());
        }
    }
}
