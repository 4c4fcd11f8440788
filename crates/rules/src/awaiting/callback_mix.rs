//! # await/callback-mix
//!
//! A value that a callback fills in is returned or read before the callback can have run.
//!
//! ## What it is
//! A callback that is registered with a task, a future, a timer or the event loop runs later: at the earliest when
//! the current function has given the loop its thread back. A function that registers one, and then returns or
//! reads the variable that the callback is to fill, sees the initial value. In the event loop's thread that is
//! certain and not a matter of timing: between the registration and the read no other code runs unless there is an
//! `await`.
//!
//! An exception that the callback raises to its "caller" belongs here too. The code that registered it has long
//! gone on; the exception reaches the loop's exception handler and nobody else.
//!
//! ```python bad
//! import asyncio
//!
//!
//! class Prices:
//!     def __init__(self) -> None:
//!         self.pending: set[asyncio.Task[int]] = set()
//!
//!     async def _load(self, item: str) -> int:
//!         await asyncio.sleep(0)
//!         return len(item)
//!
//!     def price(self, item: str) -> int:
//!         found = 0
//!
//!         def keep(task: asyncio.Task[int]) -> None:
//!             nonlocal found
//!             found = task.result()
//!             self.pending.discard(task)
//!
//!         task = asyncio.get_running_loop().create_task(self._load(item))
//!         self.pending.add(task)
//!         task.add_done_callback(keep)
//!         return found
//!
//!
//! async def main(prices: Prices) -> None:
//!     print(prices.price("pen"))
//!     await asyncio.gather(*prices.pending)
//! ```
//!
//! ## What one observes
//! The function always answers with the initial value: None, zero, an empty list. A list or dict is worse, since it
//! fills up later: whoever looks at once sees nothing, a debugger or a log line that comes later sees everything.
//! An error in the callback appears in the log as an unhandled exception in a callback, while the function has
//! reported success.
//!
//! ## Why tests pass all the same
//! Test doubles call the callback at once, within the registration. With a list the test may await something
//! between the call and the assertion, and by then it is filled.
//!
//! ## The structural fix
//! Return what will have the value: await the task, or return it to a caller who does. If the callback interface is
//! given from outside, put a future between: the callback sets it, the function awaits it.
//!
//! ```python good
//! import asyncio
//!
//!
//! class Prices:
//!     async def _load(self, item: str) -> int:
//!         await asyncio.sleep(0)
//!         return len(item)
//!
//!     async def price(self, item: str) -> int:
//!         return await self._load(item)
//!
//!
//! async def main(prices: Prices) -> None:
//!     print(await prices.price("pen"))
//! ```
//!
//! ## Fixes that do not work
//! - `time.sleep` before the read: holds the thread in which the callback would run; see `loop/blocking-call`.
//! - `while found is None: pass`: the same, for ever.
//! - `await asyncio.sleep(0.1)` before the read: mostly long enough, and wrong when it is not.
//! - `task.result()` after the registration: the task is not done, so it raises `InvalidStateError`.
//! - `raise` in the callback for the caller to catch: the callback's caller is the event loop.
//! - A `threading.Event` that the callback sets and the function waits for, in the loop's thread: a deadlock.
//!
//! ## Cues for a reviewer
//! - A variable set to None or `[]`, a nested function with `nonlocal` or `append`, a registration, a `return` of that
//!   variable.
//! - `add_done_callback`, `call_later`, `Timer` in a function that returns something else than the task.
//! - Code translated from a callback style in which the caller went on inside the callback.
//!
//! ## Where it is silent
//! - Callbacks that are called before the function goes on: `sorted(key=…)`, `map`, `filter`, `re.sub`, `reduce`,
//!   functions of the program that call their argument.
//! - A wait between registration and read: `await` of the task or of a future that the callback sets, `gather`, `wait`,
//!   `Event.wait`, `Thread.join`, the end of an executor's `with` block, `loop.run_until_complete`.
//! - Reads inside the callback, or in another function that is called later.
//! - Containers that an object keeps and that are meant to fill up over time.
//!
//! ## Symptoms
//! - `Exception in callback …`: the callback raised, or read a result that was an exception; the next lines name
//!   the handle.
//! - `asyncio.exceptions.InvalidStateError: Result is not set.`: `task.result()` before the task is done.
//! - `TypeError: 'NoneType' object is not subscriptable`: the initial value was used as the answer.
//! - `Task exception was never retrieved`: the callback did not ask for the exception.
//!
//! ## The mutation that introduces it
//! Replace `return await f()` by a task with a done-callback that sets an outer variable, and return that variable.
//!
//! ## Difficulty
//! Medium: the order of the lines suggests an order of events that is not there.
//!
//! ## Related rules
//! `await/async-callback`, `await/floating-task`, `loop/blocking-call`, `share/sleep-as-sync`.

use crate::context::Context;
use crate::finding::Finding;
use crate::looping::is_test_module;
use crate::rule::{Question, Rule};
use racewalk_ir::{ArgKind, BindingKind, Defs, Event, Expr, ExprId, FunctionId, Name, ParamKind, Role, SymbolId};
use racewalk_link::{How, Type};
use racewalk_models::{Blocks, Call, ClassKind, Position, Spawns};
use racewalk_report::{Confidence, Severity};

/// The rule.
pub(crate) static RULE: Rule = Rule {
    name: "await/callback-mix",
    question: Question::Await,
    severity: Severity::Error,
    languages: &["python", "javascript"],
    on_by_default: true,
    summary: "a value that a callback fills in is returned or read before the callback can have run",
    source: include_str!("callback_mix.rs"),
    check,
};

fn check(ctx: &Context<'_>, found: &mut Vec<Finding>) {
    for function in ctx.functions() {
        let registrations = registrations(ctx, function);
        if !registrations.is_empty() {
            let mut walk = Walk {
                ctx,
                function,
                registrations: &registrations,
                pending: Some(Vec::new()),
                frames: Vec::new(),
                lazy: 0,
                found: Vec::new(),
            };
            walk.run();
            for finding in walk.found {
                ctx.report(function, finding, found);
            }
        }
    }
}

/// Something that a callback gives a value to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Filled {
    /// A local that the callback binds.
    Local(SymbolId),
    /// A container in a local, to which the callback adds.
    Container(SymbolId),
    /// A field of the function's own object.
    Field(Name),
}

/// A call that hands over a callback for later.
struct Registration {
    call: ExprId,
    fills: Vec<Filled>,
    /// The callback runs in this loop's thread, so nothing but a suspension lets it run.
    on_loop: bool,
    /// A model says so, and not the looks of the callback alone.
    is_known: bool,
}

fn registrations(ctx: &Context<'_>, function: FunctionId) -> Vec<Registration> {
    let mut found = Vec::new();
    let sites = ctx.program.sites(ctx.function_ref(function));
    let settles_itself = || sites.iter().any(|site| settles_future(ctx, site.callee));
    for site in sites {
        let model = site.callee.members().iter().find_map(|member| ctx.program.model_of(*member));
        let by_model = model.and_then(|model| later(ctx, site.call, model));
        let is_known = by_model.is_some();
        let Some((positions, on_loop)) = by_model.or_else(|| error_first(ctx, function, site)) else { continue };
        if !on_loop && settles_itself() {
            continue;
        }
        let callbacks = positions.iter().filter_map(|position| given(ctx, site.call, position));
        let mut fills: Vec<Filled> = callbacks.flat_map(|callback| fills(ctx, function, callback)).collect();
        // Who is told of events again and again fills a collection that its reader follows.
        if ctx.module.language.has_one_thread {
            fills.retain(|filled| matches!(filled, Filled::Local(_)));
        }
        fills.retain(|filled| is_filled_by_callback_only(ctx, function, *filled));
        if !fills.is_empty() {
            found.push(Registration { call: site.call, fills, on_loop, is_known });
        }
    }
    found
}

/// Gives a future its outcome: a thread's future calls its callbacks within that call.
fn settles_future(ctx: &Context<'_>, callee: Type) -> bool {
    let Type::ExternalMethod(class, method, _) = callee else { return false };
    ctx.program.models().kind(class) == Some(ClassKind::Future)
        && matches!(method.as_str(), "set_result" | "set_exception" | "cancel")
}

/// The positions of the callbacks that the callee calls after it has returned, and whether the loop does so.
fn later(ctx: &Context<'_>, call: ExprId, model: &Call) -> Option<(Vec<Position>, bool)> {
    let on_loop = model.calls_later || model.loop_thread_only || model.spawns == Some(Spawns::OtherLoop);
    if on_loop && model.blocks.is_none() && !model.callbacks.is_empty() {
        return Some((model.callbacks.clone(), true));
    }
    let offloads = model.offloads?;
    let returns_first = model.blocks.is_none()
        && !model.is_async
        && model.spawns != Some(Spawns::Process)
        && ctx.module.role(call) != Role::Awaited;
    let positions = model.entry.as_ref().map_or(vec![Position::Index(offloads)], |entry| entry.handlers.clone());
    returns_first.then_some((positions, false))
}

/// `load(key, (error, data) => …)`: something of which nothing is known is given a function that is told of an error first, as
/// its last argument. By convention it is called when the work is done.
fn error_first(ctx: &Context<'_>, function: FunctionId, site: &racewalk_link::Site) -> Option<(Vec<Position>, bool)> {
    let is_unknown = site.callee.is_unknown() || matches!(site.callee, Type::External(_) | Type::ExternalMethod(..));
    if !ctx.module.language.has_one_thread || !is_unknown || ctx.program.model_at(site).is_some() {
        return None;
    }
    let args = ctx.evaluator.args(site.call);
    let last = args.len().checked_sub(1)?;
    let Type::Function(callback) = ctx.evaluator.eval(function, args[last].value) else { return None };
    let params = &ctx.program.function(callback).params;
    let is_told_of_error = params.first().is_some_and(|first| {
        let name = first.name.as_str().trim_start_matches('_');
        matches!(name, "err" | "error" | "e") && params.len() > 1
    });
    is_told_of_error.then(|| (vec![Position::Index(last as u32)], true))
}

fn given(ctx: &Context<'_>, call: ExprId, position: &Position) -> Option<ExprId> {
    match position {
        Position::Index(at) => {
            let mut args = ctx.evaluator.args(call).iter().filter(|arg| arg.kind == ArgKind::Positional);
            args.nth(*at as usize).map(|arg| arg.value)
        }
        Position::Name(name) => ctx.evaluator.named_argument(call, name),
    }
}

/// What a callback fills in of the function that hands it over.
fn fills(ctx: &Context<'_>, function: FunctionId, callback: ExprId) -> Vec<Filled> {
    match ctx.module.expr(callback) {
        Expr::Attr(base, name) if is_mutator(name) => {
            local_of(ctx, function, base).map(Filled::Container).into_iter().collect()
        }
        Expr::Call(_, args) => {
            let args: Vec<ExprId> = ctx.module.args(args).iter().map(|arg| arg.value).collect();
            let Some((target, given)) = args.split_first() else { return Vec::new() };
            match ctx.evaluator.eval(function, *target) {
                Type::Function(target) if target.file == ctx.file => bound_fills(ctx, function, target.id, given),
                _ => Vec::new(),
            }
        }
        _ => match ctx.evaluator.eval(function, callback) {
            Type::Function(target) | Type::Method(target, _) if target.file == ctx.file => {
                body_fills(ctx, function, target.id)
            }
            _ => Vec::new(),
        },
    }
}

/// What a partial call fills of the locals that it was given.
fn bound_fills(ctx: &Context<'_>, function: FunctionId, target: FunctionId, given: &[ExprId]) -> Vec<Filled> {
    let params = &ctx.module.function(target).params;
    let mut found = Vec::new();
    for (param, argument) in params.iter().zip(given).filter(|(param, _)| param.kind != ParamKind::Rest) {
        if let Some(local) = local_of(ctx, function, *argument)
            && mutated_names(ctx, target).any(|(name, _)| name == param.name)
        {
            found.push(Filled::Container(local));
        }
    }
    found
}

/// What the body of a nested function or method fills.
fn body_fills(ctx: &Context<'_>, function: FunctionId, target: FunctionId) -> Vec<Filled> {
    let is_called = ctx.program.edges(ctx.function_ref(function)).iter();
    // A function that hands itself over, to be called again, reads what its last run left.
    if target == function {
        return Vec::new();
    }
    if is_called.filter(|edge| edge.how == How::Calls).any(|edge| edge.target == ctx.function_ref(target)) {
        return Vec::new();
    }
    let bindings = ctx.module.bindings.iter().filter(|binding| binding.within == target && binding.owner == function);
    let mut found: Vec<Filled> = bindings.map(|binding| Filled::Local(binding.symbol)).collect();
    for (name, _) in mutated_names(ctx, target).filter(|(_, defs)| *defs == Defs::Outer) {
        if let Some((_, symbol)) = ctx.evaluator.scope_of(target, name).filter(|(owner, _)| *owner == function) {
            found.push(Filled::Container(symbol));
        }
    }
    for event in &ctx.module.function(target).events {
        if let Event::WritePlace(place, _) = *event
            && let Some(name) = own_field(ctx, place)
        {
            found.push(Filled::Field(name));
        }
    }
    found
}

/// The names whose objects a body changes in place, by a method or by an element.
fn mutated_names<'c>(ctx: &'c Context<'_>, body: FunctionId) -> impl Iterator<Item = (Name, Defs)> + 'c {
    ctx.module.function(body).events.iter().filter_map(|event| {
        let base = match *event {
            Event::Call(call) => match ctx.module.expr(call) {
                Expr::Call(callee, _) => match ctx.module.expr(callee) {
                    Expr::Attr(base, name) if is_mutator(name) => base,
                    _ => return None,
                },
                _ => return None,
            },
            Event::WritePlace(place, _) => match ctx.module.expr(place) {
                Expr::Subscript(base, _) => base,
                _ => return None,
            },
            _ => return None,
        };
        match ctx.module.expr(base) {
            Expr::Name(name, defs) => Some((name, defs)),
            _ => None,
        }
    })
}

fn is_mutator(name: Name) -> bool {
    matches!(name.as_str(), "append" | "appendleft" | "extend" | "insert" | "add" | "update" | "setdefault" | "push")
}

/// The function's own local that a name reads.
fn local_of(ctx: &Context<'_>, function: FunctionId, expr: ExprId) -> Option<SymbolId> {
    let Expr::Name(name, Defs::One(_) | Defs::Several(..)) = ctx.module.expr(expr) else { return None };
    ctx.module.function(function).symbol(name)
}

/// The member of the function's own object that an expression names.
fn own_field(ctx: &Context<'_>, place: ExprId) -> Option<Name> {
    let Expr::Attr(base, name) = ctx.module.expr(place) else { return None };
    matches!(ctx.module.expr(base), Expr::Name(receiver, _) if matches!(receiver.as_str(), "self" | "this"))
        .then_some(name)
}

/// The function itself gives it nothing but an empty beginning.
fn is_filled_by_callback_only(ctx: &Context<'_>, function: FunctionId, filled: Filled) -> bool {
    let body = ctx.module.function(function);
    let begins_empty = |symbol: SymbolId| {
        body.symbols[symbol.index()].bindings.iter().map(|id| ctx.module.bindings[id.index()]).all(|binding| {
            binding.within != function
                || matches!(binding.kind, BindingKind::Value(value) | BindingKind::Typed(_, Some(value)) if is_empty(ctx, value))
        })
    };
    match filled {
        Filled::Local(symbol) => begins_empty(symbol),
        Filled::Container(symbol) => {
            let name = body.symbols[symbol.index()].name;
            begins_empty(symbol) && mutated_names(ctx, function).all(|(mutated, _)| mutated != name)
        }
        Filled::Field(name) => {
            let mut writes = body.events.iter().filter_map(|event| match *event {
                Event::WritePlace(place, value) if own_field(ctx, place) == Some(name) => Some(value),
                _ => None,
            });
            writes.next().flatten().is_some_and(|value| is_empty(ctx, value)) && writes.next().is_none()
        }
    }
}

/// A literal, or a new and empty container.
fn is_empty(ctx: &Context<'_>, value: ExprId) -> bool {
    match ctx.module.expr(value) {
        Expr::Literal(_) => true,
        Expr::List(list) | Expr::Map(list) | Expr::Set(list) => list.len == 0,
        Expr::Call(callee, args) => {
            let is_container = matches!(ctx.module.expr(callee), Expr::Name(name, _)
                if matches!(name.as_str(), "list" | "dict" | "set" | "deque" | "defaultdict"));
            is_container && ctx.module.args(args).is_empty()
        }
        _ => false,
    }
}

/// What is filled in later, and by which registration.
type Pending = Vec<(Filled, usize)>;

/// A branch, loop or guarded block that is open.
struct Frame {
    before: Option<Pending>,
    after: Vec<Option<Pending>>,
}

/// Goes through a function's events and keeps what is registered and cannot have run yet; none where nothing is
/// reached.
struct Walk<'c, 'p> {
    ctx: &'c Context<'p>,
    function: FunctionId,
    registrations: &'c [Registration],
    pending: Option<Pending>,
    frames: Vec<Frame>,
    /// Inside code that runs when somebody iterates.
    lazy: u32,
    found: Vec<Finding>,
}

impl Walk<'_, '_> {
    fn run(&mut self) {
        let ctx = self.ctx;
        for event in &ctx.module.function(self.function).events {
            match *event {
                Event::Call(call) => self.call(call),
                Event::Suspend(..) | Event::Exit(..) => self.settle(),
                Event::Read(read) if self.lazy == 0 => self.read(read),
                Event::ReadPlace(place) if self.lazy == 0 => self.read_field(place),
                Event::Defer => self.lazy += 1,
                Event::EndDefer => self.lazy -= 1,
                Event::Branch(_) | Event::Loop(_) | Event::Try => self.open(),
                Event::Arm(_) => self.next_arm(),
                Event::Handler(_) => self.handler(),
                Event::EndBranch(exhaustive) => self.close(!exhaustive),
                Event::EndTry => self.close(false),
                Event::EndLoopElse => self.close_loop(),
                Event::Return(_) | Event::Raise(_) | Event::Break | Event::Continue => self.pending = None,
                _ => {}
            }
        }
    }

    fn open(&mut self) {
        self.frames.push(Frame { before: self.pending.clone(), after: Vec::new() });
    }

    fn next_arm(&mut self) {
        if let Some(frame) = self.frames.last_mut() {
            frame.after.push(std::mem::replace(&mut self.pending, frame.before.clone()));
        }
    }

    /// A handler runs after some part of the block, which may have waited.
    fn handler(&mut self) {
        if let Some(frame) = self.frames.last_mut() {
            frame.after.push(self.pending.replace(Vec::new()));
        }
    }

    /// A branch ends: what is open on each of its paths is open. `skipped`: none of the arms may have been taken. A wait
    /// on one path only mostly goes with a registration on that path only.
    fn close(&mut self, skipped: bool) {
        let Some(mut frame) = self.frames.pop() else { return };
        frame.after.push(self.pending.take());
        if skipped {
            frame.after.push(frame.before);
        }
        let mut alive = frame.after.into_iter().flatten();
        self.pending = alive.next().map(|mut first| {
            alive.for_each(|other| first.retain(|filled| other.contains(filled)));
            first
        });
    }

    /// A loop ends: its body is taken to have run, unless it never comes to its end.
    fn close_loop(&mut self) {
        let Some(frame) = self.frames.pop() else { return };
        self.pending = self.pending.take().or(frame.before);
    }

    /// The callbacks may have run.
    fn settle(&mut self) {
        self.pending = self.pending.take().map(|_| Vec::new());
    }

    fn call(&mut self, call: ExprId) {
        if let Some(at) = self.registrations.iter().position(|registration| registration.call == call) {
            let fills = self.registrations[at].fills.iter().map(|filled| (*filled, at));
            if let Some(pending) = &mut self.pending {
                pending.extend(fills);
            }
        } else if self.pending.as_ref().is_some_and(|pending| !pending.is_empty()) && self.may_wait(call) {
            self.settle();
        }
    }

    /// A call that waits, runs a loop, or may do so for all we know.
    fn may_wait(&self, call: ExprId) -> bool {
        let function = self.ctx.function_ref(self.function);
        let Some(site) = self.ctx.program.site(function, call) else { return true };
        site.callee.members().iter().any(|callee| {
            // `while not future.done()`: the function goes by what the callback has done so far.
            if matches!(callee, Type::ExternalMethod(_, method, _) if method.as_str() == "done") {
                return true;
            }
            if let Some(model) = self.ctx.program.model_of(*callee) {
                // A sleep holds the very thread in which the loop would call back.
                let on_loop = self.registrations.iter().all(|registration| registration.on_loop);
                return model.runs_loop || model.blocks.is_some_and(|blocks| blocks != Blocks::Sleep || !on_loop);
            }
            match callee {
                Type::Function(target) | Type::Method(target, _) => {
                    let summaries = &self.ctx.program.summaries;
                    summaries.blocks.contains_key(target) || summaries.starts_loop.contains_key(target)
                }
                Type::External(path) => path.first_segment() != "builtins",
                Type::Class(_) => false,
                _ => true,
            }
        })
    }

    fn read(&mut self, read: ExprId) {
        let Some(symbol) = local_of(self.ctx, self.function, read) else { return };
        let is_value = !matches!(self.ctx.module.role(read), Role::Deleted | Role::Target);
        let looks_inside = self.looks_inside(read);
        self.take(read, |filled| match filled {
            Filled::Local(local) => local == symbol && is_value,
            Filled::Container(local) => local == symbol && looks_inside,
            Filled::Field(_) => false,
        });
    }

    fn read_field(&mut self, place: ExprId) {
        let mut current = place;
        loop {
            if let Some(name) = own_field(self.ctx, current) {
                let is_test = matches!(
                    self.ctx.module.role(current),
                    Role::Condition | Role::Tested | Role::Identified | Role::Target | Role::Deleted
                );
                self.take(current, |filled| !is_test && filled == Filled::Field(name));
            }
            match self.ctx.module.expr(current) {
                Expr::Attr(base, _) | Expr::Subscript(base, _) => current = base,
                _ => return,
            }
        }
    }

    /// The read asks what the container has, or hands it out as the answer.
    fn looks_inside(&self, read: ExprId) -> bool {
        let module = self.ctx.module;
        let parent = module.parent(read).map(|parent| module.expr(parent));
        match module.role(read) {
            Role::Container => module.parent(read).is_some_and(|place| module.role(place) != Role::Target),
            Role::Argument => match parent {
                Some(Expr::Call(callee, _)) => matches!(
                    self.ctx.evaluator.eval(self.function, callee),
                    Type::External(path) if path.first_segment() == "builtins"
                ),
                _ => false,
            },
            Role::Receiver => matches!(parent, Some(Expr::Attr(_, name))
                if matches!(name.as_str(), "get" | "items" | "keys" | "values" | "copy" | "pop" | "index" | "count")),
            role => matches!(
                role,
                Role::Iterated
                    | Role::Condition
                    | Role::Tested
                    | Role::Compared
                    | Role::Membership
                    | Role::Formatted
                    | Role::Unpacked
                    | Role::Returned
            ),
        }
    }

    /// Reports a read of something that is still to come, once.
    fn take(&mut self, read: ExprId, wanted: impl Fn(Filled) -> bool) {
        let Some(pending) = &mut self.pending else { return };
        let Some(at) = pending.iter().position(|(filled, _)| wanted(*filled)) else { return };
        let (filled, registration) = pending[at];
        if is_polled(self.ctx, read) {
            return;
        }
        pending.retain(|(other, _)| *other != filled);
        let finding = describe(self.ctx, self.function, read, &self.registrations[registration]);
        self.found.push(finding);
        for frame in &mut self.frames {
            for state in frame.after.iter_mut().chain([&mut frame.before]).flatten() {
                state.retain(|(other, _)| *other != filled);
            }
        }
    }
}

/// Part of a loop's condition: it is read until it is there.
fn is_polled(ctx: &Context<'_>, read: ExprId) -> bool {
    let whole = crate::scopes::statement_of(ctx, read);
    let is_loop = |event: &Event| matches!(event, Event::Loop(Some(condition)) if *condition == whole);
    ctx.module.role(whole) == Role::Condition && ctx.module.functions.iter().any(|body| body.events.iter().any(is_loop))
}

fn describe(ctx: &Context<'_>, function: FunctionId, read: ExprId, registration: &Registration) -> Finding {
    let text = ctx.program.path_text(ctx.file, read);
    let registers = ctx.program.callee_text(ctx.file, registration.call);
    let when = if registration.on_loop {
        "runs only when the event loop has its thread back"
    } else {
        "runs in another thread, for which nothing waits"
    };
    // By its looks alone the callback may be called at once, which a test would know.
    let is_doubtful = !registration.is_known && is_test_module(ctx.module.name.as_str());
    let confidence = match registration.on_loop {
        _ if is_doubtful => Confidence::Possible,
        true => Confidence::Certain,
        false => Confidence::Likely,
    };
    let message = format!("`{text}` is read before the callback that fills it: what `{registers}()` was given {when}");
    Finding::new(&RULE, ctx.place(read), ctx.symbol(function), message)
        .help("await the task or future, and use its result; around a callback interface, let the callback set a future and await that")
        .confidence(confidence)
        .shape(registers)
        .related(ctx.place(registration.call), "the callback is handed over here")
}
