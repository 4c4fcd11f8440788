//! Locks, semaphores and conditions: where they are kept, and where they are taken.

use super::accesses::Access;
use super::guards::{is_held_across, kept_in, lock_name, place_of};
use super::{Index, names};
use crate::context::Context;
use crate::finding::Place;
use crate::race::cells::{Cell, Cells, Owner, Root};
use crate::race::held::{Sort, Take};
use crate::race::locks::permits;
use crate::race::overlap::is_of;
use racewalk_ir::{BindingKind, ClassId, Defs, Expr, FunctionId, Name};
use racewalk_link::{ClassRef, FileId, FunctionRef, Program, Type, Variable};
use racewalk_models::ClassKind;
use racewalk_report::inventory::{Answer, Lock, LockSite, Scope};
use std::collections::BTreeMap;

const KINDS: [ClassKind; 6] = [
    ClassKind::AsyncLock,
    ClassKind::ThreadLock,
    ClassKind::AsyncSemaphore,
    ClassKind::ThreadSemaphore,
    ClassKind::AsyncEvent,
    ClassKind::ThreadEvent,
];

/// Where a lock is kept, or which expression names one that is kept nowhere.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Home {
    Root(Root),
    Named(FunctionRef, Name),
}

/// An acquisition: the function, and its number there.
type At = (FunctionRef, usize);

/// All locks of the program, with where they are taken.
pub(super) fn all(program: &Program, index: &Index<'_>) -> BTreeMap<Home, Vec<At>> {
    let mut locks: BTreeMap<Home, Vec<At>> = BTreeMap::new();
    for file in program.files().filter(|file| !program.is_installed(*file)) {
        for root in places_in(program, file) {
            locks.entry(Home::Root(root)).or_default();
        }
    }
    for function in index.shared.race.locks.holders() {
        let Some(holds) = index.shared.race.locks.holds(function) else { continue };
        for (number, take) in holds.takes.iter().enumerate() {
            if !matches!(take.sort, Sort::Deadline | Sort::Perhaps) {
                locks.entry(home(program, function, take)).or_default().push((function, number));
            }
        }
    }
    locks
}

/// The module variables and members of classes that keep locks.
fn places_in(program: &Program, file: FileId) -> Vec<Root> {
    let owner = FunctionRef { file, id: FunctionId(0) };
    let module = program.module(file);
    let variables = program.module_variables(file).filter(|(symbol, value)| {
        let bindings = &module.functions[0].symbols[symbol.index()].bindings;
        let is_import = |binding: &racewalk_ir::BindingId| {
            matches!(module.bindings[binding.index()].kind, BindingKind::Import(_) | BindingKind::ImportMember(..))
        };
        is_lock(program, *value) && !bindings.iter().any(is_import)
    });
    let mut roots: Vec<Root> = variables.map(|(symbol, _)| Root::Variable(Variable { owner, symbol })).collect();
    for id in 0..module.classes.len() as u32 {
        let class = ClassRef { file, id: ClassId(id) };
        let members = program.members(class).filter(|(_, value)| is_lock(program, *value));
        roots.extend(members.map(|(member, _)| Root::Field(class, member)).filter(|root| is_first(program, *root)));
    }
    roots
}

/// No base of the class has the member: it would be another name of the same lock.
fn is_first(program: &Program, root: Root) -> bool {
    let Root::Field(class, member) = root else { return true };
    let mut bases = program.lineage(class).filter_map(|base| match base {
        Type::Class(base) if base != class => Some(base),
        _ => None,
    });
    !bases.any(|base| program.members(base).any(|(name, _)| name == member))
}

/// The value is a lock that can be given back, or a table of them.
pub(crate) fn is_lock(program: &Program, value: Type) -> bool {
    value.members().iter().any(|member| match *member {
        Type::ExternalInstance(path, _) => {
            let gives_back =
                program.models().method(path, Name::new("release")).is_some_and(|release| release.releases);
            gives_back && program.models().kind(path).is_some_and(|kind| KINDS.contains(&kind))
        }
        Type::Mapping(inner) => is_lock(program, inner.get()),
        _ => false,
    })
}

fn home(program: &Program, function: FunctionRef, take: &Take) -> Home {
    if let Some((root, _)) = kept_in(program, function, take) {
        return Home::Root(root);
    }
    let module = program.module(function.file);
    let place = place_of(program, function, take);
    if let Expr::Name(_, Defs::One(binding)) = module.expr(place) {
        let bound = module.bindings[binding.index()];
        let variable = Variable { owner: FunctionRef { id: bound.owner, ..function }, symbol: bound.symbol };
        if matches!(bound.kind, BindingKind::Value(_) | BindingKind::Typed(..) | BindingKind::Param(_)) {
            return Home::Root(names::variable(program, variable));
        }
    }
    Home::Named(function, Name::new(&lock_name(program, function, take)))
}

/// Everything about one lock.
pub(super) fn describe(index: &Index<'_>, ctx: &Context<'_>, home: Home, sites: &[At]) -> Lock<Place> {
    let program = index.program;
    let takes: Vec<(FunctionRef, usize, &Take)> = sites
        .iter()
        .filter_map(|(function, number)| {
            let holds = index.shared.race.locks.holds(*function)?;
            Some((*function, *number, &holds.takes[*number]))
        })
        .collect();
    let value = match home {
        Home::Root(root) => names::value(program, root),
        Home::Named(..) => taken_value(program, &takes),
    };
    let (name, defined, scope) = match home {
        Home::Root(root) => (names::name(program, root), names::definition(program, root), lock_scope(index, root)),
        Home::Named(function, name) => {
            (format!("{} in {}", name, names::symbol(program, function)), None, Scope::Unknown)
        }
    };
    Lock {
        name,
        class: class_text(program, value),
        kind: kind(program, value, &takes).to_owned(),
        between: between(program, value, &takes).to_owned(),
        permits: permits_of(ctx, home, value),
        scope,
        keyed: matches!(value.without_none(), Type::Mapping(_)),
        defined,
        sites: takes
            .iter()
            .map(|(function, number, take)| site(ctx, *function, *number, take))
            .chain(attempts(index, home, &takes))
            .collect(),
    }
}

/// Calls that may come back without the lock: `lock.acquire_nowait()` and the like.
fn attempts(index: &Index<'_>, home: Home, takes: &[(FunctionRef, usize, &Take)]) -> Vec<LockSite<Place>> {
    let Home::Root(root) = home else { return Vec::new() };
    let program = index.program;
    let is_taken = |access: &Access| {
        takes.iter().any(|(function, _, take)| *function == access.function && take.event as usize == access.event)
    };
    let acquires = |access: &&Access| access.by.is_some_and(|by| by.as_str().starts_with("acquire"));
    let all = index.accesses_of(root).iter().filter(acquires).filter(|access| !is_taken(access));
    all.map(|access| LockSite {
        symbol: names::symbol(program, access.function),
        how: "attempt".to_owned(),
        under: Vec::new(),
        across: Answer::Unknown,
        at: Place { file: access.function.file, span: program.module(access.function.file).span(access.at) },
    })
    .collect()
}

/// What is taken, where it is kept nowhere.
fn taken_value(program: &Program, takes: &[(FunctionRef, usize, &Take)]) -> Type {
    takes.first().map_or(Type::DYNAMIC, |(function, _, take)| {
        program.evaluator(function.file).eval(function.id, place_of(program, *function, take))
    })
}

/// A local that the call makes, and that no inner function takes, is the call's own.
fn lock_scope(index: &Index<'_>, root: Root) -> Scope {
    match (names::scope(index.program, root), root) {
        (Scope::Captured, Root::Variable(variable)) if !index.is_captured(root) => {
            if is_made_there(index.program, variable) { Scope::Call } else { Scope::Unknown }
        }
        (scope, _) => scope,
    }
}

/// The function that has the variable calls a library's class for it.
fn is_made_there(program: &Program, variable: Variable) -> bool {
    let module = program.module(variable.owner.file);
    let bindings = &module.function(variable.owner.id).symbols[variable.symbol.index()].bindings;
    bindings.iter().any(|binding| match module.bindings[binding.index()].kind {
        BindingKind::Value(value) | BindingKind::Typed(_, Some(value)) => {
            program.site(variable.owner, value).is_some_and(|site| matches!(site.callee, Type::External(_)))
        }
        _ => false,
    })
}

fn class_text(program: &Program, value: Type) -> String {
    names::type_text(program, value.without_none())
}

fn kind(program: &Program, value: Type, takes: &[(FunctionRef, usize, &Take)]) -> &'static str {
    let is = |kinds: [ClassKind; 2]| kinds.iter().any(|kind| is_of(program, value, *kind));
    match takes.first().map(|(.., take)| take.sort) {
        Some(Sort::Reentrant) => "reentrant lock",
        _ if is([ClassKind::AsyncSemaphore, ClassKind::ThreadSemaphore]) => "semaphore",
        _ if is([ClassKind::AsyncEvent, ClassKind::ThreadEvent]) => "condition",
        _ => "lock",
    }
}

fn between(program: &Program, value: Type, takes: &[(FunctionRef, usize, &Take)]) -> &'static str {
    let kinds = [ClassKind::ThreadLock, ClassKind::ThreadSemaphore, ClassKind::ThreadEvent];
    let is_of_threads = kinds.iter().any(|kind| is_of(program, value, *kind))
        || takes.first().is_some_and(|(.., take)| take.is_of_threads);
    if is_of_threads { "threads" } else { "tasks" }
}

fn permits_of(ctx: &Context<'_>, home: Home, value: Type) -> Option<i32> {
    let Home::Root(root) = home else { return None };
    let kinds = [ClassKind::AsyncSemaphore, ClassKind::ThreadSemaphore];
    if !kinds.iter().any(|kind| is_of(ctx.program, value, *kind)) || matches!(value.without_none(), Type::Mapping(_)) {
        return None;
    }
    let function = FunctionRef { file: ctx.file, id: FunctionId(0) };
    let cells = Cells { program: ctx.program, evaluator: &ctx.evaluator, function };
    permits(&cells, Cell { root, owner: Owner::Static, part: None, key: None })
}

fn site(ctx: &Context<'_>, function: FunctionRef, number: usize, take: &Take) -> LockSite<Place> {
    let program = ctx.program;
    let holds = ctx.shared.race.locks.holds(function);
    let under = take.under.iter().filter_map(|at| holds.and_then(|holds| holds.takes.get(*at as usize)));
    let under = under.filter(|other| !matches!(other.sort, Sort::Deadline | Sort::Perhaps));
    LockSite {
        symbol: names::symbol(program, function),
        how: if take.by_hand { "call" } else { "block" }.to_owned(),
        under: under.map(|other| lock_name(program, function, other)).collect(),
        across: if program.function(function).is_async { is_held_across(ctx, function, number) } else { Answer::No },
        at: Place { file: function.file, span: program.module(function.file).span(take.at) },
    }
}
