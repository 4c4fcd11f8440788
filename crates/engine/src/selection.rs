//! Which rules run, and where.

use crate::Options;
use racewalk_project::{Config, PerPath, Vocabulary};
use racewalk_report::Severity;
use racewalk_rules::Rule;
use std::path::Path;

/// The rules of a check: command line over configuration over the rules' own defaults.
pub(crate) struct Selection<'a> {
    rules: &'a [&'static Rule],
    select: &'a [String],
    ignore: [&'a [String]; 2],
    per_path: &'a [PerPath],
    severity: &'a [(String, Severity)],
    strict: bool,
}

impl<'a> Selection<'a> {
    pub(crate) fn new(rules: &'a [&'static Rule], options: &'a Options, config: &'a Config) -> Self {
        Self {
            rules,
            select: if options.select.is_empty() { &config.select } else { &options.select },
            ignore: [&options.ignore, &config.ignore],
            per_path: &config.per_path,
            severity: &config.severity,
            strict: options.strict,
        }
    }

    /// The rules that are wanted somewhere.
    pub(crate) fn to_run(&self) -> Vec<&'static Rule> {
        let somewhere = |rule: &Rule| self.per_path.iter().any(|entry| means(&entry.select, rule.name));
        self.rules.iter().copied().filter(|rule| self.is_on(rule) || somewhere(rule)).collect()
    }

    /// True when findings of the rule are wanted in this file.
    pub(crate) fn wants(&self, rule: &Rule, path: &Path) -> bool {
        let here = || self.per_path.iter().filter(|entry| entry.paths.matches(path));
        let added = here().any(|entry| means(&entry.select, rule.name));
        (self.is_on(rule) || added) && !here().any(|entry| means(&entry.ignore, rule.name))
    }

    /// True when some rule that the selector means is wanted in this file.
    pub(crate) fn wants_any(&self, selector: &str, path: &Path) -> bool {
        self.rules.iter().any(|rule| Vocabulary::means(selector, rule.name) && self.wants(rule, path))
    }

    /// The severity that the configuration gives a rule's findings: the last entry that means it.
    pub(crate) fn severity(&self, rule: &Rule) -> Option<Severity> {
        self.severity.iter().rev().find(|(name, _)| Vocabulary::means(name, rule.name)).map(|(_, severity)| *severity)
    }

    fn is_on(&self, rule: &Rule) -> bool {
        let selected = if self.select.is_empty() { rule.on_by_default } else { means(self.select, rule.name) };
        let strict = self.strict && self.select.is_empty();
        (selected || strict) && !self.ignore.iter().any(|list| means(list, rule.name))
    }
}

fn means(selectors: &[String], rule: &str) -> bool {
    selectors.iter().any(|selector| Vocabulary::means(selector, rule))
}
