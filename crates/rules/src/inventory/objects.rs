//! Shared mutable objects: places that several executions may have and that somebody changes.

use super::accesses::{Access, is_initial};
use super::guards::{Guards, PERHAPS};
use super::locks::is_lock;
use super::{Index, names};
use crate::context::Context;
use crate::finding::Place;
use crate::race::cells::Root;
use crate::race::overlap::{Evidence, is_of};
use crate::sharing::overlap_at;
use racewalk_ir::FunctionId;
use racewalk_link::{ClassRef, FunctionRef, Program, Type, Variable};
use racewalk_models::ClassKind;
use racewalk_report::inventory::{Answer, Does, Runs, Scope, Shared};

/// Objects that change with use, whatever their methods are called.
const CHANGE_WITH_USE: [ClassKind; 11] = [
    ClassKind::AsyncQueue,
    ClassKind::ThreadQueue,
    ClassKind::AsyncEvent,
    ClassKind::ThreadEvent,
    ClassKind::Client,
    ClassKind::Session,
    ClassKind::Stream,
    ClassKind::TaskGroup,
    ClassKind::Transaction,
    ClassKind::ThreadPool,
    ClassKind::ProcessPool,
];

/// What each task or thread has a value of its own of.
const NOT_SHARED: [ClassKind; 2] = [ClassKind::ThreadLocal, ClassKind::ContextVariable];

/// The place is one that overlapping executions may meet at, and somebody changes what is there.
pub(super) fn is_shared_object(index: &Index<'_>, root: Root, accesses: &[Access]) -> bool {
    let program = index.program;
    let value = names::value(program, root);
    let is_kind = |kinds: &[ClassKind]| kinds.iter().any(|kind| is_of(program, value, *kind));
    let later = || accesses.iter().filter(|access| !is_initial(program, access));
    let changes = later().any(|access| matches!(access.does, Does::Writes | Does::Changes));
    let is_used = || later().any(|access| access.does == Does::Uses) && is_kind(&CHANGE_WITH_USE);
    !is_kind(&NOT_SHARED)
        && !is_lock(program, value)
        && !matches!(value, Type::Module(_))
        && (changes || is_used())
        && is_met(index, root, accesses)
}

/// Some code that runs beside other code gets there.
fn is_met(index: &Index<'_>, root: Root, accesses: &[Access]) -> bool {
    let is_concurrent = |access: &Access| index.runs(access.function) != Runs::Caller;
    match root {
        Root::Variable(variable) if variable.owner.id != FunctionId(0) => {
            accesses.iter().any(|access| access.function != variable.owner && index.is_beside(access.function))
        }
        Root::Field(class, _) => {
            let is_own = index.shared.race.is_made_per_call(class);
            accesses.iter().any(|access| {
                !is_initial(index.program, access)
                    && is_concurrent(access)
                    && (!is_own || index.is_started_on_one_object(access.function))
            })
        }
        _ => accesses.iter().any(|access| !is_initial(index.program, access) && is_concurrent(access)),
    }
}

/// Everything about one shared object.
pub(super) fn describe(index: &Index<'_>, ctx: &Context<'_>, root: Root, accesses: &[Access]) -> Shared<Place> {
    let program = index.program;
    let guards = Guards::new(ctx);
    let scope = names::scope(program, root);
    let told: Vec<racewalk_report::inventory::Access<Place>> =
        accesses.iter().map(|access| describe_access(index, &guards, access)).collect();
    let (overlapping, why, started) = overlap(index, ctx, accesses);
    let writes = told.iter().filter(|access| !access.initial && access.does != Does::Reads);
    Shared {
        name: names::name(program, root),
        scope,
        shared_by: shared_by(index, root, scope),
        holds: names::type_text(program, names::value(program, root)),
        overlapping,
        why,
        started,
        guarded_by: common(writes.map(|access| access.locks.as_slice())),
        annotations: ctx.shared.claims.told(ctx, root),
        defined: names::definition(program, root),
        accesses: told,
    }
}

fn describe_access(
    index: &Index<'_>,
    guards: &Guards<'_, '_>,
    access: &Access,
) -> racewalk_report::inventory::Access<Place> {
    let program = index.program;
    let function = access.function;
    racewalk_report::inventory::Access {
        symbol: names::symbol(program, function),
        does: access.does,
        by: access.by.map_or_else(String::new, |by| by.to_string()),
        locks: guards.locks_at(function, access.event),
        runs: index.runs(function),
        initial: is_initial(program, access),
        at: Place { file: function.file, span: program.module(function.file).span(access.at) },
    }
}

/// What all of these have in common.
fn common<'a>(mut all: impl Iterator<Item = &'a [String]>) -> Vec<String> {
    let mut common = all.next().map(<[String]>::to_vec).unwrap_or_default();
    all.for_each(|other| common.retain(|name| other.contains(name)));
    common.retain(|name| !name.starts_with(PERHAPS));
    common
}

/// Who may have it, in words.
fn shared_by(index: &Index<'_>, root: Root, scope: Scope) -> String {
    let program = index.program;
    match root {
        Root::Field(class, _) if scope == Scope::Class => {
            format!("all instances of {}: its class keeps it", program.qualified_class(class))
        }
        Root::Field(class, _) => {
            let whoever = format!("whoever has the same {}", program.qualified_class(class));
            match index.keepers.get(&class) {
                Some(keepers) if !keepers.is_empty() => {
                    let names: Vec<String> = keepers.iter().map(|root| names::name(program, *root)).collect();
                    format!("{whoever}; {} keeps one", names.join(", "))
                }
                _ if index.shared.race.is_lasting(class) => format!("{whoever}; the process keeps one"),
                _ => whoever,
            }
        }
        Root::Variable(Variable { owner, .. }) if owner.id != FunctionId(0) => {
            format!("one call of {} and the functions inside it", names::symbol(program, owner))
        }
        Root::Variable(_) => "the whole process: there is one".to_owned(),
        Root::Param(function, _) if scope == Scope::Default => {
            format!("all calls of {} that do not give another", names::symbol(program, function))
        }
        Root::Param(function, _) => format!("{} and whoever gives it", names::symbol(program, function)),
    }
}

/// Whether overlapping executions get to the object, why, and where they are started.
fn overlap(index: &Index<'_>, ctx: &Context<'_>, accesses: &[Access]) -> (Answer, String, Option<Place>) {
    let program = index.program;
    let later = || accesses.iter().filter(|access| !is_initial(program, access));
    if let Some(why) = between_threads(index, later()) {
        return (Answer::Yes, why, None);
    }
    let evidence = |access: &Access| {
        let overlap = overlap_at(ctx, access.function, access.cell)?;
        Some((overlap.evidence, overlap.distance, access.function))
    };
    if let Some((evidence, distance, function)) = later().filter_map(evidence).min() {
        let (why, started) = told(program, evidence, distance, function);
        return (Answer::Yes, why, started);
    }
    let beside =
        later().find_map(|access| Some((index.shared.race.overlaps.beside(access.function)?, access.function)));
    if let Some(((by, call), function)) = beside
        && later().any(|access| access.function != function)
    {
        let why = format!("{} runs in a task of its own", names::symbol(program, function));
        return (Answer::Yes, why, Some(place(program, by, call)));
    }
    if later().all(|access| index.shared.alone.contains(&access.function)) {
        return (Answer::No, "all of it runs in the program's one task".to_owned(), None);
    }
    (Answer::Unknown, "nothing in the program shows two executions at a time".to_owned(), None)
}

/// A thread and the loop, in words, when both get to the object.
fn between_threads<'a>(index: &Index<'_>, accesses: impl Iterator<Item = &'a Access> + Clone) -> Option<String> {
    let find = |wanted: &[Runs]| accesses.clone().find(|access| wanted.contains(&index.runs(access.function)));
    let name = |access: &Access| names::symbol(index.program, access.function);
    let in_thread = find(&[Runs::Both, Runs::Thread])?;
    let on_loop = find(&[Runs::Both, Runs::Loop])?;
    Some(if in_thread.function == on_loop.function {
        format!("{} runs in a thread, and on the event loop", name(in_thread))
    } else {
        format!("{} runs in a thread, {} on the event loop", name(in_thread), name(on_loop))
    })
}

fn place(program: &Program, function: FunctionRef, expr: racewalk_ir::ExprId) -> Place {
    Place { file: function.file, span: program.module(function.file).span(expr) }
}

/// The evidence that executions of a function overlap, in words.
fn told(program: &Program, evidence: Evidence, distance: u32, function: FunctionRef) -> (String, Option<Place>) {
    let own = names::symbol(program, function);
    let far = if distance > 1 { format!(", {distance} calls further") } else { String::new() };
    match evidence {
        Evidence::Spawned(by, call) => {
            let why = format!("{} starts several tasks that get to {own}{far}", names::symbol(program, by));
            (why, Some(place(program, by, call)))
        }
        Evidence::Served(handler) => {
            let label = program.entries.get(&handler).map(|entry| entry.label.clone());
            let label = label.unwrap_or_else(|| names::symbol(program, handler));
            let route = if handler == function { String::new() } else { format!(", and gets to {own}{far}") };
            (format!("{label} is called for every request or event{route}"), None)
        }
        Evidence::Beside(by, call) => (format!("{own} runs in a task of its own"), Some(place(program, by, call))),
        Evidence::ForTasks => (
            format!("{own} is made for several tasks: its class owns a lock for them, or it is given what they share"),
            None,
        ),
    }
}

/// The module variables that keep an instance of each class.
pub(super) fn keepers(program: &Program) -> rustc_hash::FxHashMap<ClassRef, Vec<Root>> {
    let mut keepers: rustc_hash::FxHashMap<ClassRef, Vec<Root>> = rustc_hash::FxHashMap::default();
    for file in program.files().filter(|file| !program.is_installed(*file)) {
        let owner = FunctionRef { file, id: FunctionId(0) };
        for (symbol, value) in program.module_variables(file) {
            let root = Root::Variable(Variable { owner, symbol });
            if !is_made_here(program, Variable { owner, symbol }) {
                continue;
            }
            for member in value.members() {
                if let Type::Instance(class, _) = member {
                    let bases = program.lineage(*class).filter_map(|base| match base {
                        Type::Class(base) => Some(base),
                        _ => None,
                    });
                    bases.for_each(|base| keepers.entry(base).or_default().push(root));
                }
            }
        }
    }
    keepers
}

/// The variable is assigned, not imported.
fn is_made_here(program: &Program, variable: Variable) -> bool {
    use racewalk_ir::BindingKind;
    let module = program.module(variable.owner.file);
    let bindings = &module.function(variable.owner.id).symbols[variable.symbol.index()].bindings;
    bindings.iter().any(|binding| {
        matches!(module.bindings[binding.index()].kind, BindingKind::Value(_) | BindingKind::Typed(_, Some(_)))
    })
}
