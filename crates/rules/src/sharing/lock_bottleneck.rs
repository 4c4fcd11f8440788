//! # share/lock-bottleneck
//!
//! One lock for all keys is held across a slow await: work on one key waits for work on every other.
//!
//! ## What it is
//! A lock around "look up, fetch, store" is correct; nothing is lost and nothing is done twice. But it guards a table,
//! and the operation concerns one entry. While the value for one key is fetched from the network, tasks that want
//! another key wait, even those whose value has been there all the time. A service that could have a hundred fetches
//! under way has one.
//!
//! The rule wants to see a lock that is the same for all calls, a wait for the network or for unknown work inside it,
//! and state that is addressed by a key of the call.
//!
//! ```python bad
//! import asyncio
//!
//!
//! class AsyncCache:
//!     def __init__(self) -> None:
//!         self._cache: dict[str, str] = {}
//!         self._lock = asyncio.Lock()
//!
//!     async def get_or_fetch(self, key: str, fetch) -> str:
//!         async with self._lock:
//!             if key in self._cache:
//!                 return self._cache[key]
//!             result = await fetch(key)
//!             self._cache[key] = result
//!             return result
//! ```
//!
//! ## What one observes
//! - Throughput that does not rise with the number of clients; latency that rises in proportion to it.
//! - One slow key, or a peer that hangs, holds up all others.
//! - Requests that need nothing slow are slow as well: cache hits wait behind misses.
//! - The loop is idle, the CPU too, the peer has nothing to do.
//!
//! ## Why tests pass all the same
//! The results are right, and tests look at results. With one request at a time a lock costs nothing.
//!
//! ## The structural fix
//! Make the lock as wide as the state that the operation changes, and not wider: a lock for each key, with a fast path
//! for what is there and a second look inside.
//!
//! ```python good
//! import asyncio
//! from collections import defaultdict
//!
//!
//! class AsyncCache:
//!     def __init__(self) -> None:
//!         self._cache: dict[str, str] = {}
//!         self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
//!
//!     async def get_or_fetch(self, key: str, fetch) -> str:
//!         if key in self._cache:
//!             return self._cache[key]
//!         async with self._locks[key]:
//!             if key in self._cache:
//!                 return self._cache[key]
//!             result = await fetch(key)
//!             self._cache[key] = result
//!             return result
//! ```
//!
//! For a cache, a task for each key needs no lock at all (see `share/stampede`). For other state, do the slow part
//! outside and take the lock for the steps that need it. A table of locks must lose its entries again: see
//! `bound/unbounded-growth`.
//!
//! ## Fixes that do not work
//! - No lock: then it is a stampede or a lost update.
//! - A fast path in front of the one lock: hits are fast now; misses still wait for one another.
//! - A semaphore of several permits: the throughput is back, and the exclusion is gone, for equal keys too.
//! - A lock for each call or instance: the same.
//! - A time limit on the lock: requests fail in place of waiting.
//! - More workers or processes: one lock and one queue in each.
//! - `weakref.WeakValueDictionary` of locks without a reference that is held across the wait: the lock can go while it
//!   is needed.
//!
//! ## Cues for a reviewer
//! - `async with self._lock:` with a request, a query or a callback inside, and `self._table[key]` beside it.
//! - A module-level lock in a handler whose path has an id.
//! - A cache with one lock and an `await fetch(…)`.
//!
//! ## Where it is silent
//! - A lock for each key.
//! - A lock for one resource that only one may use at a time: a connection, a device, a file, a rate limit.
//! - State without a key: one value made once, one total, a table that is replaced as a whole.
//! - Sections without a slow await: table work, `sleep(0)`, coroutines that run through.
//! - Work that has no key of the call, or needs several entries at once.
//! - Locks of the call or the request.
//! - Where something that can hang is awaited under the lock without a limit, `bound/no-timeout` says so.
//!
//! ## Symptoms
//! None at run time. Many tasks stand in `Lock.acquire`, one in the network (`python -m asyncio ps PID`, Python 3.14).
//!
//! ## The mutation that introduces it
//! Replace the table of locks by one lock.
//!
//! ## Difficulty
//! Easy to see, and easy to take for the right thing, since it is correct.
//!
//! ## Related rules
//! `share/stampede`, `share/self-deadlock`, `bound/no-timeout`, `bound/unbounded-growth`.

use super::{is_local_of_param, lock_text, names_in};
use crate::context::Context;
use crate::finding::Finding;
use crate::looping::is_test_module;
use crate::race::cells::{Cells, Owner, Root};
use crate::race::containers::{Touch, touch};
use crate::race::held::{Sort, Take};
use crate::race::paths::{Key, Origin};
use crate::rule::{Question, Rule};
use racewalk_ir::{BindingKind, Defs, Event, Expr, ExprId, FunctionId, FunctionKind, Name, Role, SuspendKind};
use racewalk_link::{FunctionRef, Type};
use racewalk_models::ClassKind;
use racewalk_report::{Confidence, Severity};
use std::ops::Range;

/// The rule.
pub(crate) static RULE: Rule = Rule {
    name: "share/lock-bottleneck",
    question: Question::Share,
    severity: Severity::Hint,
    languages: &["python"],
    on_by_default: true,
    summary: "one lock for all keys is held across a slow await: work on one key waits for work on every other",
    source: include_str!("lock_bottleneck.rs"),
    check,
};

fn check(ctx: &Context<'_>, found: &mut Vec<Finding>) {
    if is_test_module(ctx.module.name.as_str()) {
        return;
    }
    for function in ctx.functions() {
        let this = ctx.function_ref(function);
        let Some(holds) = ctx.shared.race.locks.holds(this) else { continue };
        if !ctx.module.function(function).is_async || ctx.shared.alone.contains(&this) {
            continue;
        }
        let sections = holds.sections(ctx.module.function(function).events.len());
        for (take, held) in holds.takes.iter().zip(&sections).filter(|(take, _)| is_for_all(ctx, take)) {
            let section = Section { ctx, function, held };
            if let Some(bottleneck) = section.bottleneck() {
                ctx.report(function, finding(ctx, function, take, &bottleneck), found);
            }
        }
    }
}

/// There is one such lock for all calls, whatever their keys.
fn is_for_all(ctx: &Context<'_>, take: &Take) -> bool {
    let Some(lock) = take.lock.filter(|lock| lock.key == Key::None) else { return false };
    let is_kept = match lock.path.origin {
        Origin::Receiver | Origin::Class(_) => true,
        Origin::Variable(variable) => ctx.program.function(variable.owner).kind == FunctionKind::Module,
    };
    is_kept && take.sort == Sort::Exclusive && !take.is_of_threads && take.waits
}

/// What is done while one lock is held.
struct Section<'c, 'p> {
    ctx: &'c Context<'p>,
    function: FunctionId,
    held: &'c [Range<usize>],
}

/// A table under the lock, and the wait that holds up its other keys.
struct Bottleneck {
    table: ExprId,
    key: Name,
    wait: ExprId,
}

impl Section<'_, '_> {
    fn bottleneck(&self) -> Option<Bottleneck> {
        let (table, key) = self.entry()?;
        let wait = self.events().find_map(|event| match event {
            Event::Suspend(SuspendKind::Await, operand) if self.is_slow_for(operand, key) => Some(operand),
            _ => None,
        })?;
        Some(Bottleneck { table, key, wait })
    }

    fn events(&self) -> impl Iterator<Item = Event> + '_ {
        let events = &self.ctx.module.function(self.function).events;
        self.held.iter().flat_map(|range| &events[range.clone()]).copied()
    }

    /// The table whose entry is written, when that is under a key of the call, and all entries that are touched are under it.
    fn entry(&self) -> Option<(ExprId, Name)> {
        let mut keys: Vec<Name> = Vec::new();
        let mut written = None;
        for event in self.events() {
            let Some((table, key, writes)) = self.touched(event) else { continue };
            let key = key?;
            if !keys.contains(&key) {
                keys.push(key);
            }
            if writes {
                written.get_or_insert((table, key));
            }
        }
        let of_call = |key: Name| {
            let root = key.as_str().split('.').next().unwrap_or_default();
            is_local_of_param(self.ctx, self.function, root, 4)
        };
        written.filter(|(_, key)| keys.len() == 1 && of_call(*key))
    }

    /// The event looks an entry of a shared table up, or changes one: the table, the key, and whether it is changed.
    fn touched(&self, event: Event) -> Option<(ExprId, Option<Name>, bool)> {
        let ctx = self.ctx;
        let cells =
            Cells { program: ctx.program, evaluator: &ctx.evaluator, function: ctx.function_ref(self.function) };
        let shared = |table: ExprId| {
            cells
                .of(table)
                .filter(|cell| !matches!(cell.owner, Owner::Object(_)) && cell.key.is_none() && self.is_kept(cell.root))
        };
        match event {
            Event::WritePlace(place, _) | Event::ReadPlace(place) | Event::Modify(place) => {
                let (table, key) = innermost(ctx, place)?;
                shared(table)?;
                Some((
                    table,
                    cells.key(key),
                    !matches!(event, Event::ReadPlace(_)) && ctx.module.role(place) != Role::Deleted,
                ))
            }
            Event::Call(call) => {
                let Expr::Call(callee, args) = ctx.module.expr(call) else { return None };
                let Expr::Attr(table, method) = ctx.module.expr(callee) else { return None };
                let args = ctx.module.args(args);
                let touch = touch(ctx.module.language, method.as_str(), args.len())?;
                let is_keyed = matches!(touch, Touch::Gets | Touch::InsertsOnce | Touch::Drops) && !args.is_empty();
                let is_map = matches!(ctx.evaluator.eval(self.function, table).without_none(), Type::Mapping(_));
                if !is_keyed || !is_map {
                    return None;
                }
                shared(table)?;
                Some((table, cells.key(args[0].value), touch == Touch::InsertsOnce))
            }
            _ => None,
        }
    }

    /// The state outlives the call.
    fn is_kept(&self, root: Root) -> bool {
        match root {
            Root::Field(..) => true,
            Root::Variable(variable) => self.ctx.program.function(variable.owner).kind == FunctionKind::Module,
            Root::Param(..) => false,
        }
    }

    /// The wait is for the network, or for work that the caller has handed in, and concerns the key.
    fn is_slow_for(&self, operand: ExprId, key: Name) -> bool {
        let ctx = self.ctx;
        let root = key.as_str().split('.').next().unwrap_or_default();
        if !names_in(ctx, operand, 8).contains(&root) {
            return false;
        }
        let this = ctx.function_ref(self.function);
        let Some(site) = ctx.program.site(this, operand) else { return false };
        if self.is_handed_in(operand) {
            return true;
        }
        crosses_network(ctx, this, operand, 4) && !self.is_of_resource(site.callee)
    }

    /// What is called is a parameter.
    fn is_handed_in(&self, call: ExprId) -> bool {
        let module = self.ctx.module;
        let Expr::Call(callee, _) = module.expr(call) else { return false };
        let Expr::Name(_, Defs::One(binding)) = module.expr(callee) else { return false };
        matches!(module.bindings[binding.index()].kind, BindingKind::Param(_))
    }

    /// It is a method of something that one task at a time may use.
    fn is_of_resource(&self, callee: Type) -> bool {
        matches!(callee, Type::ExternalMethod(class, ..)
            if self.ctx.program.models().kind(class) == Some(ClassKind::Session))
    }
}

/// The element of a table in a place: the table and the key.
fn innermost(ctx: &Context<'_>, place: ExprId) -> Option<(ExprId, ExprId)> {
    match ctx.module.expr(place) {
        Expr::Subscript(table, key) => innermost(ctx, table).or(Some((table, key))),
        Expr::Attr(base, _) => innermost(ctx, base),
        _ => None,
    }
}

/// A call at the site, or one that it leads to, waits for the network.
fn crosses_network(ctx: &Context<'_>, function: FunctionRef, call: ExprId, depth: u32) -> bool {
    let Some(depth) = depth.checked_sub(1) else { return false };
    let program = ctx.program;
    let Some(site) = program.site(function, call) else { return false };
    if program.models_at(site).any(|model| model.network && (model.is_async || model.enter_async.is_some())) {
        return true;
    }
    let targets = program.edges_at(function, call).iter().filter(|edge| !edge.is_override);
    targets.filter(|edge| program.function(edge.target).is_async).any(|edge| {
        let module = program.module(edge.target.file);
        let is_waited_for = |call: ExprId| matches!(module.role(call), Role::Awaited | Role::EnteredAsync);
        let mut inner = program.sites(edge.target).iter().filter(|site| is_waited_for(site.call));
        inner.any(|site| crosses_network(ctx, edge.target, site.call, depth))
    })
}

fn finding(ctx: &Context<'_>, function: FunctionId, take: &Take, bottleneck: &Bottleneck) -> Finding {
    let lock = lock_text(ctx, take);
    let table = ctx.program.path_text(ctx.file, bottleneck.table);
    let wait = ctx.program.callee_text(ctx.file, bottleneck.wait);
    let key = bottleneck.key;
    let message = format!(
        "`{lock}` is one lock for all keys, and is held while `{wait}()` works for `{key}`: calls for every other key of `{table}` wait for it"
    );
    Finding::new(&RULE, ctx.place(take.at), ctx.symbol(function), message)
        .confidence(Confidence::Likely)
        .help(format!(
            "take a lock of that key (a table of locks, or the task that does the work kept under `{key}`), and look into `{table}` before and again inside"
        ))
        .shape(format!("{}:{lock}", ctx.symbol(function)))
        .note("why-safe", "two calls for one key still come one after the other; calls for different keys share nothing")
        .note("rejected", "a semaphore of several permits: equal keys are then no longer kept apart")
        .related(ctx.place(bottleneck.wait), "the wait that everybody waits for")
        .related(ctx.place(bottleneck.table), "the table, used under a key of the call")
}
