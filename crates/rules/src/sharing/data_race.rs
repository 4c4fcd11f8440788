//! # share/data-race
//!
//! A worker thread and the event loop, or two threads, work on the same state, at least one of them changes it, and
//! nothing orders the two.
//!
//! ## What it is
//! Between tasks of one loop control changes hands at an await only. Between threads it can change anywhere: between
//! the read and the write of `self.count += 1`, between two steps of an iteration. Code that was written for one loop,
//! in which every stretch without an await is one step, loses that guarantee as soon as a part of it moves to
//! `asyncio.to_thread`, an executor, a `Thread`, or a plain `def` endpoint, which the framework runs in its thread
//! pool.
//!
//! Two accesses are ordered if one happens before the other: the start of a thread, its join, the await of its result,
//! a lock that both hold, a queue that passes the object on. Without any of these, and with a write among them, they
//! race.
//!
//! The interpreter lock makes single operations of the built-in types whole (an assignment, `append`, `d[k] = v`). It
//! does not make two operations whole, and `+=` is at least three. Builds without that lock keep the first promise by
//! locks in each object, and break the second more often.
//!
//! ```python bad
//! import asyncio
//!
//! from fastapi import FastAPI
//!
//! app = FastAPI()
//!
//!
//! class Stats:
//!     def __init__(self) -> None:
//!         self.bytes = 0
//!
//!     def compress(self, data: bytes) -> bytes:
//!         self.bytes += len(data)
//!         return data[::2]
//!
//!
//! stats = Stats()
//!
//!
//! @app.post("/")
//! async def upload(data: bytes) -> int:
//!     return len(await asyncio.to_thread(stats.compress, data))
//! ```
//!
//! In Go every function that is started by `go` runs beside its starter, on all variables that both see: captured variables, named
//! results, `err`, slices that grow, mappings, fields. Ordered are: what comes before the `go` statement, a send or close and the receive
//! that gets it, `Done` and `Wait`, `errgroup`'s `Wait`, `Once`, atomics, and what both do under one lock. Elements of a slice under
//! computed indices are taken for different ones.
//!
//! ## What one observes
//! - Counts that are a little too low, very seldom.
//! - `RuntimeError: dictionary changed size during iteration` in code that has no await in its loop.
//! - Objects whose fields do not fit together: the loop has seen one of two assignments.
//! - It comes with the number of cores, a newer interpreter, a smaller switch interval.
//!
//! ## Why tests pass all the same
//! The interpreter lets a thread run for milliseconds before it takes the turn away, and the critical gap is a
//! fraction of a microsecond. A test that has threads at all makes a few hundred steps. What goes wrong once in a
//! million times has to be looked for.
//!
//! ## The structural fix
//! Let the thread compute and return, and the loop keep the state: what it writes after the await is written in the
//! loop's thread.
//!
//! ```python good
//! import asyncio
//!
//! from fastapi import FastAPI
//!
//! app = FastAPI()
//!
//!
//! def compress(data: bytes) -> bytes:
//!     return data[::2]
//!
//!
//! class Stats:
//!     def __init__(self) -> None:
//!         self.bytes = 0
//!
//!
//! stats = Stats()
//!
//!
//! @app.post("/")
//! async def upload(data: bytes) -> int:
//!     small = await asyncio.to_thread(compress, data)
//!     stats.bytes += len(data)
//!     return len(small)
//! ```
//!
//! From a thread that runs on its own, hand the change over: `loop.call_soon_threadsafe(f, x)`, or a `queue.Queue`.
//! Where both sides must write, use a `threading.Lock` on both, for a few statements without an await.
//!
//! ```python good
//! import threading
//!
//!
//! class Stats:
//!     def __init__(self) -> None:
//!         self.bytes = 0
//!         self._lock = threading.Lock()
//!
//!     def add(self, count: int) -> None:
//!         with self._lock:
//!             self.bytes += count
//!
//!
//! def main() -> None:
//!     stats = Stats()
//!     threads = [threading.Thread(target=stats.add, args=(n,)) for n in range(10)]
//!     for thread in threads:
//!         thread.start()
//!     for thread in threads:
//!         thread.join()
//!     print(stats.bytes)
//!
//!
//! main()
//! ```
//!
//! ## Fixes that do not work
//! - Trust in the interpreter lock: it is given up between two bytecodes, and `+=` has several.
//! - An `asyncio.Lock` on both sides: it is not thread-safe, and a thread has no loop to await it in.
//! - A lock on the thread's side only: the loop walks past it.
//! - A `threading.Lock` held across an `await`: it stops the loop as soon as another wants it; see
//!   `loop/blocking-call`.
//! - `volatile` flags and sleeps: nothing is ordered by time.
//! - Copying the dict in the loop before iterating, by a comprehension: that iterates as well. `list(d)` or `d.copy()`
//!   is one operation, as long as no method written in Python is called from it.
//! - A smaller pool: from one thread on there are two with the loop.
//!
//! ## Cues for a reviewer
//! - `to_thread(self.…)`, `run_in_executor(None, self.…)`, `Thread(target=self.…)` with a method that writes
//!   attributes.
//! - Plain `def` endpoints next to `async def` endpoints, and a module variable that both use.
//! - Callbacks of drivers and SDKs that come in a thread of theirs.
//! - `+=`, `if … not in`, iteration, in a function that runs in a thread.
//!
//! ## Where it is silent
//! - One `threading` lock held on both sides, here or by every caller.
//! - Hand-over: `queue.Queue`, `SimpleQueue`, `call_soon_threadsafe`, results that are awaited.
//! - Order by start and join: what was written before the thread was started, or is read after it was joined or
//!   awaited, where nobody else comes in between.
//! - Single operations that need no other: a flag, the exchange of a reference, `append`, `deque.popleft`, an entry
//!   stored, as long as nobody iterates.
//! - Objects that belong to the call or the thread, thread-locals; an entry of its own for each thread.
//! - An executor of one thread that alone touches the state; processes.
//! - Methods of the loop that are called from a thread are `loop/cross-thread-call`; asyncio's primitives,
//!   `loop/cross-loop-primitive`.
//!
//! ## Symptoms
//! - `RuntimeError: dictionary changed size during iteration`, `RuntimeError: Set changed size during iteration`,
//!   `RuntimeError: deque mutated during iteration`
//! - otherwise none. There is no race detector for Python threads in general use.
//!
//! ## The mutation that introduces it
//! Replace `await f()` by `await asyncio.to_thread(f_sync)` for a method that writes attributes; an `async def`
//! endpoint by a plain one; or remove the lock.
//!
//! ## Difficulty
//! Medium when the method is handed to a thread in the same class; hard when the framework does it.
//!
//! ## Related rules
//! `share/lost-update`, `share/inconsistent-lock`, `loop/cross-thread-call`, `loop/cross-loop-primitive`,
//! `loop/blocking-call`.

use super::origin::is_known_to_all;
use super::{is_constructor, is_direct, is_held_by_callers};
use crate::context::Context;
use crate::finding::{Finding, Place, Step, Witness};
use crate::looping::is_test_module;
use crate::race::cells::{Cell, Cells, Owner, Root};
use crate::race::held::{Sort, holds};
use crate::race::overlap::{Evidence, is_of, is_receiver};
use crate::race::tasks::{loops, tasks};
use crate::rule::{Question, Rule};
use crate::runs::is_repeated;
use crate::threads::Route;
use racewalk_ir::{ArgKind, BindingKind, Defs, Event, Expr, ExprId, FunctionId, Literal, Module, Role, SymbolId};
use racewalk_link::{ClassRef, Evaluator, FileId, FunctionRef, Program, Type};
use racewalk_models::{ClassKind, Serves};
use racewalk_report::{Confidence, Severity};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

/// The rule.
pub(crate) static RULE: Rule = Rule {
    name: "share/data-race",
    question: Question::Share,
    severity: Severity::Error,
    languages: &["python", "go"],
    on_by_default: true,
    summary: "a thread and the event loop, two threads or goroutines change the same state, and nothing orders them",
    source: include_str!("data_race.rs"),
    check,
};

/// How many calls a thread's own work is followed back.
const DEEPEST: u32 = 6;

/// How an access can go wrong.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Access {
    /// Reads, computes and writes back.
    Changes,
    /// Adds an element, or takes one out.
    Resizes,
    /// Stores.
    Stores,
    /// Goes through the elements, one after the other.
    Iterates,
}

/// What a function does with a place, and what it holds meanwhile.
struct Use {
    cell: Cell,
    access: Access,
    at: ExprId,
    event: usize,
    /// The locks that are held there, by where they are kept.
    locks: SmallVec<[Root; 2]>,
    /// Something is held that may be a lock of anybody's.
    may_be_locked: bool,
}

/// The other side.
enum Other {
    /// More threads that run the same function.
    Threads,
    /// Code on the loop.
    Loop(FunctionRef, ExprId),
}

fn check(ctx: &Context<'_>, found: &mut Vec<Finding>) {
    if ctx.module.language.shares_memory {
        return super::racing_lanes::check(ctx, &RULE, found);
    }
    if is_test_module(ctx.module.name.as_str()) {
        return;
    }
    for function in ctx.functions() {
        let this = ctx.function_ref(function);
        let is_thread =
            ctx.shared.threads.foreign(this).is_some() && !is_constructor(ctx, this) && !is_in_process(ctx, this);
        if is_thread && !is_held_by_callers(ctx, this, 3) {
            check_function(ctx, function, found);
        }
    }
}

fn check_function(ctx: &Context<'_>, function: FunctionId, found: &mut Vec<Finding>) {
    let this = ctx.function_ref(function);
    let mut reported: Vec<Cell> = Vec::new();
    for used in uses(ctx.program, &ctx.evaluator, this) {
        let is_write = matches!(used.access, Access::Changes | Access::Resizes);
        if !is_write || reported.contains(&used.cell) || !is_one_object(ctx, this, used.cell) {
            continue;
        }
        if is_answered(ctx, &used) {
            continue;
        }
        let other = on_loop(ctx, this, &used).or_else(|| {
            let is_alone = used.locks.is_empty() && !used.may_be_locked;
            (is_alone && used.access == Access::Changes && runs_in_several(ctx, this, DEEPEST))
                .then_some(Other::Threads)
        });
        if let Some(other) = other {
            reported.push(used.cell);
            ctx.report(function, finding(ctx, function, &used, &other), found);
        }
    }
}

/// An annotation says who may change the state, and holds. Who only looks at what one thread changes may still go through it.
fn is_answered(ctx: &Context<'_>, used: &Use) -> bool {
    let claims = &ctx.shared.claims;
    claims.is_guarded(ctx, used.cell.root) || used.access == Access::Changes && claims.is_owned(ctx, used.cell.root)
}

// ---- what a function does ----------------------------------------------------------------------------------------

/// The uses of places that others may share.
fn uses(program: &Program, evaluator: &Evaluator<'_>, function: FunctionRef) -> Vec<Use> {
    let cells = Cells { program, evaluator, function };
    let events = program.function(function).events.iter().enumerate();
    let mut found: Vec<Use> = events
        .filter_map(|(event, happens)| {
            let (at, cell, access) = access(&cells, happens).filter(|(_, cell, _)| !is_own(program, *cell))?;
            Some(Use { cell, access, at, event, locks: SmallVec::new(), may_be_locked: false })
        })
        .collect();
    let Some(holds) = (!found.is_empty()).then(|| holds(program, evaluator, function)).flatten() else { return found };
    for used in &mut found {
        for take in holds.held_at(used.event).filter(|take| !matches!(take.sort, Sort::Several | Sort::Deadline)) {
            used.locks.extend(take.root);
            used.may_be_locked |= take.root.is_none() || take.sort == Sort::Perhaps;
        }
    }
    found
}

fn access(cells: &Cells<'_, '_>, event: &Event) -> Option<(ExprId, Cell, Access)> {
    let module = cells.program.module(cells.function.file);
    let events = &cells.program.function(cells.function).events;
    match *event {
        Event::WritePlace(target, value) => {
            let cell = cells.of(target).filter(|_| is_known_to_all(cells.program, cells.function, target))?;
            let changes = match value {
                Some(value) => is_computed_from(cells, value, cell),
                None => events.contains(&Event::Modify(target)) && !is_container(cells, target),
            };
            let access = match module.expr(target) {
                _ if changes => Access::Changes,
                Expr::Subscript(base, key) if is_new_key(cells, base, key) => Access::Resizes,
                _ => Access::Stores,
            };
            Some((target, cell, access))
        }
        Event::Bind(binding) => {
            let bound = module.bindings[binding.index()];
            if bound.owner != FunctionId(0) || cells.function.id == FunctionId(0) {
                return None;
            }
            let cell = cells.variable_cell(module.function(bound.owner).symbols[bound.symbol.index()].name)?;
            match bound.kind {
                BindingKind::Modified(value) if !holds_container(cells, bound.symbol) => {
                    Some((value, cell, Access::Changes))
                }
                BindingKind::Value(value) if is_computed_from(cells, value, cell) => {
                    Some((value, cell, Access::Changes))
                }
                BindingKind::Value(value) => Some((value, cell, Access::Stores)),
                _ => None,
            }
        }
        Event::Loop(Some(source)) => {
            let place = iterated(cells, source);
            Some((place, cells.of(place)?, Access::Iterates))
        }
        _ => None,
    }
}

/// A mapping that may get a new key: one that is written down is there after the first time.
fn is_new_key(cells: &Cells<'_, '_>, base: ExprId, key: ExprId) -> bool {
    let container = cells.evaluator.eval(cells.function.id, base).without_none();
    matches!(container, Type::Mapping(_))
        && !matches!(cells.program.module(cells.function.file).expr(key), Expr::Literal(_))
}

/// What a loop goes through: `values.items()` goes through `values`.
fn iterated(cells: &Cells<'_, '_>, source: ExprId) -> ExprId {
    let module = cells.program.module(cells.function.file);
    let Expr::Call(callee, _) = module.expr(source) else { return source };
    match module.expr(callee) {
        Expr::Attr(base, method) if matches!(method.as_str(), "items" | "keys" | "values") => base,
        _ => source,
    }
}

/// What is there is an operand of the value: `n + 1`, `d.get(key, 0) + 1`. A value that is only looked at, checked or converted
/// comes out the same when two threads do so.
fn is_computed_from(cells: &Cells<'_, '_>, value: ExprId, cell: Cell) -> bool {
    let module = cells.program.module(cells.function.file);
    let is_it = |place: ExprId| cells.of(place).is_some_and(|read| read.meets(cell));
    let is_operand = |operand: &ExprId| match module.expr(*operand) {
        Expr::Call(callee, _) => matches!(module.expr(callee), Expr::Attr(receiver, _) if is_it(receiver)),
        _ => is_it(*operand),
    };
    matches!(module.expr(value), Expr::Operation(operands) if module.list(operands).iter().any(is_operand))
}

/// `rows += more` changes a container in place: what another thread has added to it stays.
fn is_container(cells: &Cells<'_, '_>, place: ExprId) -> bool {
    is_changed_in_place(cells.evaluator.eval(cells.function.id, place))
}

fn holds_container(cells: &Cells<'_, '_>, symbol: SymbolId) -> bool {
    let mut values = cells.program.module_variables(cells.function.file);
    values.find(|(at, _)| *at == symbol).is_some_and(|(_, value)| is_changed_in_place(value))
}

fn is_changed_in_place(value: Type) -> bool {
    value.members().iter().any(|member| matches!(member, Type::Collection(_) | Type::Mapping(_)))
}

/// Each thread has its own.
fn is_own(program: &Program, cell: Cell) -> bool {
    let Root::Variable(variable) = cell.root else { return false };
    let mut values = program.module_variables(variable.owner.file);
    let held = values.find(|(symbol, _)| *symbol == variable.symbol).map(|(_, value)| value);
    variable.owner.id == FunctionId(0) && held.is_some_and(|held| is_of(program, held, ClassKind::ThreadLocal))
}

// ---- which object, and how many threads --------------------------------------------------------------------------

/// The thread's object is one that others have, too.
fn is_one_object(ctx: &Context<'_>, function: FunctionRef, cell: Cell) -> bool {
    match (cell.root, cell.owner) {
        (Root::Variable(variable), _) => variable.owner.id == FunctionId(0),
        (Root::Field(..), Owner::Static) => true,
        (Root::Field(..), Owner::Receiver) => is_shared_receiver(ctx, function, DEEPEST),
        _ => false,
    }
}

fn is_shared_receiver(ctx: &Context<'_>, function: FunctionRef, depth: u32) -> bool {
    let Some(depth) = depth.checked_sub(1) else { return false };
    match ctx.shared.threads.foreign(function) {
        Some(Route::Entry) => {
            let class = ctx.program.function(function).class;
            class.is_some_and(|id| ctx.shared.race.is_lasting(ClassRef { file: function.file, id }))
        }
        Some(Route::Handed(from, site)) => handed_receiver(ctx, function, from, site)
            .is_some_and(|receiver| is_known_to_all(ctx.program, from, receiver)),
        Some(Route::Called(from, site)) => {
            let module = ctx.program.module(from.file);
            let Expr::Call(callee, _) = module.expr(site) else { return false };
            let Expr::Attr(receiver, _) = module.expr(callee) else { return false };
            let is_own = begins_with_receiver(ctx.program, from, receiver);
            is_known_to_all(ctx.program, from, receiver) && (!is_own || is_shared_receiver(ctx, from, depth))
        }
        None => false,
    }
}

fn begins_with_receiver(program: &Program, function: FunctionRef, place: ExprId) -> bool {
    match program.module(function.file).expr(place) {
        Expr::Name(name, _) => is_receiver(program, function, name),
        Expr::Attr(base, _) | Expr::Subscript(base, _) => begins_with_receiver(program, function, base),
        _ => false,
    }
}

/// The object whose method is handed to a thread.
fn handed_receiver(ctx: &Context<'_>, function: FunctionRef, from: FunctionRef, site: ExprId) -> Option<ExprId> {
    let module = ctx.program.module(from.file);
    let evaluator = ctx.program.evaluator(from.file);
    evaluator.args(site).iter().find_map(|arg| {
        let Expr::Attr(receiver, _) = module.expr(arg.value) else { return None };
        let handed = evaluator.eval(from.id, arg.value);
        let is_it =
            handed.members().iter().any(|member| matches!(*member, Type::Method(method, _) if method == function));
        is_it.then_some(receiver)
    })
}

/// Several threads run the function at the same time.
fn runs_in_several(ctx: &Context<'_>, function: FunctionRef, depth: u32) -> bool {
    let Some(depth) = depth.checked_sub(1) else { return false };
    match ctx.shared.threads.foreign(function) {
        Some(Route::Entry) => {
            ctx.program.entries.get(&function).is_some_and(|entry| entry.entry.serves == Serves::Request)
        }
        Some(Route::Handed(from, site)) => !is_only_thread(ctx, from, site) && is_handed_often(ctx, from, site),
        Some(Route::Called(from, _)) => runs_in_several(ctx, from, depth),
        None => false,
    }
}

/// The call hands over again while earlier work is under way.
fn is_handed_often(ctx: &Context<'_>, from: FunctionRef, site: ExprId) -> bool {
    let overlap = ctx.shared.race.overlaps.of(from);
    let is_by_many = overlap.is_some_and(|overlap| {
        let is_strong = matches!(overlap.evidence, Evidence::Served(_) | Evidence::Spawned(..));
        let is_near = ctx.program.function(from).is_async || is_direct(ctx, from, overlap.evidence);
        is_strong && is_near && (overlap.same_object || ctx.program.function(from).class.is_none())
    });
    let started = tasks(ctx.program, from);
    let by_itself = match started.iter().find(|task| task.call == site) {
        Some(task) => !task.rounds.is_empty() || started.iter().filter(|other| other.start == task.start).count() > 1,
        None => is_repeated(ctx.program, from, site) && !is_joined_in_loop(ctx, from, site),
    };
    by_itself || is_by_many && !ctx.shared.alone.contains(&from)
}

/// Each round of the loop waits for its thread.
fn is_joined_in_loop(ctx: &Context<'_>, function: FunctionRef, site: ExprId) -> bool {
    let module = ctx.program.module(function.file);
    let events = &ctx.program.function(function).events;
    let Some(at) = events.iter().position(|event| *event == Event::Call(site)) else { return false };
    module.role(site) == Role::Awaited
        || loops(events)
            .into_iter()
            .filter(|round| round.contains(&at))
            .any(|round| events[round].iter().any(|event| matches!(*event, Event::Call(call) if is_join(module, call))))
}

/// `thread.join()`
fn is_join(module: &Module, call: ExprId) -> bool {
    match module.expr(call) {
        Expr::Call(callee, _) => matches!(module.expr(callee), Expr::Attr(_, method) if method.as_str() == "join"),
        _ => false,
    }
}

/// The work is handed to a pool of processes, which have copies of everything.
fn is_in_process(ctx: &Context<'_>, function: FunctionRef) -> bool {
    let Some((from, site)) = origin(ctx, function, DEEPEST) else { return false };
    let evaluator = ctx.program.evaluator(from.file);
    let is_pool = |value: ExprId| is_of(ctx.program, evaluator.eval(from.id, value), ClassKind::ProcessPool);
    evaluator.args(site).iter().any(|arg| is_pool(arg.value))
}

/// The call hands its work to a pool of one thread.
fn is_only_thread(ctx: &Context<'_>, from: FunctionRef, site: ExprId) -> bool {
    let module = ctx.program.module(from.file);
    let evaluator = ctx.program.evaluator(from.file);
    let Expr::Call(callee, args) = module.expr(site) else { return false };
    let receiver = match module.expr(callee) {
        Expr::Attr(receiver, _) => Some(receiver),
        _ => None,
    };
    let candidates = receiver.into_iter().chain(module.args(args).iter().map(|arg| arg.value));
    let is_pool = |value: ExprId| is_of(ctx.program, evaluator.eval(from.id, value), ClassKind::ThreadPool);
    let Some(pool) = candidates.into_iter().find(|value| is_pool(*value)) else { return false };
    let cells = Cells { program: ctx.program, evaluator: &evaluator, function: from };
    let made: Vec<(FileId, ExprId)> = match (module.expr(pool), cells.of(pool).map(|cell| cell.root)) {
        (_, Some(Root::Field(class, name))) => {
            let fields = ctx.program.class(class).fields.iter().filter(|field| field.name == name);
            fields.filter_map(|field| Some((class.file, value_of(field.kind)?))).collect()
        }
        (_, Some(Root::Variable(variable))) => {
            let home = ctx.program.module(variable.owner.file);
            let bindings = home.function(variable.owner.id).symbols[variable.symbol.index()].bindings.iter();
            bindings
                .filter_map(|binding| Some((variable.owner.file, value_of(home.bindings[binding.index()].kind)?)))
                .collect()
        }
        (Expr::Name(_, Defs::One(binding)), _) => {
            value_of(module.bindings[binding.index()].kind).map(|value| (from.file, value)).into_iter().collect()
        }
        _ => Vec::new(),
    };
    made.into_iter().any(|(file, value)| has_one_worker(ctx.program, file, value))
}

fn value_of(kind: BindingKind) -> Option<ExprId> {
    match kind {
        BindingKind::Value(value) | BindingKind::Typed(_, Some(value)) | BindingKind::Context(value) => Some(value),
        _ => None,
    }
}

fn has_one_worker(program: &Program, file: FileId, made: ExprId) -> bool {
    let module = program.module(file);
    let Expr::Call(_, args) = module.expr(made) else { return false };
    let workers = module.args(args).iter().find(|arg| {
        arg.kind == ArgKind::Positional || matches!(arg.kind, ArgKind::Named(name) if name.as_str() == "max_workers")
    });
    workers.is_some_and(|arg| module.expr(arg.value) == Expr::Literal(Literal::Int(1)))
}

// ---- the loop's side ---------------------------------------------------------------------------------------------

/// What code on the loop does with places, by the place. Made when the first thread's write is met.
#[derive(Default)]
pub(crate) struct LoopUses(FxHashMap<Root, Vec<(FunctionRef, Use)>>);

impl LoopUses {
    fn new(ctx: &Context<'_>) -> Self {
        let files: Vec<FileId> = ctx.program.files().filter(|file| !ctx.program.is_installed(*file)).collect();
        let in_file = |file: FileId| {
            let evaluator = ctx.program.evaluator(file);
            let functions = (1..ctx.program.module(file).functions.len() as u32).map(FunctionId);
            let on_loop =
                functions.map(|id| FunctionRef { file, id }).filter(|function| may_be_on_loop(ctx, *function));
            let used = on_loop.flat_map(|function| {
                uses(ctx.program, &evaluator, function).into_iter().map(move |used| (function, used))
            });
            used.collect::<Vec<_>>()
        };
        let mut by_root: FxHashMap<Root, Vec<(FunctionRef, Use)>> = FxHashMap::default();
        for (function, used) in files.into_iter().flat_map(in_file) {
            by_root.entry(used.cell.root).or_default().push((function, used));
        }
        Self(by_root)
    }

    fn of(&self, root: Root) -> &[(FunctionRef, Use)] {
        self.0.get(&root).map_or(&[], Vec::as_slice)
    }
}

/// The function runs on a loop's thread.
fn may_be_on_loop(ctx: &Context<'_>, function: FunctionRef) -> bool {
    let body = ctx.program.function(function);
    !ctx.shared.threads.contains(function)
        && !is_constructor(ctx, function)
        && (body.is_async || ctx.shared.race.overlaps.of(function).is_some())
}

/// Code on the loop that changes, or goes through, the same place without the thread's lock.
fn on_loop(ctx: &Context<'_>, thread: FunctionRef, used: &Use) -> Option<Other> {
    let uses = ctx.shared.loop_uses.get_or_init(|| ctx.apart("the loop's side of threads", || LoopUses::new(ctx)));
    let theirs = uses.of(used.cell.root);
    let clash = theirs.iter().find(|(other, theirs)| {
        clashes(used.access, theirs.access)
            && (theirs.access == Access::Iterates || used.cell.key == theirs.cell.key)
            && !have_common_lock(used, theirs)
            && is_beside(ctx, thread, *other)
            && is_meanwhile(ctx, thread, *other, theirs)
            && !is_held_by_callers(ctx, *other, 3)
    })?;
    Some(Other::Loop(clash.0, clash.1.at))
}

fn clashes(thread: Access, other: Access) -> bool {
    match other {
        Access::Changes | Access::Stores => thread == Access::Changes,
        Access::Iterates => thread == Access::Resizes,
        Access::Resizes => false,
    }
}

fn have_common_lock(one: &Use, other: &Use) -> bool {
    one.may_be_locked || other.may_be_locked || one.locks.iter().any(|lock| other.locks.contains(lock))
}

/// The function runs for requests or in tasks, or is the one that starts the thread.
fn is_beside(ctx: &Context<'_>, thread: FunctionRef, function: FunctionRef) -> bool {
    let is_strong = |evidence| matches!(evidence, Evidence::Served(_) | Evidence::Spawned(..));
    let starts = matches!(origin(ctx, thread, DEEPEST), Some((from, _)) if from == function);
    starts || ctx.shared.race.overlaps.of(function).is_some_and(|overlap| is_strong(overlap.evidence))
}

/// Where the work is handed to the thread.
fn origin(ctx: &Context<'_>, function: FunctionRef, depth: u32) -> Option<(FunctionRef, ExprId)> {
    let depth = depth.checked_sub(1)?;
    match ctx.shared.threads.foreign(function)? {
        Route::Entry => None,
        Route::Handed(from, site) => Some((from, site)),
        Route::Called(from, _) => origin(ctx, from, depth),
    }
}

/// The use may come while the thread runs: of the function that started the thread, what stands between start and join.
fn is_meanwhile(ctx: &Context<'_>, thread: FunctionRef, other: FunctionRef, used: &Use) -> bool {
    let Some((from, site)) = origin(ctx, thread, DEEPEST).filter(|(from, _)| *from == other) else { return true };
    if ctx.shared.race.overlaps.of(other).is_some() {
        return true;
    }
    let module = ctx.program.module(from.file);
    let events = &ctx.program.function(from).events;
    let Some(start) = events.iter().position(|event| *event == Event::Call(site)) else { return false };
    let has_ended = |event: &Event| match *event {
        Event::Call(call) => is_join(module, call),
        Event::Suspend(_, operand) => operand == site,
        _ => false,
    };
    used.event > start && !events[start..used.event].iter().any(has_ended)
}

// ---- what is said ------------------------------------------------------------------------------------------------

fn finding(ctx: &Context<'_>, function: FunctionId, used: &Use, other: &Other) -> Finding {
    let object = object_text(ctx, used);
    let who = match other {
        Other::Threads => "other threads that run this at the same time".to_owned(),
        Other::Loop(other, _) => format!("`{}` on the event loop", ctx.program.qualified(*other)),
    };
    let message = if used.access == Access::Resizes {
        format!(
            "a thread adds to `{object}` here while {who} iterates over it: the iteration fails, or misses elements"
        )
    } else {
        format!(
            "a thread reads `{object}` and writes it back here, and so do or store {who}, without a lock that both hold: changes are lost"
        )
    };
    let mut finding = Finding::new(&RULE, ctx.place(used.at), ctx.symbol(function), message)
        .confidence(Confidence::Likely)
        .help(help(used, other, &object))
        .shape(format!("{}:{object}", ctx.symbol(function)))
        .note("why-safe", "who holds the lock is alone with the state; what only the loop touches needs none")
        .note("rejected", "an asyncio.Lock: it is not thread-safe, and a thread has no loop to await it in");
    let route = ctx.shared.threads.route(ctx.function_ref(function));
    finding.chain = ctx.route_hops(&route);
    if let Other::Loop(other, at) = other {
        finding = finding
            .related(place(ctx, *other, *at), format!("the loop's side, in `{}`", ctx.program.qualified(*other)));
    }
    finding.witness = Some(witness(ctx, function, used, other, object));
    finding
}

fn help(used: &Use, other: &Other, object: &str) -> String {
    match other {
        _ if used.access == Access::Resizes => format!(
            "iterate over a copy that is made in one step (`list({object})`), under a `threading.Lock` that the thread holds, too; or hand the values over through a `queue.Queue`"
        ),
        Other::Threads => format!(
            "hold one `threading.Lock` for the statement that changes `{object}`; or let the thread return its result, and change `{object}` on the loop after the await"
        ),
        Other::Loop(..) => format!(
            "let the loop alone change `{object}`: return the result from the thread, or hand it over by `loop.call_soon_threadsafe`; or hold one `threading.Lock` on both sides, without an await inside"
        ),
    }
}

fn object_text(ctx: &Context<'_>, used: &Use) -> String {
    match used.cell.root {
        Root::Variable(variable) => {
            ctx.program.function(variable.owner).symbols[variable.symbol.index()].name.to_string()
        }
        _ => {
            let text = ctx.program.path_text(ctx.file, used.at);
            text.split('[').next().unwrap_or(&text).to_owned()
        }
    }
}

fn place(ctx: &Context<'_>, function: FunctionRef, at: ExprId) -> Place {
    Place { file: function.file, span: ctx.program.module(function.file).span(at) }
}

fn witness(ctx: &Context<'_>, function: FunctionId, used: &Use, other: &Other, object: String) -> Witness {
    let this = ctx.function_ref(function);
    let (theirs, at) = match other {
        Other::Threads => (this, used.at),
        Other::Loop(other, at) => (*other, *at),
    };
    let step = |task: usize, function: FunctionRef, at: ExprId, does: &str, value: &str| Step {
        task,
        at: place(ctx, function, at),
        symbol: ctx.program.qualified(function).replace(".<locals>.", "."),
        does: does.to_owned(),
        value: Some(value.to_owned()),
    };
    let steps = if used.access == Access::Resizes {
        vec![
            step(1, theirs, at, "iterates", "in the middle"),
            step(0, this, used.at, "adds", "in the thread"),
            step(1, theirs, at, "goes on", "RuntimeError: changed size during iteration"),
        ]
    } else {
        vec![
            step(0, this, used.at, "reads", "v, in the thread"),
            step(1, theirs, at, "writes", "its own change"),
            step(0, this, used.at, "writes", "v with A's change: B's is lost"),
        ]
    };
    Witness { tasks: vec!["A", "B"], object, steps }
}
