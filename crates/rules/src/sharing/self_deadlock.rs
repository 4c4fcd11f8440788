//! # share/self-deadlock
//!
//! A task waits for something that can only happen after it has gone on: a lock that it holds itself, or work that
//! needs what it holds.
//!
//! ## What it is
//! An `asyncio.Lock` is not reentrant, and neither is a `threading.Lock`. It does not remember who holds it; whoever
//! asks again waits until it is given back, and if that is the holder, for ever. The second acquisition is seldom in
//! the same function. A method that takes the lock calls another method that takes it, through a base class, a
//! decorator, another module.
//!
//! The same circle closes in other ways:
//!
//! - a second permit of a semaphore is taken while one is held: when as many tasks as there are permits hold their
//!   first one, none gets its second;
//! - a job in a bounded pool of threads waits for another job of that pool: when all threads wait, no thread is left to
//!   do what they wait for;
//! - under a lock one waits for a peer that needs the lock: `put` into a full queue whose consumer takes the lock,
//!   `get`, `join`, an event that is set under the lock, a task that takes it.
//!
//! ```python bad
//! import asyncio
//!
//!
//! class Account:
//!     def __init__(self) -> None:
//!         self._lock = asyncio.Lock()
//!         self._balance = 0
//!
//!     async def balance(self) -> int:
//!         async with self._lock:
//!             return self._balance
//!
//!     async def deposit(self, amount: int) -> int:
//!         async with self._lock:
//!             self._balance += amount
//!             return await self.balance()
//! ```
//!
//! In Go: a mutex is taken by the goroutine that has it, also through calls on the same object. A lock for reading that is taken twice
//! waits for itself only when a writer comes in between, and is `possible`.
//!
//! ## What one observes
//! - A request that never answers, and then every other one that needs the lock. No error, no CPU.
//! - With semaphores, pools and queues: it works for months, and stops at the first peak, when all permits, threads or
//!   places are taken at once. After a restart it works again.
//! - A time limit around the call turns it into a `TimeoutError` with a misleading place.
//!
//! ## Why tests pass all the same
//! The direct form does not pass any test that runs it; it hides in a branch that no test takes. The forms with
//! semaphores, pools and queues need as many tasks as there are permits, and a test has one or two.
//!
//! ## The structural fix
//! Take the lock at the border, once. Public methods take it and call inner ones that expect it to be held, and say so
//! in their names; inner methods never call public ones.
//!
//! ```python good
//! import asyncio
//!
//!
//! class Account:
//!     def __init__(self) -> None:
//!         self._lock = asyncio.Lock()
//!         self._balance = 0
//!
//!     def _balance_locked(self) -> int:
//!         return self._balance
//!
//!     async def balance(self) -> int:
//!         async with self._lock:
//!             return self._balance_locked()
//!
//!     async def deposit(self, amount: int) -> int:
//!         async with self._lock:
//!             self._balance += amount
//!             return self._balance_locked()
//! ```
//!
//! For a semaphore, acquire once for the whole operation, or use a second semaphore for the inner one. For a peer that
//! needs the lock, do the waiting outside: take what is needed under the lock, give it back, then `put`, `wait` or
//! `await` the task.
//!
//! ```python good
//! import asyncio
//!
//!
//! class Outbox:
//!     def __init__(self) -> None:
//!         self._lock = asyncio.Lock()
//!         self._queue: asyncio.Queue[int] = asyncio.Queue(10)
//!         self._number = 0
//!
//!     async def send(self) -> None:
//!         async with self._lock:
//!             self._number += 1
//!             number = self._number
//!         await self._queue.put(number)
//!
//!     async def run(self) -> None:
//!         while True:
//!             number = await self._queue.get()
//!             async with self._lock:
//!                 print(number, "of", self._number)
//! ```
//!
//! ## Fixes that do not work
//! - `if not self._lock.locked()` in front of the second acquisition: the lock may be held by another task, whose state
//!   is then walked into.
//! - A second lock for the inner method: the deadlock is gone, and so is the exclusion; see `share/inconsistent-lock`.
//! - `threading.RLock` in asyncio code: its owner is the thread, and all tasks of a loop have the same. It excludes no
//!   task from any other, and is held across awaits.
//! - A hand-made reentrant lock that knows its task: it hides which methods are entered half-way, and does not work for
//!   helpers that run as tasks of their own under `gather`.
//! - More permits, threads or places in the queue: the peak that stops it is then higher.
//! - A time limit on the inner acquisition: every call now fails after it.
//! - `gather` in place of the direct call: the tasks wait for the lock of the task that waits for them.
//!
//! ## Cues for a reviewer
//! - A call of one of the object's own public methods inside `async with self._lock`.
//! - `super().…` under a lock in a subclass.
//! - `put`, `get`, `join`, `wait`, `gather`, `await task` inside a lock's block.
//! - `.result()` in a function that is submitted to an executor.
//! - A decorator that takes a lock, on methods that call each other.
//!
//! ## Where it is silent
//! - `threading.RLock`.
//! - Helpers that expect the lock to be held; a second acquisition after the first was given back.
//! - The lock of another object, of another key, another lock of the same object.
//! - Paths that the call's own arguments bar (`locked=True`).
//! - `Condition.wait`, which gives the lock back while it waits; `put_nowait`; a put into a queue without a limit.
//! - Tasks started under the lock and awaited after it, or by nobody.
//! - A second pool; a job that submits and does not wait.
//!
//! ## Symptoms
//! - None at run time with asyncio: the task stands in `Lock.acquire` for ever. `python -m asyncio pstree PID`
//!   (Python 3.14), or `task.print_stack()`, shows it there.
//! - `TimeoutError` from a limit around it; `asyncio.exceptions.CancelledError` at shutdown.
//! - trio and anyio notice the direct form: `RuntimeError: attempt to re-acquire an already held Lock`, `Attempted to
//!   acquire an already held Lock`.
//!
//! ## The mutation that introduces it
//! Call the public method in place of the inner one; move the lock from the callers into the helper and leave one
//! caller as it is; move a `put` into the block.
//!
//! ## Difficulty
//! Easy in one function; medium through calls; hard for queues and pools, where the circle goes through a peer.
//!
//! ## Related rules
//! `share/lock-order`, `share/lock-bottleneck`, `share/inconsistent-lock`, `loop/blocking-call`, `bound/permit-leak`.

use super::{lock_text, peers};
use crate::context::Context;
use crate::finding::{Finding, Place};
use crate::looping::is_test_module;
use crate::race::held::{Holds, Sort, Take};
use crate::race::paths::{Lock, Passage, Paths};
use crate::race::reach::{Reach, runs_there};
use crate::rule::{Question, Rule};
use racewalk_ir::{ArgKind, BindingKind, Defs, Event, Expr, ExprId, FunctionId, SuspendKind};
use racewalk_link::{Edge, FunctionRef, How, Way};
use racewalk_models::{Joins, Spawns};
use racewalk_report::{Confidence, Severity};
use rustc_hash::FxHashSet;

/// The rule.
pub(crate) static RULE: Rule = Rule {
    name: "share/self-deadlock",
    question: Question::Share,
    severity: Severity::Error,
    languages: &["python", "go"],
    on_by_default: true,
    summary: "a lock is acquired again by its holder, also through calls; or who holds it waits for somebody who needs it",
    source: include_str!("self_deadlock.rs"),
    check,
};

fn check(ctx: &Context<'_>, found: &mut Vec<Finding>) {
    if ctx.module.language.shares_memory {
        return super::taken_twice::check(ctx, &RULE, found);
    }
    for function in ctx.functions() {
        let Some(holds) = ctx.shared.race.locks.holds(ctx.function_ref(function)) else { continue };
        let mut search = Search { ctx, function, holds, reported: FxHashSet::default() };
        search.taken_twice(found);
        search.calls(found);
    }
    peers::check(ctx, found);
}

/// How the holder comes to wait for itself.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Circle {
    /// It calls something that takes the lock.
    Calls,
    /// It waits for tasks that take it.
    Joins,
}

/// One function's acquisitions, and what it runs while it holds them.
struct Search<'c, 'p> {
    ctx: &'c Context<'p>,
    function: FunctionId,
    holds: &'c Holds,
    /// The acquisitions of which something has been reported.
    reported: FxHashSet<ExprId>,
}

impl Search<'_, '_> {
    fn this(&self) -> FunctionRef {
        self.ctx.function_ref(self.function)
    }

    // ---- in one function -----------------------------------------------------------------------------------------

    fn taken_twice(&mut self, found: &mut Vec<Finding>) {
        for take in self.holds.takes.iter().filter(|take| take.waits) {
            let held: Vec<&Take> = take.under.iter().map(|at| &self.holds.takes[*at as usize]).collect();
            let Some(first) = take.lock.and_then(|lock| held_already(&held, lock)) else { continue };
            let finding = self.finding(take.at, first, take.sort, None);
            self.report(finding, first, found);
        }
    }

    // ---- through calls -------------------------------------------------------------------------------------------

    fn calls(&mut self, found: &mut Vec<Finding>) {
        let events = &self.ctx.module.function(self.function).events;
        for (at, event) in events.iter().enumerate() {
            let held: Vec<&Take> = self.holds.held_at(at).collect();
            if held.is_empty() {
                continue;
            }
            match *event {
                Event::Call(site) => {
                    self.run(&held, site, found);
                    self.start_in_group(&held, site, found);
                }
                Event::ReadPlace(site) => self.run(&held, site, found),
                Event::Suspend(kind, operand) if kind != SuspendKind::Exit => {
                    self.run_coroutine(&held, operand, found);
                    self.join(&held, operand, found);
                }
                _ => {}
            }
        }
    }

    /// A plain function is called.
    fn run(&mut self, held: &[&Take], site: ExprId, found: &mut Vec<Finding>) {
        let is_plain = |edge: &&Edge| !self.ctx.program.function(edge.target).is_async;
        let edges: Vec<Edge> = self.edges(site).filter(is_plain).copied().collect();
        self.follow(held, &edges, Circle::Calls, site, found);
    }

    /// A coroutine is awaited.
    fn run_coroutine(&mut self, held: &[&Take], site: ExprId, found: &mut Vec<Finding>) {
        let is_async = |edge: &&Edge| self.ctx.program.function(edge.target).is_async;
        let edges: Vec<Edge> = self.edges(site).filter(is_async).copied().collect();
        self.follow(held, &edges, Circle::Calls, site, found);
    }

    fn edges(&self, site: ExprId) -> impl Iterator<Item = &Edge> {
        let (program, this) = (self.ctx.program, self.this());
        let at_site = program.edges_at(this, site).iter();
        at_site.filter(move |edge| runs_there(program, this, site, edge.how, edge.target))
    }

    /// Tasks are waited for that were started here.
    fn join(&mut self, held: &[&Take], operand: ExprId, found: &mut Vec<Finding>) {
        let mut started = Vec::new();
        self.coroutines_in(operand, 5, &mut started);
        for call in started.into_iter().filter(|call| *call != operand) {
            self.follow(held, &self.coroutines_of(call), Circle::Joins, operand, found);
        }
    }

    /// A task is started in a group that is left before the lock is given back.
    fn start_in_group(&mut self, held: &[&Take], call: ExprId, found: &mut Vec<Finding>) {
        let Some(opened) = self.opening_of_group(call) else { return };
        let held: Vec<&Take> =
            held.iter().copied().filter(|take| self.holds.held_at(opened).any(|at| at.at == take.at)).collect();
        let Expr::Call(_, args) = self.ctx.module.expr(call) else { return };
        for arg in self.ctx.module.args(args) {
            let mut started = Vec::new();
            self.coroutines_in(arg.value, 3, &mut started);
            for coroutine in started {
                self.follow(&held, &self.coroutines_of(coroutine), Circle::Joins, call, found);
            }
        }
    }

    /// `group.create_task(…)`: where the group was opened.
    fn opening_of_group(&self, call: ExprId) -> Option<usize> {
        let module = self.ctx.module;
        let site = self.ctx.program.site(self.this(), call)?;
        let model = self.ctx.program.model_at(site)?;
        let Expr::Call(callee, _) = module.expr(call) else { return None };
        let Expr::Attr(group, _) = module.expr(callee) else { return None };
        let Expr::Name(_, Defs::One(binding)) = module.expr(group) else { return None };
        let BindingKind::ContextAsync(context) = module.bindings[binding.index()].kind else { return None };
        let is_opening = |event: &Event| matches!(*event, Event::Enter(_, entered) if entered == context);
        let opened = module.function(self.function).events.iter().position(is_opening);
        opened.filter(|_| model.spawns == Some(Spawns::Task) && model.keeps)
    }

    fn coroutines_of(&self, call: ExprId) -> Vec<Edge> {
        let program = self.ctx.program;
        let edges = program.edges_at(self.this(), call).iter();
        edges
            .filter(|edge| edge.how == How::Calls && !edge.is_override)
            .filter(|edge| program.function(edge.target).is_async)
            .copied()
            .collect()
    }

    /// The calls that make the coroutines of what is awaited.
    fn coroutines_in(&self, value: ExprId, depth: u32, found: &mut Vec<ExprId>) {
        let Some(depth) = depth.checked_sub(1) else { return };
        let module = self.ctx.module;
        match module.expr(value) {
            Expr::Call(_, args) => {
                if !self.coroutines_of(value).is_empty() {
                    found.push(value);
                } else if self.hands_on(value) {
                    module.args(args).iter().for_each(|arg| self.coroutines_in(arg.value, depth, found));
                }
            }
            Expr::Name(_, Defs::One(binding)) => {
                if let BindingKind::Value(value) | BindingKind::Typed(_, Some(value)) =
                    module.bindings[binding.index()].kind
                {
                    self.coroutines_in(value, depth, found);
                }
            }
            Expr::List(list) | Expr::Tuple(list) | Expr::Set(list) => {
                module.list(list).iter().for_each(|item| self.coroutines_in(*item, depth, found));
            }
            Expr::Comp(_, value) | Expr::Spread(value) => self.coroutines_in(value, depth, found),
            _ => {}
        }
    }

    /// The call starts or joins the coroutines that it is given, and sets no time limit.
    fn hands_on(&self, call: ExprId) -> bool {
        let site = self.ctx.program.site(self.this(), call);
        let Some(model) = site.and_then(|site| self.ctx.program.model_at(site)) else { return false };
        let Expr::Call(_, args) = self.ctx.module.expr(call) else { return false };
        let args = self.ctx.module.args(args);
        let is_limit = |arg: &racewalk_ir::Arg| match arg.kind {
            ArgKind::Named(name) => model.timeout_params.iter().any(|param| param == name.as_str()),
            _ => false,
        };
        let is_limited = args.iter().any(is_limit)
            || model.joins == Some(Joins::One) && !model.timeout_params.is_empty() && args.len() > 1;
        (model.spawns == Some(Spawns::Task) || model.joins.is_some()) && !is_limited
    }

    /// Something is run that takes a lock which is held.
    fn follow(&mut self, held: &[&Take], edges: &[Edge], circle: Circle, at: ExprId, found: &mut Vec<Finding>) {
        let ctx = self.ctx;
        let paths = Paths { program: ctx.program, evaluator: &ctx.evaluator, function: self.this() };
        for edge in edges {
            let passage = Passage { caller: &paths, site: edge.site, how: edge.how, target: edge.target };
            for reach in ctx.shared.race.locks.reaches(edge.target) {
                let Some(first) = passage.lock(reach.lock).and_then(|lock| held_already(held, lock)) else { continue };
                let chain = self.chain(edge, *reach);
                let way = ctx.program.way_along(&ctx.guards, &chain);
                if way == Way::Barred || self.is_asked(&chain) {
                    continue;
                }
                let mut finding = self.finding(at, first, reach.sort, Some((circle, &chain)));
                if way == Way::Open {
                    finding = finding.at_most(Confidence::Possible);
                }
                self.report(finding, first, found);
                return;
            }
        }
    }

    fn chain(&self, edge: &Edge, reach: Reach) -> Vec<(FunctionRef, ExprId)> {
        let mut chain = vec![(self.this(), edge.site)];
        chain.extend(self.ctx.shared.race.locks.chain(edge.target, reach));
        chain
    }

    /// A function on the way asks whether the lock is taken, and may decide by it.
    fn is_asked(&self, chain: &[(FunctionRef, ExprId)]) -> bool {
        chain[1..].iter().any(|(function, _)| {
            let module = self.ctx.program.module(function.file);
            self.ctx.program.sites(*function).iter().any(|site| match module.expr(site.call) {
                Expr::Call(callee, _) => {
                    matches!(module.expr(callee), Expr::Attr(_, name) if name.as_str() == "locked")
                }
                _ => false,
            })
        })
    }

    // ---- the finding ---------------------------------------------------------------------------------------------

    /// One acquisition, one finding: what else is run under it has the same remedy.
    fn report(&mut self, finding: Finding, first: &Take, found: &mut Vec<Finding>) {
        if self.reported.insert(first.at) {
            self.ctx.report(self.function, finding, found);
        }
    }

    fn finding(
        &self,
        at: ExprId,
        first: &Take,
        sort: Sort,
        through: Option<(Circle, &[(FunctionRef, ExprId)])>,
    ) -> Finding {
        let ctx = self.ctx;
        let name = lock_text(ctx, first);
        let thing = if sort == Sort::Several { "permit" } else { "lock" };
        let (message, help): (String, String) = match through {
            None => (twice(&name, sort), direct_help(sort).to_owned()),
            Some((Circle::Calls, chain)) => {
                (calls(&name, &self.callee(chain), sort), call_help(&self.callee(chain), sort))
            }
            Some((Circle::Joins, chain)) => (joins(&name, &self.callee(chain), sort), join_help(thing)),
        };
        let (why_safe, rejected) = reasons(sort, through.map(|(circle, _)| circle));
        let mut finding = Finding::new(&RULE, ctx.place(at), ctx.symbol(self.function), message)
            .help(help)
            .shape(format!("{}:{name}", ctx.symbol(self.function)))
            .note("why-safe", why_safe)
            .note("rejected", rejected)
            .related(ctx.place(first.at), format!("the first {thing} is taken here"));
        if let Some((_, chain)) = through {
            finding.chain = ctx.route_hops(chain);
            let (last, site) = chain[chain.len() - 1];
            let place = Place { file: last.file, span: ctx.program.module(last.file).span(site) };
            finding = finding.related(place, format!("the second one here, in `{}`", ctx.program.qualified(last)));
        }
        if through.is_some() || sort == Sort::Several {
            finding = finding.at_most(Confidence::Likely);
        }
        if is_test_module(ctx.module.name.as_str()) {
            finding = finding.at_most(Confidence::Possible);
        }
        finding
    }

    fn callee(&self, chain: &[(FunctionRef, ExprId)]) -> String {
        chain.get(1).map_or_else(String::new, |(function, _)| self.ctx.program.qualified(*function))
    }
}

/// The acquisition of this lock among those that are held, when nothing limits the wait for it since.
fn held_already<'t>(held: &[&'t Take], lock: Lock) -> Option<&'t Take> {
    let is_it = |take: &&Take| {
        take.lock.is_some_and(|held| held.is(lock)) && matches!(take.sort, Sort::Exclusive | Sort::Several)
    };
    let position = held.iter().position(is_it)?;
    let is_limited = held[position..].iter().any(|take| take.sort == Sort::Deadline);
    (!is_limited).then_some(held[position])
}

fn twice(name: &str, sort: Sort) -> String {
    match sort {
        Sort::Several => format!(
            "a second permit of `{name}` is taken while one is held: when as many tasks as there are permits hold their first, none gets its second"
        ),
        _ => format!("`{name}` is held already, and is no reentrant lock: this waits for itself, for ever"),
    }
}

fn calls(name: &str, callee: &str, sort: Sort) -> String {
    match sort {
        Sort::Several => format!(
            "`{callee}` takes a second permit of `{name}` while one is held here: when as many tasks as there are permits hold their first, none gets its second"
        ),
        _ => format!(
            "`{callee}` takes `{name}`, which is held here and is no reentrant lock: the call waits for itself, for ever"
        ),
    }
}

fn joins(name: &str, callee: &str, sort: Sort) -> String {
    match sort {
        Sort::Several => format!(
            "tasks that run `{callee}` need a permit of `{name}`, and whoever waits for them here holds one: when all permits are held by such, nobody goes on"
        ),
        _ => format!(
            "the task that runs `{callee}` needs `{name}`, which is held here until it is done: both wait for ever"
        ),
    }
}

fn direct_help(sort: Sort) -> &'static str {
    match sort {
        Sort::Several => "take one permit for the whole operation, or use a semaphore of its own for the inner one",
        _ => "take the lock once, for the whole section",
    }
}

fn call_help(callee: &str, sort: Sort) -> String {
    match sort {
        Sort::Several => {
            format!("take one permit for the whole operation, or give `{callee}` a semaphore of its own")
        }
        _ => format!(
            "move what `{callee}` does under the lock into a function that expects the lock to be held, and call that one here"
        ),
    }
}

fn join_help(thing: &str) -> String {
    format!("give the {thing} back before waiting for the tasks, or let them run what expects it to be held")
}

fn reasons(sort: Sort, circle: Option<Circle>) -> (&'static str, &'static str) {
    match (sort, circle) {
        (Sort::Several, _) => (
            "who waits for a permit holds none, so those who hold one can always go on",
            "more permits: the peak that stops it is then higher",
        ),
        (_, Some(Circle::Joins)) => (
            "nobody who holds the lock waits for somebody who needs it",
            "a time limit on the wait: every call then fails after it",
        ),
        _ => (
            "the lock is taken at the border only, and nothing inside asks for it again",
            "a reentrant lock of threads: all tasks of a loop have one owner there, so it keeps none of them out",
        ),
    }
}
