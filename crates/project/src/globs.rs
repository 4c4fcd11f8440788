//! Patterns for paths, as configuration writes them.

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};

/// A set of patterns. One with a `/` counts from the directory of the configuration file, any other matches a name at
/// any depth; one that names a directory matches everything in it.
#[derive(Clone, Debug, Default)]
pub struct Globs {
    base: PathBuf,
    patterns: Vec<String>,
    set: GlobSet,
}

impl Hash for Globs {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // What was compiled follows from them.
        (&self.base, &self.patterns).hash(state);
    }
}

impl Globs {
    /// Compiles patterns; the error has the position of the bad one, and what is wrong with it.
    pub(crate) fn new(base: &Path, patterns: &[&str]) -> Result<Self, (usize, String)> {
        let mut set = GlobSetBuilder::new();
        for (index, pattern) in patterns.iter().enumerate() {
            for form in forms(pattern) {
                let glob = GlobBuilder::new(&form).literal_separator(true).build();
                set.add(glob.map_err(|error| (index, error.kind().to_string()))?);
            }
        }
        let set = set.build().map_err(|error| (0, error.kind().to_string()))?;
        let patterns = patterns.iter().map(|pattern| (*pattern).to_owned()).collect();
        Ok(Self { base: base.to_owned(), patterns, set })
    }

    /// True when a pattern matches this absolute path.
    pub fn matches(&self, path: &Path) -> bool {
        !self.set.is_empty() && self.set.is_match(path.strip_prefix(&self.base).unwrap_or(path))
    }
}

fn forms(pattern: &str) -> [String; 2] {
    let trimmed = pattern.trim_start_matches("./").trim_end_matches('/');
    let rooted = match trimmed.strip_prefix('/') {
        Some(rest) => rest.to_owned(),
        None if trimmed.contains('/') => trimmed.to_owned(),
        None => format!("**/{trimmed}"),
    };
    let beneath = format!("{rooted}/**");
    [rooted, beneath]
}

#[cfg(test)]
mod tests {
    use super::Globs;
    use std::path::Path;

    fn matches(pattern: &str, path: &str) -> bool {
        Globs::new(Path::new("/p"), &[pattern]).unwrap().matches(Path::new(path))
    }

    #[test]
    fn names_match_at_any_depth_and_paths_from_the_base() {
        assert!(matches("tests", "/p/a/tests/x.py"));
        assert!(matches("*_pb2.py", "/p/a/x_pb2.py"));
        assert!(matches("a/tests", "/p/a/tests/x.py"));
        assert!(!matches("a/tests", "/p/b/a/tests/x.py"));
        assert!(!matches("a/*.py", "/p/a/b/x.py"));
        assert!(matches("a/**/*.py", "/p/a/b/x.py"));
    }
}
