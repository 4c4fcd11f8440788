//! Installed packages, read as far as the program leads into them, and for what they declare only.
//!
//! The program's imports name members of modules. A round reads the modules that are asked for, in parallel, and looks
//! the members up: an import in them (a re-export) leads on to another module, a class to its bases and to what those
//! members give that the program takes of anything, a function to what it says that it returns. What nobody asks for is
//! not read. A library of which our models tell is not read at all: a model says more than signatures do, and the two
//! might contradict each other. What a model of the user's own names is for linking to keep apart.

mod wanted;

use crate::costs::Files;
use crate::lower::{Unit, lower_file};
use racewalk_ir::{BindingKind, FunctionId, Module, Name};
use racewalk_models::Models;
use racewalk_project::{Disk, Project, Reach, SourceFile};
use rayon::prelude::*;
use rustc_hash::{FxHashMap, FxHashSet};
use std::path::Path;
use wanted::{Declarations, Wanted};

/// How often a module may lead to the next: as many as imports are followed when names are resolved.
const ROUNDS: usize = 24;

/// As many modules are read of packages, or as many as the program has: applications reach some hundreds, and what is
/// installed must not cost more time than the program itself.
const MOST_MODULES: usize = 2_000;

/// Larger files are left alone: they are generated, and take longer to parse than all others together.
const LARGEST: u64 = 2 << 20;

/// Modules of the standard library that may be installed as well. Inference knows them by their paths.
const KNOWN_BY_PATH: [&str; 8] =
    ["typing", "typing_extensions", "dataclasses", "enum", "contextlib", "contextvars", "collections", "importlib"];

/// What was read. All three go in step.
#[derive(Default)]
pub(crate) struct Installed {
    pub(crate) files: Vec<SourceFile>,
    pub(crate) units: Vec<Unit>,
    pub(crate) modules: Vec<Module>,
}

/// Reads what the modules of a project lead to.
pub(crate) fn read(disk: &Disk, project: &Project, modules: &[Module], working: &Path) -> Installed {
    let may_be_installed = |path: Name| {
        let root = path.first_segment();
        project.site_packages.has_root(root) && !KNOWN_BY_PATH.contains(&root) && !Models::is_library(root)
    };
    let wanted = modules.par_iter().flat_map_iter(|module| wanted::of_program(module, may_be_installed));
    let wanted: Vec<Wanted> = wanted.collect();
    if wanted.is_empty() {
        return Installed::default();
    }
    let mut reader = Reader {
        disk,
        project,
        working,
        most: MOST_MODULES.max(modules.len()),
        may_be_installed: &may_be_installed,
        own: own_names(project),
        members: modules.par_iter().map(wanted::members).reduce(FxHashSet::default, union),
        known: FxHashMap::default(),
        seen: FxHashSet::default(),
        installed: Installed::default(),
    };
    reader.run(wanted);
    reader.installed
}

fn union(mut one: FxHashSet<Name>, other: FxHashSet<Name>) -> FxHashSet<Name> {
    one.extend(other);
    one
}

/// The names under which modules of the project may be imported from anywhere.
fn own_names(project: &Project) -> FxHashSet<&str> {
    let names = project.files.iter().flat_map(|file| &file.names);
    names.filter(|name| name.reach != Reach::Beneath).map(|name| name.text.as_str()).collect()
}

struct Reader<'a> {
    disk: &'a Disk,
    project: &'a Project,
    working: &'a Path,
    /// As many modules are read.
    most: usize,
    may_be_installed: &'a (dyn Fn(Name) -> bool + Sync),
    own: FxHashSet<&'a str>,
    /// Members that the program takes of anything.
    members: FxHashSet<Name>,
    /// Modules that were asked for: where they stand, unless they cannot be read.
    known: FxHashMap<String, Option<usize>>,
    seen: FxHashSet<Wanted>,
    installed: Installed,
}

impl Reader<'_> {
    fn run(&mut self, mut wanted: Vec<Wanted>) {
        for _ in 0..ROUNDS {
            self.read(&wanted);
            let mut later = Vec::new();
            while let Some(next) = wanted.pop() {
                match self.known.get(&next.module).copied() {
                    None => later.push(next),
                    Some(Some(at)) => self.follow(at, next, &mut wanted),
                    // A namespace package has no file of its own; its modules have.
                    Some(None) => wanted.extend(submodule(&next)),
                }
            }
            if later.is_empty() {
                return;
            }
            wanted = later;
        }
    }

    /// Reads the modules that are wanted and not known yet.
    fn read(&mut self, wanted: &[Wanted]) {
        let mut names: Vec<&str> = wanted.iter().map(|wanted| wanted.module.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        names.retain(|name| !self.known.contains_key(*name));
        let room = names.len().min(self.most - self.installed.files.len());
        let read: Vec<_> = names[..room].par_iter().map(|name| self.lowered(name)).collect();
        let read = read.into_iter().chain(std::iter::repeat_with(|| None));
        for (name, read) in names.into_iter().zip(read) {
            let at = read.map(|(file, unit, module)| self.installed.add(file, unit, module));
            self.known.insert(name.to_owned(), at);
        }
    }

    /// An installed module, unless the program has it or something around it itself. A file that cannot be read is none
    /// of the user's: what it would have said stays unknown.
    fn lowered(&self, name: &str) -> Option<(SourceFile, Unit, Module)> {
        let is_own = || ancestors(name).any(|ancestor| self.own.contains(ancestor));
        if !(self.may_be_installed)(Name::new(name)) || is_own() {
            return None;
        }
        let file = self.project.site_packages.module(self.disk, name, self.working)?;
        let is_own = self.project.files.binary_search_by(|own| own.path.cmp(&file.path)).is_ok();
        if is_own || self.disk.size(&file.path).is_none_or(|size| size > LARGEST) {
            return None;
        }
        let (unit, module) = lower_file(self.disk, &file, self.project.files.len(), &Files::default()).ok()?.pop()?;
        Some((file, unit, module))
    }

    /// Adds what a member of an installed module leads to, the first time that it is asked for.
    fn follow(&mut self, at: usize, mut asked: Wanted, wanted: &mut Vec<Wanted>) {
        let module = &self.installed.modules[at];
        let body = module.function(FunctionId(0));
        let Some(symbol) = asked.members.first().and_then(|member| body.symbol(*member)) else {
            if self.seen.insert(asked.clone()) {
                wanted.extend(submodule(&asked).into_iter().chain(wanted::of_stars(module, &asked.members)));
            }
            return;
        };
        let kinds = body.symbols[symbol.index()].bindings.iter().map(|binding| module.bindings[binding.index()].kind);
        // What is defined here leads to the same whatever is taken of it.
        if !kinds.clone().any(|kind| matches!(kind, BindingKind::Import(_) | BindingKind::ImportMember(..))) {
            asked.members.truncate(1);
        }
        if self.seen.insert(asked.clone()) {
            let declarations = Declarations { module, members: &self.members };
            wanted.extend(kinds.flat_map(|kind| declarations.of_binding(kind, &asked.members[1..])));
        }
    }
}

impl Installed {
    fn add(&mut self, file: SourceFile, mut unit: Unit, module: Module) -> usize {
        let at = self.files.len();
        unit.file += at;
        self.files.push(file);
        self.units.push(unit);
        self.modules.push(module);
        at
    }
}

/// `a.b.c`, `a.b`, `a`.
fn ancestors(name: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(name), |name| name.rsplit_once('.').map(|(package, _)| package))
}

/// The same as a member of a module inside the module. A module of which nothing is wanted need not be read.
fn submodule(wanted: &Wanted) -> Option<Wanted> {
    let (first, rest) = wanted.members.split_first().filter(|(_, rest)| !rest.is_empty())?;
    Some(Wanted { module: format!("{}.{first}", wanted.module), members: rest.to_vec() })
}
