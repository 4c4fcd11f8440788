//! Where imported names come from: static, without types.

use crate::Settings;
use crate::types::FileId;
use racewalk_ir::{BindingId, BindingKind, Defs, FunctionId, Module, Name, SymbolId};
use racewalk_models::Models;
use rustc_hash::{FxHashMap, FxHashSet};
use std::sync::OnceLock;

/// How many re-exports are followed.
const LONGEST_CHAIN: u32 = 24;

/// Who may import a file by a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Every file.
    Anywhere,
    /// Every file, unless a library has that name.
    Unclaimed,
    /// Files under the directory that the name starts in, unless a library has that name.
    Beneath,
    /// Every file, unless the program has a module of that name.
    Installed,
}

/// How a file may be imported.
#[derive(Clone, Debug, Default)]
pub struct FileNames {
    /// Further names beside its module's own, best first.
    pub names: Vec<(Name, Reach)>,
    /// Which of several projects in one tree it belongs to.
    pub project: u32,
}

#[derive(Clone, Copy, Debug)]
struct Candidate {
    file: FileId,
    reach: Reach,
    project: u32,
    /// For [`Reach::Beneath`]: the dotted path of the directory that the name starts in.
    beneath: Option<Name>,
}

/// From dotted names to files.
#[derive(Debug, Default)]
pub(crate) struct ModuleNames {
    files: FxHashMap<Name, Vec<Candidate>>,
    /// From a package and the last segment of a name beneath it to that name.
    beneath: FxHashMap<(Name, Name), Name>,
    own: Vec<(Name, u32)>,
    /// For each file that imports by path: what its imports mean.
    by_path: Vec<Option<FxHashMap<Name, FileId>>>,
    /// Installed packages without a file of their own.
    namespaces: FxHashSet<Name>,
    /// Paths in installed packages that a model names: it has the first word about them.
    modelled: FxHashSet<Name>,
    /// For each file: what the symbols of its body stand for, as far as somebody has asked.
    followed: Vec<Box<[OnceLock<Imported>]>>,
}

/// What an import names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Imported {
    /// A module of the program.
    Module(FileId),
    /// A symbol of a module's body.
    Symbol(FileId, SymbolId),
    /// Something outside the program.
    External(Name),
    /// A module of the program has no such name.
    Missing,
}

impl ModuleNames {
    /// All names of all files.
    pub fn new(modules: &[Module], settings: &Settings, models: &Models) -> Self {
        let by_path: Vec<_> = (0..modules.len()).map(|index| settings.imports.get(index).cloned().flatten()).collect();
        let mut files: FxHashMap<Name, Vec<Candidate>> = FxHashMap::default();
        let mut own = Vec::with_capacity(modules.len());
        let none = FileNames::default();
        for (index, module) in modules.iter().enumerate() {
            let FileNames { names, project } = settings.names.get(index).unwrap_or(&none);
            own.push((module.name, *project));
            if by_path[index].is_some() {
                continue;
            }
            let file = FileId(index as u32);
            let reach = if module.signatures_only { Reach::Installed } else { Reach::Anywhere };
            let first = Candidate { file, reach, project: *project, beneath: None };
            files.entry(module.name).or_default().push(first);
            for (name, reach) in names {
                if *name == module.name || *reach != Reach::Anywhere && Models::is_library(name.first_segment()) {
                    continue;
                }
                let beneath = module.name.as_str().strip_suffix(name.as_str()).map(|dir| dir.trim_end_matches('.'));
                let beneath = beneath.map(Name::new);
                files.entry(*name).or_default().push(Candidate { file, reach: *reach, project: *project, beneath });
            }
        }
        let split = |path: Name| {
            let (package, last) = path.as_str().rsplit_once('.')?;
            Some(((Name::new(package), Name::new(last)), path))
        };
        let beneath = files.keys().filter_map(|path| split(*path)).collect();
        let unasked = |module: &Module| {
            let symbols = module.functions.first().map_or(0, |body| body.symbols.len());
            (0..symbols).map(|_| OnceLock::new()).collect()
        };
        let installed = modules.iter().filter(|module| module.signatures_only);
        let packages =
            installed.clone().filter_map(|module| module.name.as_str().rsplit_once('.')).map(|(package, _)| package);
        let namespaces = packages.map(Name::new).filter(|package| !files.contains_key(package)).collect();
        let roots: FxHashSet<&str> = installed.map(|module| module.name.first_segment()).collect();
        let modelled = models.paths().filter(|path| roots.contains(path.first_segment())).collect();
        Self { files, beneath, own, by_path, namespaces, modelled, followed: modules.iter().map(unasked).collect() }
    }

    /// The file that `from` means by this path.
    pub fn file(&self, path: Name, from: FileId) -> Option<FileId> {
        if let Some(imports) = &self.by_path[from.index()] {
            return imports.get(&path).copied();
        }
        let candidates = self.files.get(&path)?;
        let (name, project) = self.own[from.index()];
        let fits = |candidate: &&Candidate| match (candidate.reach, candidate.beneath) {
            (Reach::Beneath, Some(directory)) => {
                let rest = name.as_str().strip_prefix(directory.as_str());
                candidate.project == project && rest.is_some_and(|rest| rest.starts_with('.'))
            }
            (Reach::Beneath, None) => false,
            _ => true,
        };
        let rank = |candidate: &&Candidate| (candidate.project != project, candidate.reach as u8);
        candidates.iter().filter(fits).min_by_key(rank).map(|candidate| candidate.file)
    }

    /// The file imports by path, and its names are its own and the language's.
    pub fn imports_by_path(&self, file: FileId) -> bool {
        self.by_path[file.index()].is_some()
    }

    /// The file that a path means in a file that imports by path.
    pub fn imported_file(&self, path: Name, from: FileId) -> Option<FileId> {
        self.by_path[from.index()].as_ref()?.get(&path).copied()
    }

    /// A module of an installed package without a file of its own, by the package and by the module's path.
    pub fn in_namespace(&self, package: Name, module: Name) -> Option<FileId> {
        let is_inside = self.namespaces.contains(&package);
        is_inside.then(|| self.files.get(&module)?.first().map(|candidate| candidate.file)).flatten()
    }

    /// What `import path` makes of the path.
    pub fn module(&self, path: Name, from: FileId) -> Imported {
        self.file(path, from).map_or(Imported::External(path), Imported::Module)
    }

    /// What `from module import member` names.
    pub fn member(&self, modules: &[Module], from: FileId, module: Name, member: Name) -> Imported {
        match self.file(module, from) {
            Some(file) if file == from => self.member_of_self(modules, file, member, LONGEST_CHAIN),
            Some(file) => self.member_of(modules, file, member, LONGEST_CHAIN),
            None => self.outside(module, member, from),
        }
    }

    /// What a member of a module is that has no file of its own.
    fn outside(&self, module: Name, member: Name, from: FileId) -> Imported {
        match &self.by_path[from.index()] {
            // What a module outside gives without a name is what it is.
            Some(_) if member.as_str() == "default" => Imported::External(module),
            Some(_) => Imported::External(module.join(member)),
            // A namespace package has no file of its own; its modules have.
            None => self.module(module.join(member), from),
        }
    }

    /// What a package that imports `member` from itself gets: its submodule, before any name that it binds.
    fn member_of_self(&self, modules: &[Module], file: FileId, member: Name, depth: u32) -> Imported {
        match self.file(modules[file.index()].name.join(member), file) {
            Some(submodule) => Imported::Module(submodule),
            None => self.search(modules, file, member, depth),
        }
    }

    /// What `member` of this module is; `depth` re-exports are followed.
    pub fn member_of(&self, modules: &[Module], file: FileId, member: Name, depth: u32) -> Imported {
        if let Some(path) = self.modelled_path(modules, file, member) {
            return Imported::External(path);
        }
        let member = exported_as(&modules[file.index()], member);
        match modules[file.index()].function(FunctionId(0)).symbol(member) {
            Some(symbol) => *self.followed[file.index()][symbol.index()]
                .get_or_init(|| self.follow(modules, file, symbol, LONGEST_CHAIN)),
            None => self.search(modules, file, member, depth),
        }
    }

    /// The path by which a model knows a member of an installed module.
    fn modelled_path(&self, modules: &[Module], file: FileId, member: Name) -> Option<Name> {
        let module = &modules[file.index()];
        let may_be = module.signatures_only && !self.modelled.is_empty();
        may_be.then(|| module.name.join(member)).filter(|path| self.modelled.contains(path))
    }

    /// What is installed at a path, whatever a model says of it.
    pub fn installed(&self, modules: &[Module], path: Name) -> Option<(FileId, SymbolId)> {
        if !self.modelled.contains(&path) {
            return None;
        }
        let (package, member) = path.as_str().rsplit_once('.')?;
        let file = self.files.get(&Name::new(package))?.first()?.file;
        match self.declared(modules, file, Name::new(member), LONGEST_CHAIN) {
            Imported::Symbol(file, symbol) => Some((file, symbol)),
            _ => None,
        }
    }

    fn search(&self, modules: &[Module], file: FileId, member: Name, depth: u32) -> Imported {
        match self.modelled_path(modules, file, member) {
            Some(path) => Imported::External(path),
            None => self.declared(modules, file, member, depth),
        }
    }

    fn declared(&self, modules: &[Module], file: FileId, member: Name, depth: u32) -> Imported {
        if depth == 0 {
            return Imported::Missing;
        }
        let module = &modules[file.index()];
        let body = module.function(FunctionId(0));
        let symbol = exported_as(module, member);
        if let Some(symbol) = body.symbol(symbol) {
            return self.follow(modules, file, symbol, depth);
        }
        let submodule = self.beneath.get(&(module.name, member)).and_then(|path| self.file(*path, file));
        if let Some(submodule) = submodule {
            return Imported::Module(submodule);
        }
        let mut outside = None;
        for source in &module.star_imports {
            match self.file(*source, file) {
                Some(from) if from != file && is_public(&modules[from.index()], member) => {
                    match self.search(modules, from, member, depth - 1) {
                        Imported::Missing => {}
                        found => return found,
                    }
                }
                Some(_) => {}
                None => outside = Some(source.join(member)),
            }
        }
        outside.map_or(Imported::Missing, Imported::External)
    }

    /// A symbol that does nothing but import stands for what it imports.
    fn follow(&self, modules: &[Module], file: FileId, symbol: SymbolId, depth: u32) -> Imported {
        let module = &modules[file.index()];
        let mut candidates = exported(module, symbol).map(|binding| module.bindings[binding.index()].kind);
        let (Some(first), None) = (candidates.next(), candidates.next()) else {
            return self.first_import_in_program(modules, file, symbol, depth);
        };
        self.target(modules, file, first, depth).unwrap_or(Imported::Symbol(file, symbol))
    }

    fn target(&self, modules: &[Module], from: FileId, kind: BindingKind, depth: u32) -> Option<Imported> {
        match kind {
            BindingKind::Import(path) => Some(self.module(path, from)),
            BindingKind::ImportMember(module, name) => Some(match self.file(module, from) {
                Some(file) if file == from => self.member_of_self(modules, file, name, depth - 1),
                Some(file) => self.search(modules, file, name, depth - 1),
                None => self.outside(module, name, from),
            }),
            _ => None,
        }
    }

    /// `try: import a` / `except: import b as a`: what the program itself has is what it is meant to be.
    fn first_import_in_program(&self, modules: &[Module], file: FileId, symbol: SymbolId, depth: u32) -> Imported {
        let module = &modules[file.index()];
        let kinds = exported(module, symbol).map(|binding| module.bindings[binding.index()].kind);
        let is_import = |kind: &BindingKind| matches!(kind, BindingKind::Import(_) | BindingKind::ImportMember(..));
        if !kinds.clone().all(|kind| is_import(&kind)) {
            return Imported::Symbol(file, symbol);
        }
        let targets: Vec<Imported> = kinds.filter_map(|kind| self.target(modules, file, kind, depth)).collect();
        let inside = targets.iter().find(|target| matches!(target, Imported::Module(_) | Imported::Symbol(..)));
        inside.or(targets.first()).copied().unwrap_or(Imported::Symbol(file, symbol))
    }
}

/// The bindings of a module's symbol that its importers may see: what reaches the end of the module, and what functions
/// assign through `global`.
pub(crate) fn exported(module: &Module, symbol: SymbolId) -> impl Iterator<Item = BindingId> + Clone + '_ {
    let body = module.function(FunctionId(0));
    let symbol = &body.symbols[symbol.index()];
    let at_end = module.defs(&symbol.exit).iter();
    let any: &[BindingId] = if symbol.exit == Defs::Nothing { &symbol.bindings } else { &[] };
    let from_functions = symbol.bindings.iter().filter(|binding| {
        let bound = module.bindings[binding.index()];
        bound.within != bound.owner
    });
    let alive = |binding: &&BindingId| !is_deleted(module, **binding);
    at_end.chain(any.iter().filter(alive)).chain(from_functions.filter(alive)).copied()
}

fn is_deleted(module: &Module, binding: BindingId) -> bool {
    matches!(module.bindings[binding.index()].kind, BindingKind::Deleted)
}

/// The symbol that a module exports under a name.
fn exported_as(module: &Module, member: Name) -> Name {
    module.renamed_exports.get(&member).copied().unwrap_or(member)
}

fn is_public(module: &Module, name: Name) -> bool {
    match &module.exports {
        Some(exports) => exports.contains(&name),
        None => !module.language.underscore_hides || !name.as_str().starts_with('_'),
    }
}
