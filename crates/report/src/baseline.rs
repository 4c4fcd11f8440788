//! The baseline: findings that are known, and are not to be shown again.

use crate::Finding;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The version of the file's format.
const VERSION: u32 = 1;

/// A known finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Known {
    /// What it is recognised by; everything else is for those who read the file.
    pub fingerprint: String,
    /// `question/rule-name`.
    pub rule: String,
    /// Path, relative to the project's root.
    pub path: String,
    /// The enclosing function, dotted.
    pub symbol: String,
    /// What happens, and when.
    pub message: String,
}

impl Known {
    /// A finding in the file that has this path from the project's root.
    pub fn new(finding: &Finding, path: String) -> Self {
        Self {
            fingerprint: finding.fingerprint.clone(),
            rule: finding.rule.clone(),
            path,
            symbol: finding.symbol.clone(),
            message: finding.message.clone(),
        }
    }
}

/// The file, as far as every version has it.
#[derive(Deserialize)]
struct Head {
    version: u32,
}

/// The file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    version: u32,
    findings: Vec<Known>,
}

/// Known findings, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Baseline {
    by_fingerprint: BTreeMap<String, Known>,
}

impl Baseline {
    /// Reads the text of a baseline file.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let broken = |error: serde_json::Error| format!("this is no baseline: {error}");
        let Head { version } = serde_json::from_str(text).map_err(broken)?;
        if version != VERSION {
            return Err(format!("it has version {version}, and this racewalk reads version {VERSION}"));
        }
        let Stored { findings, .. } = serde_json::from_str(text).map_err(broken)?;
        let entries = findings.into_iter().map(|known| (known.fingerprint.clone(), known));
        Ok(Self { by_fingerprint: entries.collect() })
    }

    /// The text of its file: in an order that keeps the lines of one file and rule together, the same for the same
    /// findings, so that a review sees what changed.
    pub fn text(&self) -> String {
        let mut findings: Vec<Known> = self.by_fingerprint.values().cloned().collect();
        let key = |known: &Known| {
            let Known { path, rule, symbol, message, fingerprint } = known.clone();
            (path, rule, symbol, message, fingerprint)
        };
        findings.sort_by_cached_key(key);
        let stored = Stored { version: VERSION, findings };
        // Strings and a number always have a JSON form.
        serde_json::to_string_pretty(&stored).unwrap_or_default() + "\n"
    }

    /// True when the finding is known.
    pub fn holds(&self, finding: &Finding) -> bool {
        self.by_fingerprint.contains_key(&finding.fingerprint)
    }

    /// How many findings are known.
    pub fn len(&self) -> usize {
        self.by_fingerprint.len()
    }

    /// True when nothing is known.
    pub fn is_empty(&self) -> bool {
        self.by_fingerprint.is_empty()
    }

    /// Adds a finding, unless it is known.
    pub fn add(&mut self, known: Known) {
        self.by_fingerprint.entry(known.fingerprint.clone()).or_insert(known);
    }

    /// Takes out all that `goes` is true of.
    pub fn remove(&mut self, goes: impl Fn(&Known) -> bool) -> Vec<Known> {
        let (gone, kept) = std::mem::take(&mut self.by_fingerprint).into_iter().partition(|(_, known)| goes(known));
        self.by_fingerprint = kept;
        let gone: BTreeMap<String, Known> = gone;
        gone.into_values().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{Baseline, Known};

    fn known(fingerprint: &str, path: &str) -> Known {
        Known {
            fingerprint: fingerprint.to_owned(),
            rule: "await/missing-await".to_owned(),
            path: path.to_owned(),
            symbol: "f".to_owned(),
            message: "it never runs".to_owned(),
        }
    }

    #[test]
    fn the_text_is_sorted_by_path_and_read_back() {
        let mut baseline = Baseline::default();
        for (fingerprint, path) in [("1", "b.py"), ("2", "a.py"), ("1", "c.py")] {
            baseline.add(known(fingerprint, path));
        }
        let text = baseline.text();
        assert!(text.find("a.py") < text.find("b.py") && !text.contains("c.py"), "{text}");
        assert_eq!(Baseline::parse(&text), Ok(baseline));
    }

    #[test]
    fn what_is_taken_out_is_told() {
        let mut baseline = Baseline::default();
        baseline.add(known("1", "a.py"));
        baseline.add(known("2", "b.py"));
        assert_eq!(baseline.remove(|known| known.path == "a.py"), [known("1", "a.py")]);
        assert_eq!(baseline.len(), 1);
    }

    #[test]
    fn what_cannot_be_read_is_no_empty_baseline() {
        for text in ["", "<<<<<<< ours\n", "[]", r#"{"version": 1}"#, r#"{"version": 1, "findings": [{}]}"#] {
            assert!(Baseline::parse(text).unwrap_err().starts_with("this is no baseline: "), "{text}");
        }
        let newer = Baseline::parse(r#"{"version": 2, "entries": {}}"#).unwrap_err();
        assert_eq!(newer, "it has version 2, and this racewalk reads version 1");
    }
}
