//! Where imported names come from: static, without types.

use crate::types::FileId;
use racewalk_ir::{BindingId, BindingKind, Defs, FunctionId, Module, Name, SymbolId};
use rustc_hash::FxHashMap;

/// How many re-exports are followed.
const LONGEST_CHAIN: u32 = 24;

/// From dotted names to files.
#[derive(Debug, Default)]
pub(crate) struct ModuleNames {
    files: FxHashMap<Name, FileId>,
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
    /// All names of all files; where two files have one name, the first that calls it its primary name wins.
    pub fn new(modules: &[Module], alternatives: &[Vec<Name>]) -> Self {
        let mut files = FxHashMap::default();
        for (index, module) in modules.iter().enumerate() {
            files.entry(module.name).or_insert(FileId(index as u32));
        }
        for (index, names) in alternatives.iter().enumerate() {
            for name in names {
                files.entry(*name).or_insert(FileId(index as u32));
            }
        }
        Self { files }
    }

    pub fn file(&self, path: Name) -> Option<FileId> {
        self.files.get(&path).copied()
    }

    /// What `import path` makes of the path.
    pub fn module(&self, path: Name) -> Imported {
        self.file(path).map_or(Imported::External(path), Imported::Module)
    }

    /// What `from module import member` names.
    pub fn member(&self, modules: &[Module], module: Name, member: Name) -> Imported {
        match self.file(module) {
            Some(file) => self.member_of(modules, file, member, LONGEST_CHAIN),
            // A namespace package has no file of its own; its modules have.
            None => self.module(module.join(member)),
        }
    }

    /// What `member` of this module is.
    pub fn member_of(&self, modules: &[Module], file: FileId, member: Name, depth: u32) -> Imported {
        if depth == 0 {
            return Imported::Missing;
        }
        let module = &modules[file.index()];
        let body = module.function(FunctionId(0));
        if let Some(symbol) = body.symbol_of.get(&member).copied() {
            return self.follow(modules, file, symbol, depth);
        }
        if let Some(submodule) = self.file(module.name.join(member)) {
            return Imported::Module(submodule);
        }
        let mut outside = None;
        for source in &module.star_imports {
            match self.file(*source) {
                Some(from) if from != file && is_public(&modules[from.index()], member) => {
                    match self.member_of(modules, from, member, depth - 1) {
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
        let bindings = exported(module, symbol);
        let mut candidates = bindings.iter().map(|binding| module.bindings[binding.index()].kind);
        let (Some(first), None) = (candidates.next(), candidates.next()) else {
            return self.first_import_in_program(modules, file, symbol, &bindings, depth);
        };
        self.target(modules, first, depth).unwrap_or(Imported::Symbol(file, symbol))
    }

    fn target(&self, modules: &[Module], kind: BindingKind, depth: u32) -> Option<Imported> {
        match kind {
            BindingKind::Import(path) => Some(self.module(path)),
            BindingKind::ImportMember(from, name) => Some(match self.file(from) {
                Some(file) => self.member_of(modules, file, name, depth - 1),
                None => self.module(from.join(name)),
            }),
            _ => None,
        }
    }

    /// `try: import a` / `except: import b as a`: what the program itself has is what it is meant to be.
    fn first_import_in_program(
        &self,
        modules: &[Module],
        file: FileId,
        symbol: SymbolId,
        bindings: &[BindingId],
        depth: u32,
    ) -> Imported {
        let module = &modules[file.index()];
        let kinds = bindings.iter().map(|binding| module.bindings[binding.index()].kind);
        let is_import = |kind: &BindingKind| matches!(kind, BindingKind::Import(_) | BindingKind::ImportMember(..));
        if bindings.is_empty() || !kinds.clone().all(|kind| is_import(&kind)) {
            return Imported::Symbol(file, symbol);
        }
        let targets: Vec<Imported> = kinds.filter_map(|kind| self.target(modules, kind, depth)).collect();
        let inside = targets.iter().find(|target| matches!(target, Imported::Module(_) | Imported::Symbol(..)));
        inside.or(targets.first()).copied().unwrap_or(Imported::Symbol(file, symbol))
    }
}

/// The bindings of a module's symbol that its importers may see: what reaches the end of the module, and what functions
/// assign through `global`.
pub(crate) fn exported(module: &Module, symbol: SymbolId) -> Vec<BindingId> {
    let body = module.function(FunctionId(0));
    let symbol = &body.symbols[symbol.index()];
    let mut bindings = module.defs(&symbol.exit).to_vec();
    if symbol.exit == Defs::Nothing {
        bindings.extend(symbol.bindings.iter().filter(|b| !is_deleted(module, **b)));
    }
    let from_functions = symbol.bindings.iter().filter(|binding| {
        let bound = module.bindings[binding.index()];
        bound.within != bound.owner && !matches!(bound.kind, BindingKind::Deleted)
    });
    bindings.extend(from_functions);
    bindings
}

fn is_deleted(module: &Module, binding: BindingId) -> bool {
    matches!(module.bindings[binding.index()].kind, BindingKind::Deleted)
}

fn is_public(module: &Module, name: Name) -> bool {
    match &module.exports {
        Some(exports) => exports.contains(&name),
        None => !name.as_str().starts_with('_'),
    }
}
