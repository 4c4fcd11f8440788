//! Which lock guards which state of a package, by how its functions use them; and who does without.

use super::build::{place_of_class, traced_alone};
use super::ops::{Does, Trace};
use super::order::Order;
use super::path::{Part, Path, Root};
use crate::context::Context;
use crate::finding::Place;
use racewalk_ir::{ExprId, FunctionId, FunctionKind, Name};
use racewalk_link::{ClassRef, FunctionRef};
use rustc_hash::{FxHashMap, FxHashSet};

/// State that several functions use.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum State {
    /// A field of the instances of a class.
    Field(ClassRef, Name),
    /// A variable of a package.
    Variable(Root),
}

/// A lock, as it is reached from what it guards: from the instance, or from anywhere.
type Guard = Vec<Part>;

/// One use of a state.
struct Use {
    function: FunctionId,
    at: Place,
    write: bool,
    is_content: bool,
    /// The locks that are held, and whether others may hold them too.
    guards: Vec<(Guard, bool)>,
    /// Nobody else has the object yet.
    is_fresh: bool,
}

/// A use without the lock that guards the state elsewhere.
pub(crate) struct Unguarded {
    pub function: FunctionId,
    pub at: Place,
    pub write: bool,
    /// It is something inside of a mapping or sequence: to use that while it is changed may end the process.
    pub is_content: bool,
    pub name: String,
    pub guard: String,
    /// A write under the lock.
    pub guarded: Place,
    pub guarded_in: FunctionId,
    /// It is changed with the lock held for reading only.
    pub is_held_to_read: bool,
}

/// Who calls a function, and with which locks of the receiver.
type Callers = FxHashMap<FunctionRef, Vec<(FunctionId, Vec<Guard>)>>;

/// The uses of a package's state that do without its lock.
pub(crate) fn unguarded(ctx: &Context<'_>) -> Vec<Unguarded> {
    let mut uses: FxHashMap<State, Vec<Use>> = FxHashMap::default();
    let mut states: Vec<State> = Vec::new();
    let mut callers = Callers::default();
    for function in ctx.functions().filter(|id| ctx.module.function(*id).kind == FunctionKind::Function) {
        let trace = traced_alone(ctx, function);
        collect(ctx, function, &trace, &mut uses, &mut states, &mut callers);
    }
    let mut found = Vec::new();
    for state in &states {
        judge(ctx, state, &uses[state], &callers, &mut found);
    }
    found
}

fn collect(
    ctx: &Context<'_>,
    function: FunctionId,
    trace: &Trace,
    uses: &mut FxHashMap<State, Vec<Use>>,
    states: &mut Vec<State>,
    callers: &mut Callers,
) {
    let order = Order::new(trace);
    for (lane, it) in trace.lanes.iter().enumerate() {
        for (at, op) in it.ops.iter().enumerate() {
            let state = &order.spot((lane, at)).state;
            if state.is_dead || op.at.file != ctx.file {
                continue;
            }
            match &op.does {
                Does::Calls(callee, receiver) => {
                    let held = state.locks.iter().map(|(lock, _)| relative(receiver.as_ref(), lock)).collect();
                    callers.entry(*callee).or_default().push((function, held));
                }
                Does::Touches { path, write, atomic: false } => {
                    let Some((state_used, instance, rest)) =
                        op.expr.and_then(|expr| used(ctx, op.function.id, expr, path))
                    else {
                        continue;
                    };
                    let guards = state.locks.iter().map(|(lock, shared)| (relative(instance.as_ref(), lock), *shared));
                    let is_fresh = is_fresh(trace, path);
                    let one = Use {
                        function,
                        at: op.at,
                        write: *write,
                        is_content: rest,
                        guards: guards.collect(),
                        is_fresh,
                    };
                    uses.entry(state_used.clone())
                        .or_insert_with(|| {
                            states.push(state_used);
                            Vec::new()
                        })
                        .push(one);
                }
                _ => {}
            }
        }
    }
}

/// A lock as it is reached from an instance; one that does not belong to it, from anywhere.
fn relative(instance: Option<&Path>, lock: &Path) -> Guard {
    match instance {
        Some(instance) if instance.root == lock.root && lock.parts.starts_with(&instance.parts) => {
            lock.parts[instance.parts.len()..].to_vec()
        }
        _ => {
            let mut absolute = vec![Part::Pointee, Part::Pointee];
            absolute.extend_from_slice(&lock.parts);
            absolute
        }
    }
}

/// The object was made in this run: nobody else has it yet.
fn is_fresh(trace: &Trace, path: &Path) -> bool {
    match path.root {
        Root::Local(..) => trace.declared.iter().any(|(root, _, at)| *root == path.root && *at > 0),
        Root::Global(..) => false,
    }
}

/// The state that an expression uses, the instance that it belongs to, and whether it is something inside of it.
fn used(ctx: &Context<'_>, function: FunctionId, expr: ExprId, path: &Path) -> Option<(State, Option<Path>, bool)> {
    if let Root::Global(..) = path.root
        && path.parts.iter().all(|part| !matches!(part, Part::Field(_)))
    {
        return Some((State::Variable(path.root), None, !path.parts.is_empty()));
    }
    let last = path.parts.iter().rposition(|part| matches!(part, Part::Field(_)))?;
    let Part::Field(name) = path.parts[last] else { return None };
    let class = place_of_class(ctx, function, expr, name)?;
    let instance = Path { root: path.root, parts: path.parts[..last].iter().copied().collect() };
    Some((State::Field(class, name), Some(instance), last + 1 < path.parts.len()))
}

fn judge(ctx: &Context<'_>, state: &State, uses: &[Use], callers: &Callers, found: &mut Vec<Unguarded>) {
    let shared: Vec<&Use> = uses.iter().filter(|it| !it.is_fresh && !is_at_start(ctx, it.function)).collect();
    let mut candidates: Vec<(&Guard, usize)> = Vec::new();
    for (guard, _) in shared.iter().flat_map(|it| &it.guards) {
        match candidates.iter_mut().find(|(known, _)| *known == guard) {
            Some((_, count)) => *count += 1,
            None => candidates.push((guard, 1)),
        }
    }
    let Some((guard, _)) = candidates.into_iter().rev().max_by_key(|(_, count)| *count) else { return };
    let holds = |it: &Use| it.guards.iter().any(|(held, _)| held == guard);
    let alone = |it: &Use| it.guards.iter().any(|(held, shared)| held == guard && !shared);
    let guarded: Vec<&&Use> = shared.iter().filter(|it| holds(it)).collect();
    let Some(evidence) = guarded.iter().find(|it| it.write && alone(it)) else { return };
    let functions: FxHashSet<FunctionId> = guarded.iter().map(|it| it.function).collect();
    let without: Vec<&&Use> = shared
        .iter()
        .filter(|it| !holds(it) || it.write && !alone(it))
        .filter(|it| {
            // Another lock may keep the two apart.
            let shares =
                |other: &Use| other.guards.iter().any(|(held, _)| it.guards.iter().any(|(own, _)| own == held));
            holds(it) || guarded.iter().any(|other| (other.write || it.write) && !shares(other))
        })
        .filter(|it| !is_called_with(ctx, it.function, guard, callers, 3))
        .filter(|it| is_reached_without(ctx, it.function, callers, 4))
        .collect();
    let lacking: FxHashSet<FunctionId> = without.iter().map(|it| it.function).collect();
    // What is done without the lock as often as with it is not what the lock is for.
    if lacking.len() > functions.len() || functions.len() < 2 {
        return;
    }
    let is_content = uses.iter().any(|it| it.is_content && it.write);
    let mut told: Vec<FunctionId> = Vec::new();
    for one in without {
        let tells = one.write || one.is_content;
        if told.contains(&one.function) || !tells {
            continue;
        }
        told.push(one.function);
        found.push(Unguarded {
            function: one.function,
            at: one.at,
            write: one.write,
            is_content: is_content && one.is_content,
            name: name_of(ctx, state),
            guard: guard_name(guard),
            guarded: evidence.at,
            guarded_in: evidence.function,
            is_held_to_read: holds(one),
        });
    }
}

/// It runs before anything else does.
fn is_at_start(ctx: &Context<'_>, function: FunctionId) -> bool {
    matches!(ctx.module.function(function).name.as_str(), "init" | "main")
}

/// Somebody outside of the package may call the function, or what calls it: of one that only its package calls, and by ways that
/// are not seen, nothing is known.
fn is_reached_without(ctx: &Context<'_>, function: FunctionId, callers: &Callers, depth: u32) -> bool {
    if ctx.module.function(function).name.as_str().starts_with(char::is_uppercase) {
        return true;
    }
    let calls = callers.get(&ctx.function_ref(function)).into_iter().flatten();
    depth > 0
        && calls
            .into_iter()
            .any(|(caller, _)| *caller != function && is_reached_without(ctx, *caller, callers, depth - 1))
}

/// Some caller holds the lock of the receiver, itself or by its own callers.
fn is_called_with(ctx: &Context<'_>, function: FunctionId, guard: &Guard, callers: &Callers, depth: u32) -> bool {
    let name = ctx.module.function(function).name.as_str();
    if name.to_lowercase().contains("lock") {
        return true;
    }
    let Some(calls) = callers.get(&ctx.function_ref(function)) else { return false };
    calls.iter().any(|(caller, held)| {
        held.contains(guard)
            || depth > 0 && *caller != function && is_called_with(ctx, *caller, guard, callers, depth - 1)
    })
}

fn name_of(ctx: &Context<'_>, state: &State) -> String {
    match state {
        State::Field(class, name) => format!("{}.{name}", ctx.program.class(*class).name),
        State::Variable(root) => super::path_text(ctx.program, &Path::of(*root)),
    }
}

fn guard_name(guard: &Guard) -> String {
    let names: Vec<&str> = guard
        .iter()
        .filter_map(|part| match part {
            Part::Field(name) => Some(name.as_str()),
            _ => None,
        })
        .collect();
    if names.is_empty() { "its own lock".to_owned() } else { format!("`{}`", names.join(".")) }
}
