//! What state is shared across a suspension point, or between threads of execution?

pub(crate) mod check_then_act;
mod counts;
pub(crate) mod data_race;
pub(crate) mod inconsistent_lock;
pub(crate) mod iterate_across_await;
pub(crate) mod lock_bottleneck;
pub(crate) mod lock_order;
pub(crate) mod lost_update;
pub(crate) mod lost_wakeup;
pub(crate) mod misplaced_context;
mod origin;
mod peers;
mod racing_lanes;
pub(crate) mod self_deadlock;
pub(crate) mod shared_default;
pub(crate) mod shared_session;
pub(crate) mod sleep_as_sync;
pub(crate) mod stale_write;
pub(crate) mod stampede;
mod taken_twice;
mod unguarded;
mod written_back;

use crate::context::Context;
use crate::finding::{Finding, Place, Step, Witness};
use crate::looping::is_test_module;
use crate::outside::{leaves_machine, takes_time};
use crate::race::cells::{Cell, Cells, Owner, Root};
use crate::race::held::Take;
use crate::race::locks::{Guard, guard};
use crate::race::mutators::last_name;
use crate::race::overlap::{Evidence, Overlap};
use crate::race::walk::{Conflict, Kind, What};
use crate::rule::Rule;
use racewalk_ir::{BindingId, BindingKind, Defs, Event, Expr, ExprId, FunctionId, FunctionKind, Literal, Name, Role};
use racewalk_link::{ClassRef, FunctionRef, Program, Type, Variable};
use racewalk_report::Confidence;

/// What the lock that is taken is called there.
fn lock_text(ctx: &Context<'_>, take: &Take) -> String {
    let place = match ctx.module.expr(take.at) {
        Expr::Call(callee, _) if take.by_hand => match ctx.module.expr(callee) {
            Expr::Attr(receiver, _) => receiver,
            _ => take.at,
        },
        _ => take.at,
    };
    ctx.program.path_text(ctx.file, place)
}

/// Why somebody else may come in between, and how sure that is.
struct Overlapping {
    evidence: Option<Evidence>,
    confidence: Confidence,
}

/// Whether another execution may come between a conflict's read and its write.
fn overlapping(ctx: &Context<'_>, function: FunctionId, conflict: &Conflict) -> Option<Overlapping> {
    let this = ctx.function_ref(function);
    if is_constructor(ctx, this)
        || is_held_by_callers(ctx, this, 5)
        || ctx.shared.claims.is_owned_by(ctx, conflict.cell.root, this)
    {
        return None;
    }
    let overlap = overlap_at(ctx, this, conflict.cell);
    if let Some(overlap) = overlap {
        let is_once = overlap.evidence == Evidence::ForTasks
            && conflict.what != What::Modify
            && conflict.cell.key.is_none()
            && begins_or_ends(ctx, function);
        let is_weak = is_once
            || !(is_strong(ctx, this, conflict.cell, overlap) || waits_for_lock(ctx, function, conflict))
            || overlap.evidence == Evidence::ForTasks
                && conflict.kind == Kind::Stampede
                && !matches!(conflict.cell.root, Root::Param(..))
                && !waits_for_lock(ctx, function, conflict)
            || has_own_key(ctx, this, conflict.cell, overlap)
            || conflict.kind == Kind::Stampede && !is_dear(ctx, function, conflict, overlap)
            || conflict.kind == Kind::CheckThenAct && is_mild_test(ctx, conflict, overlap)
            || conflict.cell.owner == Owner::Receiver && is_own_object(ctx, this, overlap);
        let confidence = if is_weak { Confidence::Possible } else { Confidence::Likely };
        return Some(Overlapping { evidence: Some(overlap.evidence), confidence });
    }
    if is_test_module(ctx.module.name.as_str()) || ctx.shared.alone.contains(&this) {
        return None;
    }
    if let Some(start) = ctx.shared.race.overlaps.beside(this)
        && conflict.kind != Kind::LostUpdate
        && others_write(ctx, this, conflict.cell)
    {
        // A closure's task is the method's own business; a method may be the only one that its object runs.
        let is_closure = ctx.program.function(this).class.is_none();
        let confidence = if is_closure { Confidence::Likely } else { Confidence::Possible };
        return Some(Overlapping { evidence: Some(Evidence::Beside(start.0, start.1)), confidence });
    }
    let is_expected = is_keyed_by_callers(ctx, function, conflict) && waits_for_lock(ctx, function, conflict);
    let confidence = if is_expected { Confidence::Likely } else { Confidence::Possible };
    Some(Overlapping { evidence: None, confidence })
}

/// What is waited for between is a lock: the function expects company, and does not look again once it is in.
fn waits_for_lock(ctx: &Context<'_>, function: FunctionId, conflict: &Conflict) -> bool {
    let cells = Cells { program: ctx.program, evaluator: &ctx.evaluator, function: ctx.function_ref(function) };
    ctx.module.function(function).events.iter().any(|event| {
        matches!(*event, Event::Enter(_, context) if context == conflict.suspend && guard(&cells, context).is_some())
    })
}

/// Tasks that are started together mostly test what each has worked out for itself, and their owner mostly starts one at a time
/// where it starts them far from here; and a function that acts under a lock mostly tests again there.
fn is_mild_test(ctx: &Context<'_>, conflict: &Conflict, overlap: Overlap) -> bool {
    let is_test_of_read = ctx.module.span(conflict.test).contains(ctx.module.span(conflict.read));
    let is_far =
        matches!(overlap.evidence, Evidence::Spawned(by, _) if by.file != ctx.file || overlap.distance > FROM_START);
    let is_spawned = matches!(overlap.evidence, Evidence::Spawned(..));
    is_spawned && !is_test_of_read || is_far || conflict.within.is_some_and(|(inside, _)| uses_lock(ctx, inside))
}

/// Doing the work twice costs something: it opens or makes what somebody must close, or it asks another machine for each
/// key, or for each of several tasks that are started at once. A question to one's own database is mostly cheaper than its answer. A read that fills one field once harms nobody.
fn is_dear(ctx: &Context<'_>, function: FunctionId, conflict: &Conflict, overlap: Overlap) -> bool {
    const MAKING: u32 = 3;
    const ASKING: u32 = 2;
    let this = ctx.function_ref(function);
    let is_repeated = conflict.cell.key.is_some() || matches!(overlap.evidence, Evidence::Spawned(..));
    matches!(conflict.cell.root, Root::Param(..))
        || waits_for_lock(ctx, function, conflict)
        || waits_between(ctx, function, conflict).into_iter().any(|wait| {
            let takes = |farthest| takes_time(ctx.program, this, wait, farthest);
            makes_by_name(ctx, wait) && takes(MAKING)
                || is_repeated && (leaves_machine(ctx.program, this, wait, ASKING) || is_handed_in(ctx, function, wait))
        })
}

/// What is waited for from the conflict's first wait to its write.
fn waits_between(ctx: &Context<'_>, function: FunctionId, conflict: &Conflict) -> Vec<ExprId> {
    let events = ctx.module.function(function).events.iter();
    let is_write = |event: &Event| matches!(*event, Event::WritePlace(at, _) | Event::Call(at) if at == conflict.write);
    let from_first = events.skip_while(|event| !matches!(event, Event::Suspend(_, at) if *at == conflict.suspend));
    let waits = from_first.take_while(|event| !is_write(event)).filter_map(|event| match *event {
        Event::Suspend(_, operand) => Some(operand),
        _ => None,
    });
    waits.collect()
}

/// What is called was given to the function: work that somebody else knows to be worth keeping.
fn is_handed_in(ctx: &Context<'_>, function: FunctionId, call: ExprId) -> bool {
    let Expr::Call(callee, _) = ctx.module.expr(call) else { return false };
    let Expr::Name(name, defs) = ctx.module.expr(callee) else { return false };
    let is_param = |binding: &BindingId| matches!(ctx.module.bindings[binding.index()].kind, BindingKind::Param(_));
    match defs {
        Defs::Outer => ctx.evaluator.scope_of(function, name).is_some_and(|(owner, symbol)| {
            ctx.module.function(owner).symbols[symbol.index()].bindings.iter().any(is_param)
        }),
        _ => ctx.module.defs(&defs).iter().any(is_param),
    }
}

/// By its name the call makes what lasts: a connection, a process, a pool.
fn makes_by_name(ctx: &Context<'_>, call: ExprId) -> bool {
    let is_call = matches!(ctx.module.expr(call), Expr::Call(..));
    let Some(name) = last_name(ctx.module, call).filter(|_| is_call) else { return false };
    let name = name.as_str().trim_start_matches('_');
    ["connect", "create", "open", "launch", "spawn", "start", "login", "download", "install", "load"]
        .iter()
        .any(|word| name.starts_with(word))
}

/// The function itself takes a lock.
fn uses_lock(ctx: &Context<'_>, function: FunctionRef) -> bool {
    let evaluator = ctx.program.evaluator(function.file);
    let cells = Cells { program: ctx.program, evaluator: &evaluator, function };
    ctx.program.function(function).events.iter().any(|event| match *event {
        Event::Enter(_, context) => matches!(guard(&cells, context), Some(Guard::Lock(_))),
        _ => false,
    })
}

/// How many calls from the handler that a framework calls, or from the start of several tasks, the evidence is believed:
/// further away some owner in between may let one through at a time.
const FROM_HANDLER: u32 = 3;
const FROM_START: u32 = 1;

/// The evidence is near, or the state lasts as long as the process, or the function shows by its own lock that it expects
/// company.
fn is_strong(ctx: &Context<'_>, function: FunctionRef, cell: Cell, overlap: Overlap) -> bool {
    let is_near = match overlap.evidence {
        Evidence::Served(_) => overlap.distance <= FROM_HANDLER,
        Evidence::Spawned(..) => overlap.distance <= FROM_START,
        Evidence::Beside(..) => matches!(cell.root, Root::Param(..)) || is_locked_elsewhere(ctx, cell),
        // That a class owns a lock says little of state that the lock does not guard.
        Evidence::ForTasks => return matches!(cell.root, Root::Param(..)) || is_locked_elsewhere(ctx, cell),
    };
    is_near || uses_lock(ctx, function) || is_lasting_owner(ctx, function)
}

/// Another method of the class writes there under a lock.
fn is_locked_elsewhere(ctx: &Context<'_>, cell: Cell) -> bool {
    let Root::Field(class, _) = cell.root else { return false };
    class.file == ctx.file && ctx.written_under_locks().contains(&(class.id, cell.root))
}

/// What a method writes under a lock.
pub(crate) fn writes_under_lock(ctx: &Context<'_>, method: FunctionId) -> Vec<Root> {
    let cells = Cells { program: ctx.program, evaluator: &ctx.evaluator, function: ctx.function_ref(method) };
    let mut held: Vec<ExprId> = Vec::new();
    let mut written = Vec::new();
    for event in &ctx.module.function(method).events {
        match *event {
            Event::Enter(_, context) if matches!(guard(&cells, context), Some(Guard::Lock(_))) => held.push(context),
            Event::Exit(_, context) => held.retain(|entered| *entered != context),
            Event::WritePlace(target, _) if !held.is_empty() => written.extend(cells.of(target).map(|cell| cell.root)),
            _ => {}
        }
    }
    written
}

fn is_lasting_owner(ctx: &Context<'_>, function: FunctionRef) -> bool {
    let class = ctx.program.function(function).class.map(|id| ClassRef { file: function.file, id });
    class.is_some_and(|class| ctx.shared.race.is_lasting(class))
}

/// Tasks that are started for different elements work under different keys, and so do those that use themselves as the key.
fn has_own_key(ctx: &Context<'_>, function: FunctionRef, cell: Cell, overlap: Overlap) -> bool {
    if cell.key.is_some_and(|key| is_current_task(ctx, function.id, key)) {
        return true;
    }
    let (Some(key), Evidence::Spawned(..)) = (cell.key, overlap.evidence) else { return false };
    let roots = roots_of(ctx, function, key);
    !roots.is_empty() && !roots.iter().all(|position| overlap.is_same_param(*position))
}

/// The local holds the task that runs.
fn is_current_task(ctx: &Context<'_>, function: FunctionId, key: Name) -> bool {
    let body = ctx.module.function(function);
    let Some(symbol) = body.symbol(key) else { return false };
    body.symbols[symbol.index()].bindings.iter().any(|binding| match ctx.module.bindings[binding.index()].kind {
        BindingKind::Value(value) | BindingKind::Typed(_, Some(value)) => matches!(
            ctx.program.site(ctx.function_ref(function), value).map(|site| site.callee),
            Some(Type::External(path)) if path.last_segment() == "current_task"
        ),
        _ => false,
    })
}

/// The parameters that a key is made of.
fn roots_of(ctx: &Context<'_>, function: FunctionRef, key: Name) -> Vec<usize> {
    let root = key.as_str().split('.').next().unwrap_or_default();
    let params = ctx.program.function(function).params.iter().enumerate();
    let is_root = |name: &str| name == root || is_made_of(ctx, function.id, root, name, 4);
    params.filter(|(_, param)| is_root(param.name.as_str())).map(|(at, _)| at).collect()
}

/// The local of this name is made of the parameter of that name.
fn is_made_of(ctx: &Context<'_>, function: FunctionId, local: &str, param: &str, depth: u32) -> bool {
    let Some(depth) = depth.checked_sub(1) else { return false };
    let body = ctx.module.function(function);
    let Some(symbol) = body.symbols.iter().find(|symbol| symbol.name.as_str() == local) else { return false };
    symbol.bindings.iter().any(|binding| match ctx.module.bindings[binding.index()].kind {
        BindingKind::Value(value) | BindingKind::Typed(_, Some(value)) => names_in(ctx, value, 6)
            .iter()
            .any(|name| *name == param || *name != local && is_made_of(ctx, function, name, param, depth)),
        _ => false,
    })
}

/// Every call makes its own object of the class, and nothing starts several tasks on one.
pub(crate) fn is_own_object(ctx: &Context<'_>, function: FunctionRef, overlap: Overlap) -> bool {
    let class = ctx.program.function(function).class.map(|id| ClassRef { file: function.file, id });
    let is_shared = matches!(overlap.evidence, Evidence::Spawned(..)) && overlap.same_object;
    class.is_some_and(|class| ctx.shared.race.is_made_per_call(class)) && !is_shared
}

/// By its name the function begins or ends an object's life, which its one owner does.
fn begins_or_ends(ctx: &Context<'_>, function: FunctionId) -> bool {
    const NAMES: [&str; 12] = [
        "__aenter__",
        "__aexit__",
        "initialize",
        "init",
        "setup",
        "start",
        "startup",
        "open",
        "stop",
        "shutdown",
        "close",
        "aclose",
    ];
    let name = ctx.module.function(function).name.as_str();
    NAMES.contains(&name) || NAMES.iter().any(|begin| name.strip_prefix("async_") == Some(begin))
}

fn is_constructor(ctx: &Context<'_>, function: FunctionRef) -> bool {
    is_constructor_of(ctx.program.module(function.file), function.id)
}

/// Why executions of the function may overlap that meet at the cell.
pub(crate) fn overlap_at(ctx: &Context<'_>, function: FunctionRef, cell: Cell) -> Option<Overlap> {
    let overlaps = &ctx.shared.race.overlaps;
    let is_of_one = match (cell.root, cell.owner) {
        (Root::Field(class, _), Owner::Receiver) => !is_lasting(ctx, function, class),
        _ => false,
    };
    let overlap = if is_of_one { overlaps.on_one_object(function) } else { overlaps.of(function) };
    overlap.filter(|overlap| is_shared(ctx, function, cell, *overlap))
}

/// Overlapping executions meet at the cell.
pub(crate) fn is_shared(ctx: &Context<'_>, function: FunctionRef, cell: Cell, overlap: Overlap) -> bool {
    match (cell.root, cell.owner) {
        (Root::Param(..), _) => true,
        (Root::Variable(variable), _) => is_one_for_all(ctx, function, variable, overlap),
        (Root::Field(..), Owner::Static) => true,
        (Root::Field(class, _), Owner::Receiver) => overlap.same_object || is_lasting(ctx, function, class),
        (Root::Field(..), Owner::Object(path)) => is_shared_param(ctx, function, path, overlap),
    }
}

/// Overlapping calls meet at the place; an object that the call names by a local may be its own.
fn is_for_all(ctx: &Context<'_>, function: FunctionRef, cell: Cell, overlap: Overlap) -> bool {
    let is_named = !matches!(cell.owner, Owner::Object(_)) && !matches!(cell.root, Root::Param(..));
    let is_same_receiver = cell.owner != Owner::Receiver || overlap.same_object;
    is_named && is_same_receiver && is_shared(ctx, function, cell, overlap)
}

/// The evidence speaks of the function itself: it is what is spawned or served, or a handler awaits it.
fn is_direct(ctx: &Context<'_>, function: FunctionRef, evidence: Evidence) -> bool {
    let runs = |by: FunctionRef, is_it: &dyn Fn(ExprId) -> bool| {
        ctx.program.edges(by).iter().any(|edge| edge.target == function && is_it(edge.site))
    };
    match evidence {
        Evidence::Spawned(by, call) => runs(by, &|site| site == call),
        Evidence::Served(handler) => {
            let module = ctx.program.module(handler.file);
            handler == function || runs(handler, &|site| module.role(site) == Role::Awaited)
        }
        Evidence::Beside(..) | Evidence::ForTasks => false,
    }
}

/// The object is what a parameter stands for, and several executions are given the same one.
fn is_shared_param(ctx: &Context<'_>, function: FunctionRef, path: Name, overlap: Overlap) -> bool {
    let root = path.as_str().split('.').next().unwrap_or_default();
    let params = &ctx.program.function(function).params;
    params.iter().position(|param| param.name.as_str() == root).is_some_and(|at| overlap.is_same_param(at))
}

fn is_lasting(ctx: &Context<'_>, function: FunctionRef, class: ClassRef) -> bool {
    let own = ctx.program.function(function).class.map(|id| ClassRef { file: function.file, id });
    ctx.shared.race.is_lasting(class) || own.is_some_and(|own| ctx.shared.race.is_lasting(own))
}

/// A module's variable is one for all; that of a function around is one for those that this function starts.
fn is_one_for_all(ctx: &Context<'_>, function: FunctionRef, variable: Variable, overlap: Overlap) -> bool {
    if variable.owner.id == FunctionId(0) {
        return true;
    }
    if hands_out(ctx, function, variable.owner) {
        return true;
    }
    let starter = match overlap.evidence {
        Evidence::Spawned(by, _) | Evidence::Beside(by, _) => Some(by),
        // Each call of the handler has variables of its own.
        Evidence::Served(handler) => {
            ctx.program.function(handler).parent.map(|around| FunctionRef { file: handler.file, id: around })
        }
        Evidence::ForTasks => None,
    };
    let mut current = starter.filter(|starter| starter.file == variable.owner.file).map(|starter| starter.id);
    while let Some(id) = current {
        if id == variable.owner.id {
            return true;
        }
        current = ctx.program.function(FunctionRef { id, file: variable.owner.file }).parent;
    }
    false
}

/// The function around returns the inner one: its variables live on with it.
fn hands_out(ctx: &Context<'_>, inner: FunctionRef, around: FunctionRef) -> bool {
    let name = ctx.program.function(inner).name;
    let module = ctx.program.module(around.file);
    let values = &ctx.program.function(around).return_values;
    values.iter().any(|value| matches!(module.expr(*value), Expr::Name(returned, _) if returned == name))
}

/// Somebody else than this task writes there: another method of the same class.
fn others_write(ctx: &Context<'_>, function: FunctionRef, cell: Cell) -> bool {
    let Root::Field(class, _) = cell.root else { return false };
    if class.file != ctx.file {
        return false;
    }
    let race = &ctx.shared.race;
    let methods = ctx.functions().filter(|id| {
        let body = ctx.module.function(*id);
        body.is_async
            && body.class == Some(class.id)
            && body.kind == FunctionKind::Function
            && !body.name.as_str().starts_with('_')
    });
    methods
        .map(|id| ctx.function_ref(id))
        .filter(|other| *other != function && race.overlaps.beside(*other).is_none())
        .any(|other| {
            let summary = race.summary(ctx.program, other, 1);
            summary.effects.iter().any(|effect| {
                effect.cell.root == cell.root && matches!(effect.what, What::Value | What::Constant | What::Insert)
            })
        })
}

/// A table that callers fill under keys of theirs is there for several callers. An object of the program as a key, or a member of
/// one, mostly belongs to one caller.
fn is_keyed_by_callers(ctx: &Context<'_>, function: FunctionId, conflict: &Conflict) -> bool {
    let body = ctx.module.function(function);
    let Some(key) = conflict.cell.key else { return false };
    let is_public = body.class.is_some_and(|id| {
        let class = ClassRef { file: ctx.file, id };
        ctx.shared.race.is_lasting(class) || !ctx.shared.race.is_made(class)
    }) && body.kind == FunctionKind::Function;
    let of_param = || is_local_of_param(ctx, function, key.as_str(), 4) && !is_object(ctx, function, key);
    is_public && conflict.cell.owner == Owner::Receiver && conflict.kind == Kind::Stampede && of_param()
}

/// The name stands for an instance of one of the program's classes.
fn is_object(ctx: &Context<'_>, function: FunctionId, name: Name) -> bool {
    let body = ctx.module.function(function);
    let Some(param) = body.params.iter().find(|param| param.name == name) else { return false };
    let declared = param
        .annotation
        .map(|annotation| ctx.evaluator.annotation(ctx.evaluator.annotation_scope(function), annotation));
    declared.is_some_and(|declared| {
        declared.without_none().members().iter().any(|member| matches!(member, Type::Instance(..)))
    })
}

/// The local is made of a parameter.
fn is_local_of_param(ctx: &Context<'_>, function: FunctionId, name: &str, depth: u32) -> bool {
    let Some(depth) = depth.checked_sub(1) else { return false };
    let body = ctx.module.function(function);
    let Some(symbol) = body.symbols.iter().find(|symbol| symbol.name.as_str() == name) else { return false };
    symbol.bindings.iter().any(|binding| match ctx.module.bindings[binding.index()].kind {
        BindingKind::Param(position) => position > 0 || body.class.is_none(),
        BindingKind::Value(value) | BindingKind::Typed(_, Some(value)) => {
            names_in(ctx, value, 6).iter().any(|name| is_local_of_param(ctx, function, name, depth))
        }
        _ => false,
    })
}

fn names_in(ctx: &Context<'_>, value: ExprId, depth: u32) -> Vec<&'static str> {
    let Some(depth) = depth.checked_sub(1) else { return Vec::new() };
    let again = |value: ExprId| names_in(ctx, value, depth);
    match ctx.module.expr(value) {
        Expr::Name(name, _) => vec![name.as_str()],
        Expr::Attr(base, _) | Expr::Await(base) => again(base),
        Expr::Subscript(base, _) => again(base),
        Expr::Call(_, args) => ctx.module.args(args).iter().flat_map(|arg| again(arg.value)).collect(),
        Expr::Format(list)
        | Expr::Operation(list)
        | Expr::Tuple(list)
        | Expr::List(list)
        | Expr::Map(list)
        | Expr::Logical(list, _) => ctx.module.list(list).iter().flat_map(|part| again(*part)).collect(),
        _ => Vec::new(),
    }
}

/// Every caller holds a lock while it calls.
fn is_held_by_callers(ctx: &Context<'_>, function: FunctionRef, depth: u32) -> bool {
    let Some(depth) = depth.checked_sub(1) else { return false };
    if is_locked_by_decorator(ctx, function) || ctx.shared.claims.is_called_locked(ctx, function) {
        return true;
    }
    // What a test calls by itself says nothing of the program.
    let is_test = |caller: &FunctionRef| is_test_module(ctx.program.module(caller.file).name.as_str());
    let all = ctx.program.summaries.callers.of(function).iter();
    let mut callers = all.filter(|(caller, ..)| !is_test(caller)).peekable();
    callers.peek().is_some()
        && callers.all(|(caller, site, _)| {
            *caller != function
                && (ctx.shared.race.locks.is_held_at(ctx.program, *caller, *site)
                    || is_held_by_callers(ctx, *caller, depth))
        })
}

/// A decorator's wrapper calls the function while it holds a lock.
fn is_locked_by_decorator(ctx: &Context<'_>, function: FunctionRef) -> bool {
    let locks = &ctx.shared.race.locks;
    wrapped_calls(ctx.program, function).iter().any(|(wrapper, call)| locks.is_held_at(ctx.program, *wrapper, *call))
}

/// Where the wrappers that its decorators put around a function call it.
pub(crate) fn wrapped_calls(program: &Program, function: FunctionRef) -> Vec<(FunctionRef, ExprId)> {
    let mut found = Vec::new();
    for wrapper in crate::race::overlap::wrappers(program, function) {
        let module = program.module(wrapper.file);
        let decorator = module.function(wrapper.id).parent.map(|id| module.function(id));
        let wrapped = decorator.and_then(|decorator| decorator.params.first()).map(|param| param.name);
        let calls = program.sites(wrapper).iter().filter(|site| match module.expr(site.call) {
            Expr::Call(callee, _) => matches!(module.expr(callee), Expr::Name(name, _) if Some(name) == wrapped),
            _ => false,
        });
        found.extend(calls.map(|site| (wrapper, site.call)));
    }
    found
}

/// The findings of one kind of conflict.
fn report(ctx: &Context<'_>, rule: &'static Rule, kind: Kind, words: &Words, found: &mut Vec<Finding>) {
    for (function, conflict) in ctx.conflicts() {
        if conflict.kind == kind
            && let Some(overlapping) = overlapping(ctx, *function, conflict)
        {
            let finding = finding(ctx, rule, *function, conflict, &overlapping, words);
            ctx.report(*function, finding, found);
        }
    }
}

/// What a rule says of its conflicts.
struct Words {
    /// The message, given the cell, what is waited for, and who else comes.
    message: fn(&Told) -> String,
    /// What to do.
    help: fn(&Told) -> (String, &'static str, &'static str),
    /// What the first step does: `tests` or `reads`.
    first: &'static str,
    /// It stands at the read, not at the write.
    at_read: bool,
}

/// A conflict in words.
struct Told {
    /// The cell.
    cell: String,
    /// What the wait is for.
    wait: String,
    /// Who else may run meanwhile.
    other: String,
    /// What the write does.
    what: What,
    /// What a lock for tasks is called, with its article.
    a_lock: &'static str,
    /// The cell is an element under a key.
    is_keyed: bool,
    /// The read and the write are one statement.
    is_one_statement: bool,
}

impl Told {
    /// The lock that would do, in advice.
    fn lock(&self) -> String {
        let (_, lock) = self.a_lock.split_once(' ').unwrap_or(("", self.a_lock));
        if self.is_keyed { "a lock of that key".to_owned() } else { format!("one {lock} of the same object") }
    }
}

fn finding(
    ctx: &Context<'_>,
    rule: &'static Rule,
    function: FunctionId,
    conflict: &Conflict,
    overlapping: &Overlapping,
    words: &Words,
) -> Finding {
    let told = Told {
        cell: cell_text(ctx, conflict),
        wait: ctx.program.path_text(ctx.file, conflict.suspend),
        other: other_text(ctx, function, overlapping.evidence),
        what: conflict.what,
        a_lock: ctx.module.language.a_lock,
        is_keyed: conflict.cell.key.is_some(),
        is_one_statement: is_one_statement(ctx, conflict),
    };
    let at = if words.at_read { conflict.test } else { conflict.write };
    let mut confidence = overlapping.confidence;
    if conflict.is_weak || is_only_ever_set(ctx, conflict) || adds_what_is_missing(ctx, function, conflict) {
        confidence = Confidence::Possible;
    }
    let (help, why_safe, rejected) = (words.help)(&told);
    let mut finding = Finding::new(rule, ctx.place(at), ctx.symbol(function), (words.message)(&told))
        .confidence(confidence)
        .help(help)
        .shape(format!("{}:{}", ctx.symbol(function), told.cell))
        .note("why-safe", why_safe)
        .note("rejected", rejected);
    if let Some(note) = conflict.useless.and_then(useless) {
        finding = finding.note("no-lock", note);
    }
    if let Some(Evidence::Spawned(by, call) | Evidence::Beside(by, call)) = overlapping.evidence {
        let place = Place { file: by.file, span: ctx.program.module(by.file).span(call) };
        finding = finding.related(place, "the tasks are started here");
    }
    if let Some((inside, at)) = conflict.within {
        let place = Place { file: inside.file, span: ctx.program.module(inside.file).span(at) };
        finding = finding.related(place, format!("the write, in `{}`", ctx.program.qualified(inside)));
    }
    finding.witness = Some(witness(ctx, function, conflict, words, &told));
    finding
}

/// A guard that is held and keeps nobody out.
fn useless(guard: Guard) -> Option<&'static str> {
    match guard {
        Guard::PerCall => Some("the lock that is held here is made anew for every call: it keeps nobody out"),
        Guard::Several(_) => Some("the semaphore that is held here lets several in: it is no lock"),
        Guard::Lock(_) => Some("the lock that is held here belongs to one object, the state to all of them"),
        Guard::Perhaps => None,
    }
}

fn cell_text(ctx: &Context<'_>, conflict: &Conflict) -> String {
    let text = ctx.program.path_text(ctx.file, conflict.read);
    let base = text.split('[').next().unwrap_or(&text);
    match conflict.cell.key {
        Some(key) if key.as_str() != "…" => format!("{base}[{key}]"),
        _ => text,
    }
}

fn other_text(ctx: &Context<'_>, function: FunctionId, evidence: Option<Evidence>) -> String {
    let own = ctx.symbol(function);
    match evidence {
        Some(Evidence::Served(handler)) => {
            let label = ctx.program.entries.get(&handler).map(|entry| entry.label.clone());
            format!("another call of `{own}` (by `{}`)", label.unwrap_or_else(|| ctx.program.qualified(handler)))
        }
        Some(Evidence::Spawned(..)) => format!("another task that runs `{own}`"),
        Some(Evidence::Beside(..)) => "what else is asked of the object while this task runs".to_owned(),
        Some(Evidence::ForTasks) | None => format!("another call of `{own}`"),
    }
}

/// `self.n += await f()`: the read stands in the statement that writes.
fn is_one_statement(ctx: &Context<'_>, conflict: &Conflict) -> bool {
    let top = |expr: ExprId| std::iter::successors(Some(expr), |expr| ctx.module.parent(*expr)).last();
    conflict.read == conflict.write || top(conflict.read) == top(conflict.suspend)
}

/// `if key not in seen: …; seen.add(key)`: adding it twice changes nothing; what is done twice in between may not matter.
fn adds_what_is_missing(ctx: &Context<'_>, function: FunctionId, conflict: &Conflict) -> bool {
    let Expr::Call(callee, _) = ctx.module.expr(conflict.write) else { return false };
    let is_add = matches!(ctx.module.expr(callee), Expr::Attr(_, method) if method.as_str() == "add");
    let is_member = ctx.module.role(conflict.read) == Role::Membership;
    conflict.what == What::Insert && is_add && is_member && !refuses(ctx, function, conflict)
}

/// Who finds it there is told so: what is in the set is going on, and not only done.
fn refuses(ctx: &Context<'_>, function: FunctionId, conflict: &Conflict) -> bool {
    let events = &ctx.module.function(function).events;
    let asks = |condition: &Option<ExprId>| {
        condition.is_some_and(|condition| ctx.module.span(condition).contains(ctx.module.span(conflict.read)))
    };
    let Some(start) = events.iter().position(|event| matches!(event, Event::Branch(condition) if asks(condition)))
    else {
        return false;
    };
    let mut depth = 0;
    let arm = events[start + 1..].iter().take_while(|event| {
        match event {
            Event::Branch(_) => depth += 1,
            Event::EndBranch(_) => depth -= 1,
            Event::Arm(_) if depth == 0 => depth = -1,
            _ => {}
        }
        depth >= 0
    });
    // The arm with the addition is the one for those who are not in it.
    let arm: Vec<&Event> = arm.collect();
    let adds = arm.iter().any(|event| **event == Event::Call(conflict.write));
    !adds && arm.iter().any(|event| matches!(event, Event::Raise(_) | Event::Call(_) | Event::Suspend(..)))
}

/// A flag that is set and that nobody takes back: the second setting changes nothing.
fn is_only_ever_set(ctx: &Context<'_>, conflict: &Conflict) -> bool {
    if conflict.what != What::Constant {
        return false;
    }
    match conflict.cell.root {
        Root::Field(class, name) => {
            let module = ctx.program.module(class.file);
            let fields = ctx.program.class(class).fields.iter().filter(|field| field.name == name);
            let mut later = fields.filter(|field| !is_constructor_of(module, field.function));
            !later.any(|field| takes_back(module, field.kind))
        }
        Root::Variable(variable) => {
            let module = ctx.program.module(variable.owner.file);
            let symbol = &module.function(variable.owner.id).symbols[variable.symbol.index()];
            let bindings = symbol.bindings.iter().map(|binding| module.bindings[binding.index()]);
            let mut later = bindings.filter(|binding| binding.within != variable.owner.id);
            !later.any(|binding| takes_back(module, binding.kind))
        }
        Root::Param(..) => false,
    }
}

/// The assignment stores "no" again.
fn takes_back(module: &racewalk_ir::Module, kind: BindingKind) -> bool {
    let (BindingKind::Value(value) | BindingKind::Typed(_, Some(value))) = kind else { return false };
    matches!(module.expr(value), Expr::Literal(Literal::None | Literal::Bool(false) | Literal::Int(0)))
}

fn is_constructor_of(module: &racewalk_ir::Module, function: FunctionId) -> bool {
    module.language.constructors.contains(&module.function(function).name.as_str())
}

fn witness(ctx: &Context<'_>, function: FunctionId, conflict: &Conflict, words: &Words, told: &Told) -> Witness {
    let symbol = ctx.symbol(function);
    let step = |task: usize, at: ExprId, does: &str, value: Option<&str>| Step {
        task,
        at: ctx.place(at),
        symbol: symbol.clone(),
        does: does.to_owned(),
        value: value.map(str::to_owned),
    };
    let seen = match conflict.kind {
        Kind::LostUpdate => "v",
        Kind::Stampede => "nothing there",
        Kind::CheckThenAct => "the test holds",
    };
    let done = match conflict.what {
        What::Value | What::Constant | What::Reset => "writes",
        What::Modify => "updates",
        What::Insert => "adds",
        What::Take | What::Drop => "takes out",
    };
    let (mine, lost) = match conflict.kind {
        Kind::LostUpdate => ("v with A's change", "v with B's change: A's is lost"),
        Kind::Stampede => ("A's result", "B's result: the work was done twice"),
        Kind::CheckThenAct => ("the test no longer holds for B", "on a test that is outdated"),
    };
    let wait = format!("waits for {}", told.wait);
    let steps = vec![
        step(0, conflict.test, words.first, Some(seen)),
        step(0, conflict.suspend, &wait, None),
        step(1, conflict.test, words.first, Some(seen)),
        step(1, conflict.suspend, &wait, None),
        step(0, conflict.write, done, Some(mine)),
        step(1, conflict.write, done, Some(lost)),
    ];
    Witness { tasks: vec!["A", "B"], object: told.cell.clone(), steps }
}
