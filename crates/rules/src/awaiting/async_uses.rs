//! How the program uses each of its async functions.

use crate::finding::Place;
use racewalk_ir::{Event, Expr, ExprId, FunctionId, FunctionKind, Literal, Name, Role};
use racewalk_link::{FileId, FunctionRef, Program, Type};
use rayon::prelude::*;
use rustc_hash::{FxHashMap, FxHashSet};

/// The uses of one async function.
#[derive(Clone, Debug, Default)]
pub(crate) struct Uses {
    /// Calls whose coroutine is awaited on the spot.
    pub awaited: Vec<Place>,
    /// Calls whose coroutine is handed to something else.
    pub otherwise: u32,
    /// Mentions that do not call it: stored, passed, put in a table.
    pub as_value: u32,
}

/// The uses of all async functions that never suspend.
#[derive(Debug, Default)]
pub(crate) struct AsyncUses {
    uses: FxHashMap<FunctionRef, Uses>,
    common_names: FxHashSet<Name>,
    /// How names begin that are looked up with `getattr`.
    prefixes: Vec<Name>,
}

/// A name that so many modules give to async functions is an agreement between them: a hook that somebody looks up.
const COMMON: usize = 4;

enum Use {
    Awaited(Place),
    Otherwise,
    AsValue,
}

impl AsyncUses {
    pub fn new(program: &Program) -> Self {
        let candidates: FxHashSet<FunctionRef> = program
            .functions()
            .filter(|function| super::unnecessary_async::never_suspends(program, *function))
            .collect();
        let names = candidates.iter().map(|function| program.function(*function).name).collect();
        let files: Vec<FileId> = program.files().collect();
        let found: Vec<Vec<(FunctionRef, Use)>> =
            files.into_par_iter().map(|file| in_file(program, file, &names)).collect();
        let mut uses: FxHashMap<FunctionRef, Uses> = FxHashMap::default();
        for (function, one) in found.into_iter().flatten().filter(|(function, _)| candidates.contains(function)) {
            let uses = uses.entry(function).or_default();
            match one {
                Use::Awaited(place) => uses.awaited.push(place),
                Use::Otherwise => uses.otherwise += 1,
                Use::AsValue => uses.as_value += 1,
            }
        }
        Self { uses, common_names: common_names(program), prefixes: prefixes(program) }
    }

    pub fn of(&self, function: FunctionRef) -> Uses {
        self.uses.get(&function).cloned().unwrap_or_default()
    }

    /// Somebody looks functions up by this name: many modules have an async function of it, or it begins as names do that
    /// the program puts together.
    pub fn is_agreed_name(&self, name: Name) -> bool {
        self.common_names.contains(&name)
            || self.prefixes.iter().any(|prefix| name.as_str().starts_with(prefix.as_str()))
    }
}

/// `getattr(self, f"handle_{kind}")`: the literal beginnings of names that are put together.
fn prefixes(program: &Program) -> Vec<Name> {
    let mut found = FxHashSet::default();
    let look_up = Type::External(Name::new("builtins.getattr"));
    for function in program.functions() {
        let module = program.module(function.file);
        for site in program.sites(function) {
            if site.callee != look_up {
                continue;
            }
            let Expr::Call(_, args) = module.expr(site.call) else { continue };
            let Some(text) = module.args(args).get(1) else { continue };
            let (Expr::Format(parts) | Expr::Operation(parts)) = module.expr(text.value) else { continue };
            let first = module.list(parts).first().map(|first| module.expr(*first));
            if let Some(Expr::Literal(Literal::Str(prefix))) = first {
                found.insert(prefix);
            }
        }
    }
    let mut found: Vec<Name> = found.into_iter().filter(|prefix| prefix.as_str().len() > 2).collect();
    found.sort_by_key(|prefix| prefix.as_str());
    found
}

fn common_names(program: &Program) -> FxHashSet<Name> {
    let mut given: Vec<(Name, FileId)> = Vec::new();
    for function in program.functions() {
        let body = program.function(function);
        if body.is_async && body.kind == FunctionKind::Function && !program.is_installed(function.file) {
            given.push((body.name, function.file));
        }
    }
    given.sort_unstable();
    given.dedup();
    given.chunk_by(|one, next| one.0 == next.0).filter(|files| files.len() >= COMMON).map(|files| files[0].0).collect()
}

fn in_file(program: &Program, file: FileId, names: &FxHashSet<Name>) -> Vec<(FunctionRef, Use)> {
    let module = program.module(file);
    let evaluator = program.evaluator(file);
    let mut found = Vec::new();
    for id in (0..module.functions.len() as u32).map(FunctionId) {
        let function = FunctionRef { file, id };
        for site in program.sites(function) {
            let place = Place { file, span: module.span(site.call) };
            let awaited = module.role(site.call) == Role::Awaited;
            let one = || if awaited { Use::Awaited(place) } else { Use::Otherwise };
            let called = site.callee.members().iter().filter_map(target);
            let named = called.filter(|target| names.contains(&program.function(*target).name));
            found.extend(named.map(|target| (target, one())));
        }
        for event in &module.function(id).events {
            let (Event::Read(expr) | Event::ReadPlace(expr)) = *event else { continue };
            if is_mention(module, expr, names) {
                let value = evaluator.eval(id, expr);
                found.extend(value.members().iter().filter_map(target).map(|target| (target, Use::AsValue)));
            }
        }
    }
    found
}

/// A name or member that is no callee and no part of a longer path, called like a candidate.
fn is_mention(module: &racewalk_ir::Module, expr: ExprId, candidates: &FxHashSet<Name>) -> bool {
    if matches!(module.role(expr), Role::Callee | Role::Receiver | Role::Container) {
        return false;
    }
    matches!(module.expr(expr), Expr::Name(name, _) | Expr::Attr(_, name) if candidates.contains(&name))
}

fn target(value: &Type) -> Option<FunctionRef> {
    match *value {
        Type::Function(target) | Type::Method(target, _) | Type::MadeAsync(target) => Some(target),
        Type::Partial(inner) => match inner.get() {
            Type::Function(target) | Type::Method(target, _) => Some(target),
            _ => None,
        },
        _ => None,
    }
}
