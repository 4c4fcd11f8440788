//! # share/misplaced-context
//!
//! What belongs to one request is kept where all requests see it, or a context variable is used where its value does
//! not follow.
//!
//! ## What it is
//! The current user, the tenant, the trace id belong to one chain of calls. In a program with a thread for each
//! request a thread-local variable was the place for them. Tasks of one event loop all run in one thread: for them a
//! thread-local is a module variable. The same goes for an attribute of a service, a client or an application that all
//! requests share. A task writes its user there, awaits, another task writes another user, and the first goes on with
//! it.
//!
//! `contextvars` are the place: each task runs in a copy of the context of the one that started it. They fail in three
//! ways. The value does not follow into `run_in_executor`, nor, as a rule, into a `Thread`; a token can only be reset
//! in the context that made it; and a mutable value in a context variable is shared by all contexts that were copied
//! from one another.
//!
//! ```python bad
//! import asyncio
//!
//! from fastapi import FastAPI
//!
//! app = FastAPI()
//! current_user = ""
//!
//!
//! async def load(name: str) -> str:
//!     await asyncio.sleep(0.1)
//!     return f"{name} of {current_user}"
//!
//!
//! @app.get("/{user}/{name}")
//! async def read(user: str, name: str) -> str:
//!     global current_user
//!     current_user = user
//!     return await load(name)
//! ```
//!
//! ## What one observes
//! - A user sees another's data, or acts in another's name. It is the gravest of the races, and leaves no trace.
//! - Log lines with the request id of another request, or none.
//! - A tenant's rows in another tenant's table.
//! - Behind an executor: the default, `None`, or a `LookupError`.
//!
//! ## Why tests pass all the same
//! A test makes one request at a time, and for one request every place is private. Two requests in a test usually come
//! from the same user. Where a test runs in one thread throughout, a thread-local even looks like the right thing.
//!
//! ## The structural fix
//! Pass it as an argument, or make the object that needs it for each request. Where it must reach far down, use a
//! context variable, set at the border of the request.
//!
//! ```python good
//! import asyncio
//! import contextvars
//!
//! from fastapi import FastAPI
//!
//! app = FastAPI()
//! current_user: contextvars.ContextVar[str] = contextvars.ContextVar("current_user")
//!
//!
//! async def load(name: str) -> str:
//!     await asyncio.sleep(0.1)
//!     return f"{name} of {current_user.get()}"
//!
//!
//! @app.get("/{user}/{name}")
//! async def read(user: str, name: str) -> str:
//!     token = current_user.set(user)
//!     try:
//!         return await load(name)
//!     finally:
//!         current_user.reset(token)
//! ```
//!
//! Into a thread: `asyncio.to_thread`, which copies the context, or `copy_context().run` as what the executor calls.
//!
//! ```python good
//! import asyncio
//! import contextvars
//!
//! current_user: contextvars.ContextVar[str] = contextvars.ContextVar("current_user")
//!
//!
//! def write() -> None:
//!     print(current_user.get())
//!
//!
//! async def save(user: str) -> None:
//!     current_user.set(user)
//!     await asyncio.to_thread(write)
//!     context = contextvars.copy_context()
//!     await asyncio.get_running_loop().run_in_executor(None, context.run, write)
//! ```
//!
//! ## Fixes that do not work
//! - `threading.local` in place of the module variable: one thread, one value.
//! - Setting it back in a `finally`: to what, when three requests have set it in turn? And it is wrong in between.
//! - Setting it again after each await: the helper that reads it has awaits of its own.
//! - A dict by `id(asyncio.current_task())`: child tasks do not find it, ids are used again, and nobody clears it.
//! - A context variable with a dict in it that is changed in place: contexts are copied, their values are not.
//! - A lock around the request: correct, and one request at a time.
//! - `reset(token)` in a done-callback or in another task: the token belongs to another context.
//!
//! ## Cues for a reviewer
//! - `global` in a handler; `threading.local()` in a program with `async def`.
//! - `self.user = user`, `self.request = request`, `app.state.… = …`, `client.headers[…] = …` in a handler, on an
//!   object that is made once.
//! - `set_current_…()` and `get_current_…()` on a module variable.
//! - `run_in_executor` or `Thread(target=…)` with a function that logs or reads the current user.
//! - `ContextVar(…, default={})`.
//!
//! ## Where it is silent
//! - Context variables that are set, read and reset in one task and its children; callbacks of the loop, which run in
//!   the context that was current when they were registered.
//! - `asyncio.to_thread`, `copy_context().run`, and frameworks' own helpers for threads that do the same.
//! - State of the request (`request.state`), objects made for each request, arguments.
//! - Thread-locals of code that runs in worker threads, plain `def` endpoints included.
//! - Values that are read again before anything suspends; values that the writer does not come back to, such as the
//!   time of the last request.
//! - Settings written at start-up; one owner; a lock held from the write to the last read.
//!
//! ## Symptoms
//! - `LookupError: <ContextVar name='…' at 0x…>`: no value in this context, and no default.
//! - `ValueError: <Token var=<ContextVar name='…' at 0x…> at 0x…> was created in a different Context`
//! - `AttributeError: '_thread._local' object has no attribute '…'`: the thread-local of another thread.
//! - for shared places none: the value is there, and it is somebody else's.
//!
//! ## The mutation that introduces it
//! Replace a context variable by a module variable or a thread-local, a parameter by an attribute of the shared
//! service, or `to_thread` by `run_in_executor`.
//!
//! ## Difficulty
//! Medium when write and read are in one handler; hard when a helper two modules away reads what the middleware wrote.
//!
//! ## Related rules
//! `share/stale-write`, `share/lost-update`, `share/shared-default`, `loop/cross-thread-call`.

use super::origin::{Origin, is_known_to_all};
use super::{begins_or_ends, is_constructor, is_direct, is_for_all, is_held_by_callers, other_text};
use crate::context::Context;
use crate::finding::{Finding, Place, Step, Witness};
use crate::looping::is_test_module;
use crate::race::cells::{Cell, Cells, Owner, Root};
use crate::race::overlap::{Evidence, Overlap, is_mutable};
use crate::race::tasks::{follows, tasks};
use crate::rule::{Question, Rule};
use racewalk_ir::{BindingKind, Defs, Event, Expr, ExprId, FunctionId, Literal, Name};
use racewalk_link::{Evaluator, FunctionRef, How, Site, Type, Variable};
use racewalk_models::ClassKind;
use racewalk_report::{Confidence, Severity};

/// The rule.
pub(crate) static RULE: Rule = Rule {
    name: "share/misplaced-context",
    question: Question::Share,
    severity: Severity::Error,
    languages: &["python"],
    on_by_default: true,
    summary: "a request's data is kept where all requests see it, or a context variable's value does not follow",
    source: include_str!("misplaced_context.rs"),
    check,
};

/// How many calls deep reads are followed.
const DEEPEST: u32 = 4;

fn check(ctx: &Context<'_>, found: &mut Vec<Finding>) {
    for function in ctx.functions() {
        if is_test_module(ctx.module.name.as_str()) {
            continue;
        }
        check_places(ctx, function, found);
        check_threads(ctx, function, found);
        check_tokens(ctx, function, found);
    }
}

// ---- what belongs to a request, where all see it ------------------------------------------------------------------

/// A write of a request's data.
struct Write {
    cell: Cell,
    /// The members and keys behind the first name, to tell apart the parts of an object of which nothing is known.
    tail: String,
    /// The event and the expression that write.
    at: (usize, ExprId),
}

fn check_places(ctx: &Context<'_>, function: FunctionId, found: &mut Vec<Finding>) {
    let this = ctx.function_ref(function);
    let body = ctx.module.function(function);
    if !body.is_async || is_constructor(ctx, this) || begins_or_ends(ctx, function) {
        return;
    }
    let Some(overlap) = ctx.shared.race.overlaps.of(this) else { return };
    let is_strong = matches!(overlap.evidence, Evidence::Served(_) | Evidence::Spawned(..));
    if !is_strong || ctx.shared.alone.contains(&this) || is_held_by_callers(ctx, this, 3) {
        return;
    }
    for (at, event) in body.events.iter().enumerate() {
        if let Some((target, variable)) = changed_default(ctx, function, event) {
            ctx.report(function, finding_of_default(ctx, function, target, variable), found);
        }
        let Some(write) = write_at(ctx, function, at, event) else { continue };
        if !is_for_all(ctx, this, write.cell, overlap) {
            continue;
        }
        let search = Search { ctx };
        let Some(read) = search.read_after(this, write.cell, &write.tail, at + 1, false, DEEPEST) else { continue };
        if !is_state(ctx, &write, this, read.0) {
            ctx.report(function, finding_of_place(ctx, function, &write, read, overlap), found);
        }
    }
}

fn write_at(ctx: &Context<'_>, function: FunctionId, at: usize, event: &Event) -> Option<Write> {
    let this = ctx.function_ref(function);
    let cells = Cells { program: ctx.program, evaluator: &ctx.evaluator, function: this };
    let origin = Origin { ctx, function };
    let is_data = |value: ExprId| origin.is_of_param(value) && origin.awaited(value).is_none();
    match *event {
        Event::WritePlace(target, Some(value)) if is_data(value) && is_known_to_all(ctx.program, this, target) => {
            let is_keyed = matches!(ctx.module.expr(target), Expr::Subscript(_, key)
                if !matches!(ctx.module.expr(key), Expr::Literal(Literal::Str(_) | Literal::Int(_))));
            let cell = cells.of(target).filter(|_| !is_keyed)?;
            Some(Write { cell, tail: tail(ctx, this, target), at: (at, target) })
        }
        Event::Bind(binding) => {
            let bound = ctx.module.bindings[binding.index()];
            let BindingKind::Value(value) = bound.kind else { return None };
            let name = ctx.module.function(bound.owner).symbols[bound.symbol.index()].name;
            let cell = cells.variable_cell(name).filter(|_| bound.owner == FunctionId(0) && is_data(value))?;
            Some(Write { cell, tail: String::new(), at: (at, value) })
        }
        Event::Call(call) => by_helper(ctx, function, at, call, &is_data),
        _ => None,
    }
}

/// A helper without a receiver stores what it is given in its module's variable.
fn by_helper(
    ctx: &Context<'_>,
    function: FunctionId,
    at: usize,
    call: ExprId,
    is_data: &dyn Fn(ExprId) -> bool,
) -> Option<Write> {
    let site = ctx.program.site(ctx.function_ref(function), call)?;
    let Type::Function(helper) = site.callee else { return None };
    let module = ctx.program.module(helper.file);
    let body = module.function(helper.id);
    if body.is_async || body.class.is_some() {
        return None;
    }
    body.events.iter().find_map(|event| {
        let Event::Bind(binding) = *event else { return None };
        let bound = module.bindings[binding.index()];
        let BindingKind::Value(value) = bound.kind else { return None };
        let Expr::Name(name, Defs::One(param)) = module.expr(value) else { return None };
        let BindingKind::Param(position) = module.bindings[param.index()].kind else { return None };
        let given = ctx.evaluator.given(call, position as usize, name).filter(|given| is_data(*given))?;
        let is_module = bound.owner == FunctionId(0) && helper.id != FunctionId(0);
        let owner = FunctionRef { file: helper.file, id: bound.owner };
        let root = Root::Variable(Variable { owner, symbol: bound.symbol });
        let cell = Cell { root, owner: Owner::Static, part: None, key: None };
        is_module.then_some(given).map(|_| Write { cell, tail: String::new(), at: (at, call) })
    })
}

/// What follows the first name of a path.
fn tail(ctx: &Context<'_>, function: FunctionRef, place: ExprId) -> String {
    let text = ctx.program.path_text(function.file, place);
    text.split_once('.').map_or_else(String::new, |(_, tail)| tail.to_owned())
}

/// Looks for reads of a place after a suspension.
struct Search<'a, 'p> {
    ctx: &'a Context<'p>,
}

impl<'p> Search<'_, 'p> {
    /// The first read after a suspension, from an event of a function on. Nobody has a lock there.
    fn read_after(
        &self,
        function: FunctionRef,
        cell: Cell,
        tail: &str,
        from: usize,
        mut suspended: bool,
        depth: u32,
    ) -> Option<(FunctionRef, ExprId)> {
        let depth = depth.checked_sub(1)?;
        let program = self.ctx.program;
        let evaluator = program.evaluator(function.file);
        let cells = Cells { program, evaluator: &evaluator, function };
        let events = &program.function(function).events;
        let is_it = |place: ExprId| {
            cells.of(place).is_some_and(|read| read.meets(cell))
                && (cell.part.is_none() || self::tail(self.ctx, function, place) == tail)
        };
        for (at, event) in events.iter().enumerate().skip(from) {
            if from > 0 && !follows(events, from - 1, at) {
                continue;
            }
            match *event {
                Event::Read(place) | Event::ReadPlace(place) if suspended && is_it(place) => {
                    return Some((function, place));
                }
                Event::WritePlace(place, _) if suspended && is_it(place) => return None,
                Event::Call(call) => {
                    let receiver = receiver(program.module(function.file), call);
                    if let Some(receiver) = receiver.filter(|receiver| suspended && is_it(*receiver)) {
                        return Some((function, receiver));
                    }
                    if let Some(found) = self.in_callees(&cells, call, cell, tail, suspended, false, depth) {
                        return Some(found);
                    }
                }
                Event::Suspend(kind, operand) => {
                    if self.ctx.shared.race.locks.is_held_at(program, function, operand) {
                        return None;
                    }
                    if let Some(found) = self.in_callees(&cells, operand, cell, tail, suspended, true, depth) {
                        return Some(found);
                    }
                    suspended |= self.ctx.shared.race.suspends.at(program, function, kind, operand);
                }
                _ => {}
            }
        }
        None
    }

    #[expect(clippy::too_many_arguments)]
    fn in_callees(
        &self,
        cells: &Cells<'_, 'p>,
        site: ExprId,
        cell: Cell,
        tail: &str,
        suspended: bool,
        is_async: bool,
        depth: u32,
    ) -> Option<(FunctionRef, ExprId)> {
        let program = self.ctx.program;
        let edges = program.edges_at(cells.function, site).iter();
        let mut called = edges.filter(|edge| {
            let runs = edge.how == How::Calls && !edge.is_override;
            runs && program.function(edge.target).is_async == is_async
        });
        called.find_map(|edge| {
            let cell = self.seen_in(cells, site, edge.target, cell)?;
            self.read_after(edge.target, cell, tail, 0, suspended, depth)
        })
    }

    /// The place as a callee names it.
    fn seen_in(&self, cells: &Cells<'_, 'p>, site: ExprId, callee: FunctionRef, cell: Cell) -> Option<Cell> {
        if matches!(cell.root, Root::Variable(_)) {
            return Some(cell);
        }
        let is_method = self.ctx.program.function(callee).class.is_some();
        let receiver = receiver(self.ctx.program.module(cells.function.file), site);
        match receiver.map(|receiver| cells.owner_of(receiver)) {
            Some(owner) if is_method && owner == cell.owner => Some(Cell { owner: Owner::Receiver, ..cell }),
            _ => (cell.owner == Owner::Static).then_some(cell),
        }
    }
}

/// On what a method is called.
fn receiver(module: &racewalk_ir::Module, call: ExprId) -> Option<ExprId> {
    let Expr::Call(callee, _) = module.expr(call) else { return None };
    match module.expr(callee) {
        Expr::Attr(receiver, _) => Some(receiver),
        _ => None,
    }
}

/// Others read the place and write nothing to it: it is there to be seen by all.
fn is_state(ctx: &Context<'_>, write: &Write, writer: FunctionRef, reader: FunctionRef) -> bool {
    let home = match write.cell.root {
        Root::Field(class, _) => class.file,
        Root::Variable(variable) => variable.owner.file,
        Root::Param(function, _) => function.file,
    };
    let files = [Some(home), Some(ctx.file).filter(|file| *file != home)];
    files.into_iter().flatten().any(|file| {
        let evaluator = ctx.program.evaluator(file);
        let functions = (1..ctx.program.module(file).functions.len() as u32).map(FunctionId);
        let mut others = functions.map(|id| FunctionRef { file, id });
        others.any(|other| {
            other != writer
                && other != reader
                && ctx.shared.race.overlaps.of(other).is_some()
                && !is_reached(ctx, writer, other, DEEPEST)
                && only_reads(ctx, &evaluator, other, write)
        })
    })
}

fn is_reached(ctx: &Context<'_>, from: FunctionRef, to: FunctionRef, depth: u32) -> bool {
    let Some(depth) = depth.checked_sub(1) else { return false };
    let mut edges = ctx.program.edges(from).iter();
    edges.any(|edge| edge.target == to || is_reached(ctx, edge.target, to, depth))
}

fn only_reads(ctx: &Context<'_>, evaluator: &Evaluator<'_>, function: FunctionRef, write: &Write) -> bool {
    let cells = Cells { program: ctx.program, evaluator, function };
    let is_it = |place: ExprId| {
        cells.of(place).is_some_and(|cell| {
            let agrees = cell.key.is_none() || write.cell.key.is_none() || cell.key == write.cell.key;
            cell.root == write.cell.root && agrees
        }) && (write.cell.part.is_none() || tail(ctx, function, place) == write.tail)
    };
    let events = &ctx.program.function(function).events;
    let reads =
        events.iter().any(|event| matches!(*event, Event::Read(place) | Event::ReadPlace(place) if is_it(place)));
    reads && !events.iter().any(|event| matches!(*event, Event::WritePlace(place, _) if is_it(place)))
}

fn finding_of_place(
    ctx: &Context<'_>,
    function: FunctionId,
    write: &Write,
    (reader, read): (FunctionRef, ExprId),
    overlap: Overlap,
) -> Finding {
    let object = ctx.program.path_text(reader.file, read);
    let is_thread_local = is_thread_local(ctx, write.cell);
    let what = if is_thread_local {
        "is a thread-local, and all tasks of the loop run in one thread"
    } else {
        "is one for all requests"
    };
    let other = other_text(ctx, function, Some(overlap.evidence));
    let message = format!(
        "this request's data goes to `{object}`, which {what}: it is read again after a wait, when {other} may have put its own there"
    );
    let is_certain = is_thread_local || is_direct(ctx, ctx.function_ref(function), overlap.evidence);
    let confidence = if is_certain { Confidence::Likely } else { Confidence::Possible };
    let place = Place { file: reader.file, span: ctx.program.module(reader.file).span(read) };
    let mut finding = Finding::new(&RULE, ctx.place(write.at.1), ctx.symbol(function), message)
        .confidence(confidence)
        .help("pass it as an argument, or keep it in an object that is made for the request; where it must reach far down, set a `contextvars.ContextVar` at the border of the request")
        .shape(format!("{}:{object}", ctx.symbol(function)))
        .related(place, "read here, after a wait")
        .note("why-safe", "an argument belongs to the call; a context variable has a value of its own in every task")
        .note("rejected", "setting it back in a `finally`: it is wrong in between, and several requests have set it in turn");
    finding.witness = Some(witness(ctx, function, write.at.1, (reader, read), object));
    finding
}

fn is_thread_local(ctx: &Context<'_>, cell: Cell) -> bool {
    let Root::Variable(variable) = cell.root else { return false };
    let mut values = ctx.program.module_variables(variable.owner.file);
    let held = values.find(|(symbol, _)| *symbol == variable.symbol).map(|(_, value)| value);
    variable.owner.id == FunctionId(0)
        && held.is_some_and(|held| crate::race::overlap::is_of(ctx.program, held, ClassKind::ThreadLocal))
}

fn witness(
    ctx: &Context<'_>,
    function: FunctionId,
    write: ExprId,
    (reader, read): (FunctionRef, ExprId),
    object: String,
) -> Witness {
    let step = |task: usize, function: FunctionRef, at: ExprId, does: &str, value: &str| Step {
        task,
        at: Place { file: function.file, span: ctx.program.module(function.file).span(at) },
        symbol: ctx.program.qualified(function).replace(".<locals>.", "."),
        does: does.to_owned(),
        value: Some(value.to_owned()),
    };
    let this = ctx.function_ref(function);
    let steps = vec![
        step(0, this, write, "writes", "A's, and waits"),
        step(1, this, write, "writes", "B's: A's is gone"),
        step(0, reader, read, "reads", "B's, and goes on with it"),
    ];
    Witness { tasks: vec!["A", "B"], object, steps }
}

// ---- context variables --------------------------------------------------------------------------------------------

/// The call is a method of a context variable: the variable, when it is this method.
fn context_variable(ctx: &Context<'_>, function: FunctionRef, site: &Site, method: &str) -> Option<Variable> {
    let Type::ExternalMethod(class, called, _) = site.callee else { return None };
    if called.as_str() != method || ctx.program.models().kind(class) != Some(ClassKind::ContextVariable) {
        return None;
    }
    let receiver = receiver(ctx.program.module(function.file), site.call)?;
    variable_of(ctx, function, receiver)
}

fn variable_of(ctx: &Context<'_>, function: FunctionRef, place: ExprId) -> Option<Variable> {
    let evaluator = ctx.program.evaluator(function.file);
    match ctx.program.module(function.file).expr(place) {
        Expr::Name(name, Defs::Outer) => ctx.program.variable(&evaluator, function.id, name),
        Expr::Attr(base, name) => match evaluator.eval(function.id, base) {
            Type::Module(file) => ctx.program.module_variable(file, name),
            _ => None,
        },
        _ => None,
    }
}

/// `variable.get()[key] = value`, where the variable's default is an object that can change: one for all contexts.
fn changed_default(ctx: &Context<'_>, function: FunctionId, event: &Event) -> Option<(ExprId, Variable)> {
    let Event::WritePlace(target, _) = *event else { return None };
    let (Expr::Subscript(base, _) | Expr::Attr(base, _)) = ctx.module.expr(target) else { return None };
    let got = match ctx.module.expr(base) {
        Expr::Name(_, Defs::One(binding)) => match ctx.module.bindings[binding.index()].kind {
            BindingKind::Value(value) => value,
            _ => return None,
        },
        _ => base,
    };
    let this = ctx.function_ref(function);
    let variable = context_variable(ctx, this, ctx.program.site(this, got)?, "get")?;
    let module = ctx.program.module(variable.owner.file);
    let symbol = &module.function(variable.owner.id).symbols[variable.symbol.index()];
    let evaluator = ctx.program.evaluator(variable.owner.file);
    let has_mutable_default = symbol.bindings.iter().any(|binding| {
        let (BindingKind::Value(made) | BindingKind::Typed(_, Some(made))) = module.bindings[binding.index()].kind
        else {
            return false;
        };
        let default = evaluator.named_argument(made, "default");
        default.is_some_and(|default| is_mutable(ctx.program, variable.owner.file, default))
    });
    has_mutable_default.then_some((target, variable))
}

fn finding_of_default(ctx: &Context<'_>, function: FunctionId, target: ExprId, variable: Variable) -> Finding {
    let name = name_of(ctx, variable);
    let message = format!(
        "the default of `{name}` is one object for all contexts, and it is changed here: every request that has set no value sees it"
    );
    let mut finding = Finding::new(&RULE, ctx.place(target), ctx.symbol(function), message)
        .confidence(Confidence::Likely)
        .help(format!("set a new object at the border of each request (`{name}.set({{…}})`), and give the variable no default that can change"))
        .shape(format!("{}:{name}", ctx.symbol(function)))
        .note("why-safe", "each request then has an object of its own, which its child tasks share with it and nobody else")
        .note("rejected", "a lock around the change: the object is still everybody's");
    let this = ctx.function_ref(function);
    finding.witness = Some(witness(ctx, function, target, (this, target), name.to_string()));
    finding
}

fn name_of(ctx: &Context<'_>, variable: Variable) -> Name {
    ctx.program.function(variable.owner).symbols[variable.symbol.index()].name
}

/// A thread is started that reads a context variable which the function has set: its value stays behind.
fn check_threads(ctx: &Context<'_>, function: FunctionId, found: &mut Vec<Finding>) {
    let this = ctx.function_ref(function);
    let sites = ctx.program.sites(this);
    let set: Vec<(usize, Variable)> = sites
        .iter()
        .enumerate()
        .filter_map(|(at, site)| Some((at, context_variable(ctx, this, site, "set")?)))
        .collect();
    if set.is_empty() {
        return;
    }
    for edge in ctx.program.edges(this).iter().filter(|edge| edge.how == How::Offloads) {
        let Ok(at) = sites.binary_search_by_key(&edge.site, |site| site.call) else { continue };
        let leaves = ctx.program.models_at(&sites[at]).any(|model| model.leaves_context)
            && ctx.shared.threads.contains(edge.target);
        let before = set.iter().filter(|(set, _)| *set < at);
        let lost = before
            .map(|(_, variable)| *variable)
            .find_map(|variable| Some((variable, get_in(ctx, edge.target, variable, DEEPEST)?)));
        if let Some((variable, read)) = lost.filter(|_| leaves) {
            ctx.report(function, finding_of_thread(ctx, function, edge.site, variable, read), found);
        }
    }
}

/// Where a function, or what it calls, reads a context variable that it has not set.
fn get_in(ctx: &Context<'_>, function: FunctionRef, variable: Variable, depth: u32) -> Option<(FunctionRef, ExprId)> {
    let depth = depth.checked_sub(1)?;
    let sites = ctx.program.sites(function);
    if sites.iter().any(|site| context_variable(ctx, function, site, "set") == Some(variable)) {
        return None;
    }
    let own = sites.iter().find(|site| context_variable(ctx, function, site, "get") == Some(variable));
    let called = ctx.program.edges(function).iter().filter(|edge| edge.how == How::Calls && !edge.is_override);
    let mut below = called.filter_map(|edge| get_in(ctx, edge.target, variable, depth));
    own.map(|site| (function, site.call)).or_else(|| below.next())
}

fn finding_of_thread(
    ctx: &Context<'_>,
    function: FunctionId,
    site: ExprId,
    variable: Variable,
    (reader, read): (FunctionRef, ExprId),
) -> Finding {
    let name = name_of(ctx, variable);
    let message = format!(
        "`{name}` is set in this task and read in the thread that is started here, which does not get the task's context: it finds the default, or none"
    );
    let place = Place { file: reader.file, span: ctx.program.module(reader.file).span(read) };
    Finding::new(&RULE, ctx.place(site), ctx.symbol(function), message)
        .confidence(Confidence::Likely)
        .help("use `asyncio.to_thread`, which takes the context along; or hand over `contextvars.copy_context().run` with the function as its argument")
        .shape(format!("{}:{name}", ctx.symbol(function)))
        .related(place, format!("`{name}` is read here, in the thread"))
        .note("why-safe", "the thread then runs in a copy of the task's context, with all its values")
        .note("rejected", "a thread-local in its place: it has a value for each thread, and none in this one either")
}

/// A token that a task is given is reset there: the task runs in a copy of the context that made it.
fn check_tokens(ctx: &Context<'_>, function: FunctionId, found: &mut Vec<Finding>) {
    let this = ctx.function_ref(function);
    for site in ctx.program.sites(this) {
        let Some(variable) = context_variable(ctx, this, site, "reset") else { continue };
        let Some(token) = ctx.evaluator.args(site.call).first() else { continue };
        let Expr::Name(_, Defs::One(binding)) = ctx.module.expr(token.value) else { continue };
        if !matches!(ctx.module.bindings[binding.index()].kind, BindingKind::Param(_)) {
            continue;
        }
        let callers = ctx.program.summaries.callers.of(this);
        let starts = callers.iter().find(|(caller, call, _)| {
            let started = tasks(ctx.program, *caller);
            started.iter().any(|task| task.call == *call && !task.in_thread)
        });
        if let Some((caller, call, _)) = starts {
            ctx.report(function, finding_of_token(ctx, function, site.call, variable, (*caller, *call)), found);
        }
    }
}

fn finding_of_token(
    ctx: &Context<'_>,
    function: FunctionId,
    reset: ExprId,
    variable: Variable,
    (caller, call): (FunctionRef, ExprId),
) -> Finding {
    let name = name_of(ctx, variable);
    let message = format!(
        "the token of `{name}` was made in another context: this runs as a task, in a copy, and `reset` raises ValueError"
    );
    let place = Place { file: caller.file, span: ctx.program.module(caller.file).span(call) };
    Finding::new(&RULE, ctx.place(reset), ctx.symbol(function), message)
        .confidence(Confidence::Likely)
        .help(format!("reset `{name}` where it was set, in a `finally`; the task has its own copy and needs no reset"))
        .shape(format!("{}:{name}", ctx.symbol(function)))
        .related(place, "the task is started here, with the token")
        .note("why-safe", "set and reset then run in one context, and what the task changes ends with it")
        .note("rejected", "the reset in a done-callback: it runs in a copy of the context, too")
}
