//! # share/shared-session
//!
//! One database session, connection or cursor is used by tasks that run at the same time.
//!
//! ## What it is
//! A connection is a conversation: a question, its answer, the next question, within one transaction. A session keeps,
//! in addition, the objects of that conversation. Neither is made for two speakers. `gather` over functions that all
//! use the same session starts the second question while the first is being answered.
//!
//! What happens then depends on the library. asyncpg and SQLAlchemy's `AsyncSession` refuse, when they notice. Others
//! read each other's answers. Those that put statements in a row by a lock of their own (psycopg, aiosqlite) still mix
//! the transactions: the commit of one task commits the half-done work of the other, and its rollback undoes it.
//!
//! What may be shared is what hands out connections: the engine, the pool, the session factory. Clients of HTTP and of
//! most key-value stores are such pools, although some are called "session".
//!
//! ```python bad
//! import asyncio
//!
//! from sqlalchemy import text
//! from sqlalchemy.ext.asyncio import AsyncSession
//!
//!
//! async def count(session: AsyncSession, table: str) -> int:
//!     result = await session.execute(text(f"SELECT count(*) FROM {table}"))
//!     return result.scalar_one()
//!
//!
//! async def counts(session: AsyncSession) -> list[int]:
//!     return await asyncio.gather(count(session, "users"), count(session, "orders"))
//! ```
//!
//! ## What one observes
//! - Errors of the driver that come and go with the load, on statements that are right.
//! - A rollback that takes somebody else's changes with it; changes that are stored although their task failed.
//! - Rows of another query; a connection that is closed by the pool as broken.
//! - It began when a loop of awaits was turned into a `gather`.
//!
//! ## Why tests pass all the same
//! Tests replace the session by a fake, which has no conversation, or use SQLite in memory, which answers before anyone
//! else gets a turn. With one element in the list there is one task.
//!
//! ## The structural fix
//! Give each task a session of its own, from the factory, for as long as its work takes. It is then also a transaction
//! of its own, so decide whether that is right: what must succeed or fail together belongs into one session, one after
//! the other.
//!
//! ```python good
//! import asyncio
//!
//! from sqlalchemy import text
//! from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
//!
//! engine = create_async_engine("postgresql+asyncpg://localhost/shop")
//! Session = async_sessionmaker(engine)
//!
//!
//! async def count(table: str) -> int:
//!     async with Session() as session:
//!         result = await session.execute(text(f"SELECT count(*) FROM {table}"))
//!         return result.scalar_one()
//!
//!
//! async def counts() -> list[int]:
//!     return await asyncio.gather(count("users"), count("orders"))
//! ```
//!
//! Sequential awaits on one session are right too, and often as fast: one connection answers one question at a time.
//!
//! ## Fixes that do not work
//! - `return_exceptions=True`: the errors are now in the list, the session is as broken as before.
//! - A semaphore of several permits around the statements: two are enough.
//! - A lock around each statement: they no longer overlap; the transactions still do.
//! - `session.begin_nested()` in each task: savepoints of one connection are nested, and two tasks do not nest.
//! - `async_scoped_session` with a scope other than the task: the same session again.
//! - Retrying on the driver's error: the other task's transaction is gone as well.
//! - A larger pool: it is not asked.
//!
//! ## Cues for a reviewer
//! - `gather`, `create_task` or `TaskGroup` in a function that has a `session`, `db`, `conn` or `cursor`.
//! - A session made by a dependency of the web framework, and handed to several coroutines.
//! - A background task that is given the request's session; the request ends, and the session with it.
//! - A session or connection at module level, or made once in a long-lived object.
//!
//! ## Where it is silent
//! - Engines, pools, session factories; clients that have a pool inside (`httpx`, `aiohttp`, `redis`, `motor`).
//! - A session, or a connection taken from the pool, for each task.
//! - Statements one after the other; tasks that are awaited before the session is used again; several tasks of which
//!   one uses it.
//! - A lock, or a semaphore of one permit, held around each use.
//! - Sessions that are looked up by task (`async_scoped_session` with `asyncio.current_task`).
//!
//! ## Symptoms
//! - `sqlalchemy.exc.InvalidRequestError: This session is provisioning a new connection; concurrent operations are not
//!   permitted`
//! - `sqlalchemy.exc.IllegalStateChangeError: Method 'close()' can't be called here; method '…' is already in progress`
//! - `asyncpg.exceptions._base.InterfaceError: cannot perform operation: another operation is in progress`
//! - `RuntimeError: readexactly() called while another coroutine is already waiting for incoming data`: drivers on top
//!   of asyncio's streams.
//!
//! ## The mutation that introduces it
//! Replace the session made in the function by one that is passed in; or a loop of awaits over one session by a
//! `gather`.
//!
//! ## Difficulty
//! Easy where spawn and session are in one function; medium when the session is an attribute of a repository.
//!
//! ## Related rules
//! `share/lost-update`, `share/data-race`, `loop/cross-loop-primitive`, `bound/permit-leak`.

use super::{is_held_by_callers, is_shared};
use crate::context::Context;
use crate::finding::{Finding, Place as At, Step, Witness};
use crate::looping::is_test_module;
use crate::race::cells::{Cell, Cells, Root};
use crate::race::overlap::Evidence;
use crate::race::tasks::{Task, tasks};
use crate::rule::{Question, Rule};
use racewalk_ir::{BindingKind, Defs, Event, Expr, ExprId, FunctionId, Name, Role};
use racewalk_link::{Answer, Evaluator, FileId, FunctionRef, How, Program, Site, Type, Variable};
use racewalk_models::ClassKind;
use racewalk_report::{Confidence, Severity};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use std::cell::RefCell;
use std::ops::Range;
use std::rc::Rc;

/// The rule.
pub(crate) static RULE: Rule = Rule {
    name: "share/shared-session",
    question: Question::Share,
    severity: Severity::Error,
    languages: &["python"],
    on_by_default: true,
    summary: "one database session, connection or cursor is used by tasks that run at the same time",
    source: include_str!("shared_session.rs"),
    check,
};

fn check(ctx: &Context<'_>, found: &mut Vec<Finding>) {
    let uses = Uses { ctx, known: RefCell::default(), evaluators: RefCell::default() };
    for function in ctx.functions() {
        check_tasks(&uses, function, found);
    }
    check_handlers(&uses, found);
}

/// Where a session is kept, as one function names it: a variable and the members that lead on from there.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Path {
    root: Variable,
    members: SmallVec<[Name; 2]>,
}

/// A call that has a session do something.
#[derive(Clone, Debug)]
struct Use {
    path: Path,
    /// The session's class.
    class: Name,
    /// Where the session is asked.
    at: (FunctionRef, ExprId),
    /// The task suspends until the answer is there.
    suspends: bool,
    /// It begins or ends a transaction.
    is_transaction: bool,
}

/// What functions do with the sessions that they are given.
struct Uses<'c, 'p> {
    ctx: &'c Context<'p>,
    known: RefCell<FxHashMap<FunctionRef, Rc<Vec<Use>>>>,
    evaluators: RefCell<FxHashMap<FileId, Rc<Evaluator<'p>>>>,
}

/// How many calls deep uses are followed.
const DEEPEST: u32 = 5;

impl<'p> Uses<'_, 'p> {
    fn program(&self) -> &'p Program {
        self.ctx.program
    }

    fn evaluator(&self, file: FileId) -> Rc<Evaluator<'p>> {
        let mut evaluators = self.evaluators.borrow_mut();
        evaluators.entry(file).or_insert_with(|| Rc::new(self.program().evaluator(file))).clone()
    }

    /// The uses in a function and what it calls that no lock keeps apart.
    fn of(&self, function: FunctionRef, depth: u32) -> Rc<Vec<Use>> {
        if let Some(known) = self.known.borrow().get(&function) {
            return known.clone();
        }
        let Some(depth) = depth.checked_sub(1) else { return Rc::default() };
        self.known.borrow_mut().insert(function, Rc::default());
        let sites = self.program().sites(function).iter();
        let uses: Vec<Use> = sites.flat_map(|site| self.open_at(function, site, depth)).collect();
        let uses = Rc::new(uses);
        self.known.borrow_mut().insert(function, uses.clone());
        uses
    }

    /// The uses by a call, unless a lock is held there.
    fn open_at(&self, function: FunctionRef, site: &Site, depth: u32) -> Vec<Use> {
        let uses = self.at(function, site, depth);
        let is_locked = !uses.is_empty() && self.ctx.shared.race.locks.is_held_at(self.program(), function, site.call);
        if is_locked { Vec::new() } else { uses }
    }

    /// The uses by a call: its own, and those of what it calls.
    fn at(&self, function: FunctionRef, site: &Site, depth: u32) -> Vec<Use> {
        let edges = self.program().edges_at(function, site.call).iter();
        let called = edges.filter(|edge| edge.how == How::Calls && !edge.is_override);
        let within = called.flat_map(|edge| self.of_callee(function, site.call, edge.target, 0, depth));
        self.own(function, site).into_iter().chain(within).collect()
    }

    /// The call is a session's own method.
    fn own(&self, function: FunctionRef, site: &Site) -> Option<Use> {
        let program = self.program();
        let class_of = |member: &Type| match *member {
            Type::ExternalMethod(class, ..) if program.models().kind(class) == Some(ClassKind::Session) => Some(class),
            _ => None,
        };
        let class = site.callee.members().iter().find_map(class_of)?;
        let module = program.module(function.file);
        let Expr::Call(callee, _) = module.expr(site.call) else { return None };
        let Expr::Attr(receiver, method) = module.expr(callee) else { return None };
        let model = program.model_at(site)?;
        let evaluator = self.evaluator(function.file);
        let suspends = model.is_async || evaluator.awaitable(evaluator.given_by(function.id, site)) == Answer::Yes;
        if !suspends && model.blocks.is_none() && !model.network {
            return None;
        }
        let path = self.path(function, receiver)?;
        let is_transaction = matches!(method.as_str(), "commit" | "rollback" | "begin");
        Some(Use { path, class, at: (function, site.call), suspends, is_transaction })
    }

    /// What a callee uses, as the caller names it. `first` arguments are not the callee's.
    fn of_callee(
        &self,
        function: FunctionRef,
        call: ExprId,
        callee: FunctionRef,
        first: usize,
        depth: u32,
    ) -> Vec<Use> {
        let uses = self.of(callee, depth);
        uses.iter().filter_map(|used| self.seen_from(function, call, callee, first, used)).collect()
    }

    fn seen_from(
        &self,
        function: FunctionRef,
        call: ExprId,
        callee: FunctionRef,
        first: usize,
        used: &Use,
    ) -> Option<Use> {
        if used.path.root.owner != callee {
            return Some(used.clone());
        }
        let body = self.program().function(callee);
        let name = body.symbols[used.path.root.symbol.index()].name;
        let position = body.params.iter().position(|param| param.name == name)?;
        let given = self.argument(function, call, first, position, name)?;
        let mut path = self.path(function, given)?;
        path.members.extend_from_slice(&used.path.members);
        Some(Use { path, ..used.clone() })
    }

    /// What a call gives for a parameter of its callee: of a method's first one the receiver.
    fn argument(
        &self,
        function: FunctionRef,
        call: ExprId,
        first: usize,
        position: usize,
        name: Name,
    ) -> Option<ExprId> {
        let module = self.program().module(function.file);
        let evaluator = self.evaluator(function.file);
        let Expr::Call(callee, args) = module.expr(call) else { return None };
        let called = if first == 0 { callee } else { module.args(args).get(first - 1)?.value };
        let is_bound =
            evaluator.eval(function.id, called).members().iter().any(|member| matches!(member, Type::Method(..)));
        match (module.expr(called), position) {
            (Expr::Attr(receiver, _), 0) if is_bound => Some(receiver),
            _ => evaluator.given(call, first + position - usize::from(is_bound), name),
        }
    }

    /// Where a value is kept, through aliases.
    fn path(&self, function: FunctionRef, value: ExprId) -> Option<Path> {
        let module = self.program().module(function.file);
        match module.expr(value) {
            Expr::Name(name, Defs::Outer) => {
                let root = self.program().variable(&self.evaluator(function.file), function.id, name)?;
                Some(Path { root, members: SmallVec::new() })
            }
            Expr::Name(name, defs) => {
                if let Defs::One(binding) = defs
                    && let BindingKind::Value(source) = module.bindings[binding.index()].kind
                    && matches!(module.expr(source), Expr::Name(..) | Expr::Attr(..))
                {
                    return self.path(function, source);
                }
                let symbol = module.function(function.id).symbol(name)?;
                Some(Path { root: Variable { owner: function, symbol }, members: SmallVec::new() })
            }
            Expr::Attr(base, member) => self.member(function, base, member),
            _ => None,
        }
    }

    fn member(&self, function: FunctionRef, base: ExprId, member: Name) -> Option<Path> {
        if let Type::Module(file) = self.evaluator(function.file).eval(function.id, base) {
            let root = self.program().module_variable(file, member)?;
            return Some(Path { root, members: SmallVec::new() });
        }
        let mut path = self.path(function, base)?;
        path.members.push(member);
        Some(path)
    }

    /// What a task uses: in its coroutine when it awaits, in its thread in any case.
    fn of_task(&self, function: FunctionRef, task: &Task) -> Vec<Use> {
        let edges = self.program().edges_at(function, task.call).iter().filter(|edge| !edge.is_override);
        let mut uses = match task.handed {
            Some(position) => {
                let handed = edges.filter(|edge| matches!(edge.how, How::Offloads | How::Later));
                handed
                    .flat_map(|edge| self.of_callee(function, task.call, edge.target, position + 1, DEEPEST))
                    .collect()
            }
            None => {
                self.program().site(function, task.call).map_or_else(Vec::new, |site| self.at(function, site, DEEPEST))
            }
        };
        uses.retain(|used| task.in_thread || used.suspends);
        uses
    }
}

/// Tasks that a function starts and that use one session.
fn check_tasks(uses: &Uses<'_, '_>, function: FunctionId, found: &mut Vec<Finding>) {
    let this = uses.ctx.function_ref(function);
    let started = tasks(uses.program(), this);
    let using: Vec<(&Task, Vec<Use>)> =
        started.iter().map(|task| (task, uses.of_task(this, task))).filter(|(_, used)| !used.is_empty()).collect();
    let mut reported: Vec<ExprId> = Vec::new();
    for (at, (task, used)) in using.iter().enumerate() {
        if reported.contains(&task.start) {
            continue;
        }
        let other = used.iter().find_map(|used| {
            let other = with_itself(uses, this, task, used)
                .or_else(|| with_others(uses, this, task, used, &using[at + 1..]))
                .or_else(|| with_starter(uses, this, &started, task, used))?;
            Some((used, other))
        });
        if let Some((used, other)) = other {
            reported.push(task.start);
            let finding = finding(uses.ctx, function, task, used, &other);
            uses.ctx.report(function, finding, found);
        }
    }
}

/// Rounds of a loop start several, and the session was there before the loop.
fn with_itself(uses: &Uses<'_, '_>, function: FunctionRef, task: &Task, used: &Use) -> Option<Use> {
    task.rounds.iter().any(|round| !is_bound_in(uses, function, round, &used.path)).then(|| used.clone())
}

/// The variable, or a member of it on the way to the session, gets a new value in these events.
fn is_bound_in(uses: &Uses<'_, '_>, function: FunctionRef, range: &Range<usize>, path: &Path) -> bool {
    let module = uses.program().module(function.file);
    let events = &uses.program().function(function).events;
    events[range.clone()].iter().any(|event| match *event {
        Event::Bind(binding) => {
            let bound = module.bindings[binding.index()];
            let owner = FunctionRef { file: function.file, id: bound.owner };
            path.root == Variable { owner, symbol: bound.symbol }
        }
        Event::WritePlace(target, _) => uses
            .path(function, target)
            .is_some_and(|written| written.root == path.root && path.members.starts_with(&written.members)),
        _ => false,
    })
}

/// Another task that runs meanwhile uses the same session.
fn with_others(
    uses: &Uses<'_, '_>,
    function: FunctionRef,
    task: &Task,
    used: &Use,
    others: &[(&Task, Vec<Use>)],
) -> Option<Use> {
    let events = &uses.program().function(function).events;
    others.iter().filter(|(other, _)| task.overlaps(other, events)).find_map(|(other, their)| {
        let between = task.runs.start.min(other.runs.start)..task.runs.start.max(other.runs.start);
        let same = their.iter().find(|other| other.path == used.path)?;
        (!is_bound_in(uses, function, &between, &used.path)).then(|| same.clone())
    })
}

/// The function itself uses the session while the task runs.
fn with_starter(uses: &Uses<'_, '_>, function: FunctionRef, tasks: &[Task], task: &Task, used: &Use) -> Option<Use> {
    let module = uses.program().module(function.file);
    let events = &uses.program().function(function).events;
    task.runs.clone().skip(1).find_map(|at| {
        let Event::Call(call) = events[at] else { return None };
        let is_own = matches!(module.role(call), Role::Awaited | Role::EnteredAsync)
            && tasks.iter().all(|task| task.call != call && task.start != call);
        if !is_own || !task.runs_at(at, events) {
            return None;
        }
        let site = uses.program().site(function, call)?;
        let own = uses.open_at(function, site, DEEPEST).into_iter().find(|own| own.path == used.path)?;
        (!is_bound_in(uses, function, &(task.runs.start..at), &used.path)).then_some(own)
    })
}

fn finding(ctx: &Context<'_>, function: FunctionId, task: &Task, used: &Use, other: &Use) -> Finding {
    let class = used.class.last_segment();
    let object = text_at(ctx, used);
    let message = format!(
        "the tasks that are started here use one `{class}` at the same time (`{object}`): it holds one conversation, with one transaction, and is not made for two"
    );
    let mut finding = Finding::new(&RULE, ctx.place(task.start), ctx.symbol(function), message)
        .confidence(confidence(ctx, &[used, other]))
        .shape(format!("{}:{}", ctx.symbol(function), used.class))
        .help(help(class))
        .note(
            "why-safe",
            "each task then has a connection and a transaction of its own, and meets the others in the database only",
        )
        .note("rejected", "a lock around each statement: the statements no longer overlap, the transactions still do");
    finding = finding.related(place(ctx, used), format!("`{object}` is used here"));
    if other.at != used.at {
        finding = finding.related(place(ctx, other), format!("and here, as `{}`", text_at(ctx, other)));
    }
    finding.witness = Some(witness(ctx, function, task, used, other, &object));
    finding
}

fn help(class: &str) -> String {
    format!(
        "make or acquire one `{class}` in each task, from the factory or the pool; or await the calls one after another: a session answers one question at a time anyway"
    )
}

/// A class whose calls wait for each other mixes up transactions only.
fn confidence(ctx: &Context<'_>, uses: &[&Use]) -> Confidence {
    let takes_turns =
        |used: &&Use| ctx.program.models().inherited(used.class, |class| class.takes_turns.then_some(())).is_some();
    let is_transaction = uses.iter().any(|used| used.is_transaction);
    if uses.iter().all(takes_turns) && !is_transaction { Confidence::Possible } else { Confidence::Likely }
}

fn place(ctx: &Context<'_>, used: &Use) -> At {
    let (function, call) = used.at;
    At { file: function.file, span: ctx.program.module(function.file).span(call) }
}

/// The session, as the code that uses it names it.
fn text_at(ctx: &Context<'_>, used: &Use) -> String {
    let (function, call) = used.at;
    let module = ctx.program.module(function.file);
    let Expr::Call(callee, _) = module.expr(call) else { return String::new() };
    let Expr::Attr(receiver, _) = module.expr(callee) else { return String::new() };
    ctx.program.path_text(function.file, receiver)
}

fn witness(ctx: &Context<'_>, function: FunctionId, task: &Task, used: &Use, other: &Use, object: &str) -> Witness {
    let step = |task: usize, used: &Use, value: &str| Step {
        task,
        at: place(ctx, used),
        symbol: ctx.program.qualified(used.at.0),
        does: format!("asks `{}`", text_at(ctx, used)),
        value: Some(value.to_owned()),
    };
    let start = Step {
        task: 0,
        at: ctx.place(task.start),
        symbol: ctx.symbol(function),
        does: "is started".to_owned(),
        value: None,
    };
    let steps = vec![
        start,
        step(0, used, "waits for the answer"),
        step(1, other, "asks while A waits: refused, or in A's transaction"),
    ];
    Witness { tasks: vec!["A", "B"], object: object.to_owned(), steps }
}

/// Sessions that are kept for all requests, and used by handlers or what they call; one finding for each session.
fn check_handlers(uses: &Uses<'_, '_>, found: &mut Vec<Finding>) {
    let ctx = uses.ctx;
    let mut reported: Vec<Root> = Vec::new();
    for function in ctx.functions() {
        let this = ctx.function_ref(function);
        let Some(overlap) = ctx.shared.race.overlaps.of(this) else { continue };
        let Evidence::Served(handler) = overlap.evidence else { continue };
        if is_test_module(ctx.module.name.as_str()) || is_held_by_callers(ctx, this, 3) {
            continue;
        }
        for site in ctx.program.sites(this) {
            let Some(used) = uses.own(this, site).filter(|used| used.suspends) else { continue };
            let Some(cell) = session_cell(ctx, this, site).filter(|cell| is_shared(ctx, this, *cell, overlap)) else {
                continue;
            };
            if reported.contains(&cell.root) || ctx.shared.race.locks.is_held_at(ctx.program, this, site.call) {
                continue;
            }
            reported.push(cell.root);
            ctx.report(function, finding_for_all(ctx, function, handler, &used), found);
        }
    }
}

fn session_cell(ctx: &Context<'_>, function: FunctionRef, site: &Site) -> Option<Cell> {
    let Expr::Call(callee, _) = ctx.module.expr(site.call) else { return None };
    let Expr::Attr(receiver, _) = ctx.module.expr(callee) else { return None };
    Cells { program: ctx.program, evaluator: &ctx.evaluator, function }.of(receiver)
}

fn finding_for_all(ctx: &Context<'_>, function: FunctionId, handler: FunctionRef, used: &Use) -> Finding {
    let class = used.class.last_segment();
    let object = text_at(ctx, used);
    let label = ctx.program.entries.get(&handler).map(|entry| entry.label.clone());
    let label = label.unwrap_or_else(|| ctx.program.qualified(handler));
    let message = format!(
        "`{object}` is one `{class}` for all calls (by `{label}`): requests that overlap use one connection and one transaction"
    );
    let mut finding = Finding::new(&RULE, place(ctx, used), ctx.symbol(function), message)
        .confidence(confidence(ctx, &[used]))
        .shape(format!("{}:{}", ctx.symbol(function), used.class))
        .help(help(class).replace("task", "request"))
        .note("why-safe", "each request then has a connection and a transaction of its own, and meets the others in the database only")
        .note("rejected", "a lock around each statement: the statements no longer overlap, the transactions still do");
    let step = |task: usize, value: &str| Step {
        task,
        at: place(ctx, used),
        symbol: ctx.symbol(function),
        does: format!("asks `{object}`"),
        value: Some(value.to_owned()),
    };
    let steps = vec![
        step(0, "waits for the answer"),
        step(1, "asks while A waits: refused, or in A's transaction"),
        step(0, "goes on in a transaction that B shares"),
    ];
    finding.witness = Some(Witness { tasks: vec!["A", "B"], object: object.clone(), steps });
    finding
}
