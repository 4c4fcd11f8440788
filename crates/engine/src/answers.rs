//! Answers that were given before.
//!
//! An answer is all that the rules find in a program, before anything is held back. It is kept under a key made of all
//! that it follows from: this build of the tool, the options, the configuration, the files that were discovered with
//! their contents. What else was read on the way (declarations of installed packages, model files) cannot be known
//! beforehand: it is kept with the answer, and looked at again before the answer is given. Times of change are not
//! trusted. Where files change while they are analysed, the answer is not kept.

use crate::{Engine, Options, Outcome, lower};
use racewalk_project::{Cache, Disk, Facts, Key, KeyMaker, Kind, Project, Question, cache_of, paths};
use racewalk_report::{Report, Sources};
use rayon::prelude::*;
use rustc_hash::{FxHashMap, FxHashSet};
use serde::{Deserialize, Serialize};
use std::hash::Hash;
use std::path::{Path, PathBuf};

/// Where answers are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum CacheDirectory {
    /// Nowhere.
    #[default]
    Off,
    /// In `.racewalk_cache` at the project's root; nowhere when nothing marks one.
    Project,
    /// Here.
    Named(PathBuf),
}

/// What was removed from a cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheClearing {
    /// The directory, as it is printed.
    pub directory: String,
    /// How many answers there were.
    pub entries: usize,
    /// How large they were together.
    pub bytes: u64,
}

impl Engine {
    /// The directory in which a check would keep its answers.
    pub fn cache_directory(&self, options: &Options) -> Option<PathBuf> {
        cache(&Disk::default(), options).map(|cache| cache.directory().to_owned())
    }

    /// The user has agreed before that this project's code is run.
    pub fn may_run_code(&self, options: &Options) -> bool {
        cache(&Disk::default(), options).is_some_and(|cache| cache.is_agreed())
    }

    /// Keeps in mind that the user has agreed, where answers are kept.
    pub fn agree_to_run_code(&self, options: &Options) {
        if let Some(cache) = cache(&Disk::default(), options) {
            cache.agree();
        }
    }

    /// Removes all answers that are kept there.
    pub fn clear_cache(&self, options: &Options) -> Option<CacheClearing> {
        let cache = cache(&Disk::default(), options)?;
        let (entries, bytes) = cache.clear();
        let directory = paths::relative(cache.directory(), &options.working_directory);
        Some(CacheClearing { directory, entries, bytes })
    }
}

fn cache(disk: &Disk, options: &Options) -> Option<Cache> {
    let directory = match &options.cache {
        CacheDirectory::Off => return None,
        CacheDirectory::Project => cache_of(disk, &options.discovery())?,
        CacheDirectory::Named(directory) => paths::absolute(directory, &options.working_directory),
    };
    Some(Cache::new(directory))
}

/// The disk for a check: one that takes notes, when its answer is to be kept.
pub(crate) fn watched(disk: &Disk, options: &Options) -> Disk {
    if cache(disk, options).is_some() { disk.clone().traced() } else { disk.clone() }
}

/// What is kept.
#[derive(Serialize, Deserialize)]
struct Answer {
    /// What else was asked of the disk, and what it answered.
    facts: Facts,
    report: Report,
    /// The texts that the findings point into: how they are shown, and where they lie.
    sources: Vec<(String, PathBuf)>,
}

/// The place of one answer.
pub(crate) struct Place<'a> {
    cache: Cache,
    key: Key,
    disk: &'a Disk,
    own: FxHashSet<PathBuf>,
}

impl<'a> Place<'a> {
    /// The place of the answer to this question.
    pub(crate) fn new(engine: &Engine, disk: &'a Disk, options: &Options, project: &Project) -> Option<Self> {
        let cache = cache(disk, options)?;
        let mut key = KeyMaker::default();
        env!("RACEWALK_BUILD").hash(&mut key);
        engine.rules.iter().for_each(|rule| rule.name.hash(&mut key));
        (options.discovery(), options.strict, &options.select, &options.ignore).hash(&mut key);
        project.hash(&mut key);
        let contents: Vec<String> = project.files.par_iter().map(|file| disk.digest(&file.path)).collect();
        contents.hash(&mut key);
        let own = project.files.iter().map(|file| file.path.clone()).collect();
        Some(Self { cache, key: key.key(), disk, own })
    }

    /// The answer, if it is known and still holds.
    pub(crate) fn recall(&self, project: &Project) -> Option<Outcome> {
        let answer: Answer = serde_json::from_slice(&self.cache.read(&self.key)?).ok()?;
        if !self.disk.confirms(&answer.facts) {
            return None;
        }
        let read = |(shown, path): &(String, PathBuf)| {
            let text = lower::shown(self.disk, path, Kind::of(path)).ok()?;
            Some((shown.clone(), text))
        };
        let texts: Option<Vec<_>> = answer.sources.par_iter().map(read).collect();
        let mut sources = Sources::default();
        texts?.into_iter().for_each(|(shown, text)| sources.insert(shown, text));
        // The texts must be those that the key was made of.
        self.disk.facts()?;
        Some(Outcome { report: answer.report, sources, fail_on: project.config.fail_on, costs: None })
    }

    /// Keeps the answer, unless it is uncertain what it was made of.
    pub(crate) fn keep(&self, outcome: &Outcome, project: &Project) {
        let Some(mut facts) = self.disk.facts() else { return };
        facts.retain(|(question, _)| !matches!(question, Question::Content(path) if self.own.contains(path)));
        let paths: FxHashMap<&str, &Path> =
            project.files.iter().map(|file| (file.shown.as_str(), file.path.as_path())).collect();
        let source = |shown: &str| Some((shown.to_owned(), paths.get(shown)?.to_path_buf()));
        let sources: Option<Vec<_>> = outcome.sources.paths().map(source).collect();
        let Some(sources) = sources else { return };
        let answer = Answer { facts, report: outcome.report.clone(), sources };
        if let Ok(content) = serde_json::to_vec(&answer) {
            self.cache.write(&self.key, &content);
        }
    }
}
