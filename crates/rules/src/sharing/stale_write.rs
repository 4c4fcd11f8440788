//! # share/stale-write
//!
//! Overlapping calls each await an answer and store it in the same place: the slower, older answer overwrites the
//! newer.
//!
//! ## What it is
//! `self.results = await search(text)` has no read that could be outdated; what is outdated is the answer. Two calls
//! are under way, for "ra" and for "race". They were sent in this order, and nothing says that they are answered in
//! it. If the answer to "ra" takes longer, it is written last, and stays: the state belongs to a question that nobody
//! asks any more.
//!
//! The same happens to a configuration that a timer and an endpoint both reload, or to a "current" object that every
//! message replaces. The place must be one for all calls; a result that is kept under its own key is not affected.
//!
//! ```python bad
//! import asyncio
//!
//! from fastapi import FastAPI, WebSocket
//!
//! app = FastAPI()
//!
//!
//! class SearchBox:
//!     def __init__(self) -> None:
//!         self.results: list[str] = []
//!
//!     async def _search(self, text: str) -> list[str]:
//!         await asyncio.sleep(1 / len(text))
//!         return [text]
//!
//!     async def typed(self, text: str) -> None:
//!         self.results = await self._search(text)
//!
//!
//! @app.websocket("/search")
//! async def search(socket: WebSocket) -> None:
//!     await socket.accept()
//!     box = SearchBox()
//!     async with asyncio.TaskGroup() as group:
//!         async for text in socket.iter_text():
//!             group.create_task(box.typed(text))
//! ```
//!
//! ## What one observes
//! - What is shown or used does not belong to what was asked last; asking again sets it right.
//! - An old configuration is back after a reload that was reported as done.
//! - It depends on response times: often right after a slow first request, hardly ever on a fast line.
//!
//! ## Why tests pass all the same
//! Fakes answer in the order in which they are asked, and all equally fast. The state is right after each single call,
//! and right after two calls in a row. Only an answer that overtakes another shows the defect.
//!
//! ## The structural fix
//! Decide who may still write. Number the calls, and let an answer be stored only if no newer call was made:
//!
//! ```python good
//! import asyncio
//!
//! from fastapi import FastAPI, WebSocket
//!
//! app = FastAPI()
//!
//!
//! class SearchBox:
//!     def __init__(self) -> None:
//!         self.results: list[str] = []
//!         self._latest = 0
//!
//!     async def _search(self, text: str) -> list[str]:
//!         await asyncio.sleep(1 / len(text))
//!         return [text]
//!
//!     async def typed(self, text: str) -> None:
//!         self._latest += 1
//!         number = self._latest
//!         results = await self._search(text)
//!         if number == self._latest:
//!             self.results = results
//!
//!
//! @app.websocket("/search")
//! async def search(socket: WebSocket) -> None:
//!     await socket.accept()
//!     box = SearchBox()
//!     async with asyncio.TaskGroup() as group:
//!         async for text in socket.iter_text():
//!             group.create_task(box.typed(text))
//! ```
//!
//! Or cancel the older call when a newer one begins, which also spares its work; or let one task do the calls one after
//! the other; or keep each answer under its own key.
//!
//! ```python good
//! import asyncio
//!
//!
//! class SearchBox:
//!     def __init__(self) -> None:
//!         self.results: list[str] = []
//!         self._task: asyncio.Task[None] | None = None
//!
//!     async def _search(self, text: str) -> list[str]:
//!         await asyncio.sleep(1 / len(text))
//!         return [text]
//!
//!     async def _show(self, text: str) -> None:
//!         self.results = await self._search(text)
//!
//!     def typed(self, text: str) -> None:
//!         if self._task is not None:
//!             self._task.cancel()
//!         self._task = asyncio.create_task(self._show(text))
//! ```
//!
//! ## Fixes that do not work
//! - A lock around the assignment alone: the order in which the answers come stays as it is.
//! - A delay before the request (debouncing): fewer requests; two that are far enough apart can still overtake.
//! - A time limit: it bounds how late the stale answer may be.
//! - Comparing times taken when the answers arrive: the stale one arrives last, and so has the later time. The number
//!   must be taken before the await.
//! - Testing `if text == self.text` before the await: the test must stand between the answer and the write.
//! - `cancel()` on the older task where that task catches `CancelledError` and goes on.
//!
//! ## Cues for a reviewer
//! - `self.x = await f(argument)` in a handler, a callback or a method that is started as a task.
//! - `create_task(self.update(…))` in a loop over events.
//! - Two ways to reload the same thing: a timer and an endpoint, a signal and a command.
//! - Names such as `current`, `selected`, `latest`, `results`, `config`.
//!
//! ## Where it is silent
//! - A number, a version or the question itself is compared between the answer and the write.
//! - The older call is cancelled before the newer one starts.
//! - One caller at a time: a loop that awaits each call, a single consumer, a lock held from the question to the write
//!   (an `asyncio.Lock` is given to waiters in the order in which they asked).
//! - Answers stored under a key of the question, appended, or added up.
//! - Answers that do not differ: what is made once and kept is `share/stampede`'s matter.
//! - Writes at start-up, before others have the object; objects of the call or the request.
//!
//! ## Symptoms
//! None at run time.
//!
//! ## The mutation that introduces it
//! Remove the comparison, or the cancelling of the older task; start the call as a task where it was awaited.
//!
//! ## Difficulty
//! Hard: the line is a plain assignment; that calls overlap is decided elsewhere.
//!
//! ## Related rules
//! `share/lost-update`, `share/check-then-act`, `share/stampede`, `cancel/orphaned-losers`.

use super::origin::{Origin, is_known_to_all};
use super::{begins_or_ends, is_constructor, is_direct, is_for_all, is_held_by_callers, other_text};
use crate::context::Context;
use crate::finding::{Finding, Place, Step, Witness};
use crate::looping::is_test_module;
use crate::race::cells::{Cell, Cells, Owner, Root};
use crate::race::overlap::{Evidence, Overlap};
use crate::race::tasks::follows;
use crate::rule::{Question, Rule};
use racewalk_ir::{BindingKind, Defs, Event, Expr, ExprId, FunctionId, Literal, SuspendKind};
use racewalk_link::{ClassRef, FunctionRef, How, Type};
use racewalk_report::{Confidence, Severity};

/// The rule.
pub(crate) static RULE: Rule = Rule {
    name: "share/stale-write",
    question: Question::Share,
    severity: Severity::Warning,
    languages: &["python", "javascript"],
    on_by_default: true,
    summary: "overlapping calls store what they awaited in one place: a slower, older answer overwrites the newer",
    source: include_str!("stale_write.rs"),
    check,
};

/// An answer that is stored where overlapping calls store theirs.
struct Stale {
    cell: Cell,
    /// The event and the expression that write.
    write: (usize, ExprId),
    /// What is awaited.
    question: ExprId,
    /// The write itself, when a callee does it.
    within: Option<(FunctionRef, ExprId)>,
    /// The question is the same in every call.
    is_constant: bool,
}

fn check(ctx: &Context<'_>, found: &mut Vec<Finding>) {
    for function in ctx.functions() {
        let this = ctx.function_ref(function);
        let Some(overlap) = overlap(ctx, function) else { continue };
        let mut reported: Vec<Cell> = Vec::new();
        for stale in writes(ctx, function) {
            let is_new = !reported.contains(&stale.cell) && !is_conflict(ctx, function, stale.cell.root);
            if is_new
                && stale.cell.part.is_none()
                && is_for_all(ctx, this, stale.cell, overlap)
                && is_unguarded(ctx, function, &stale)
                && !ctx.shared.claims.is_owned_by(ctx, stale.cell.root, this)
            {
                reported.push(stale.cell);
                ctx.report(function, finding(ctx, function, &stale, overlap), found);
            }
        }
    }
}

/// That calls of a coroutine function overlap, on evidence that is good enough for this rule.
fn overlap(ctx: &Context<'_>, function: FunctionId) -> Option<Overlap> {
    let this = ctx.function_ref(function);
    let is_out = !ctx.shared.race.suspends.contains(this)
        || is_constructor(ctx, this)
        || begins_or_ends(ctx, function)
        || is_test_module(ctx.module.name.as_str())
        || ctx.shared.alone.contains(&this);
    let overlap = ctx.shared.race.overlaps.of(this).filter(|_| !is_out)?;
    let by = match overlap.evidence {
        Evidence::Spawned(by, _) | Evidence::Served(by) => by,
        Evidence::Beside(..) | Evidence::ForTasks => return None,
    };
    let is_answered = is_held_by_callers(ctx, this, 3) || cancels(ctx, this) || cancels(ctx, by);
    (!is_answered).then_some(overlap)
}

/// The function, or what it calls directly, cancels something: the older call, as far as can be told.
fn cancels(ctx: &Context<'_>, function: FunctionRef) -> bool {
    let own = |function: FunctionRef| {
        let mut models = ctx.program.sites(function).iter().flat_map(|site| ctx.program.models_at(site));
        models.any(|model| model.cancels)
    };
    own(function) || ctx.program.edges(function).iter().any(|edge| edge.how == How::Calls && own(edge.target))
}

/// A more specific rule has the place.
fn is_conflict(ctx: &Context<'_>, function: FunctionId, root: Root) -> bool {
    ctx.conflicts().iter().any(|(of, conflict)| *of == function && conflict.cell.root == root)
}

/// The writes of answers in a function.
fn writes(ctx: &Context<'_>, function: FunctionId) -> Vec<Stale> {
    let events = &ctx.module.function(function).events;
    let mut found = Vec::new();
    for (at, event) in events.iter().enumerate() {
        match *event {
            Event::WritePlace(target, Some(value)) => found.extend(assignment(ctx, function, at, target, value)),
            Event::Bind(binding) if ctx.module.bindings[binding.index()].owner != function => {
                let bound = ctx.module.bindings[binding.index()];
                let name = ctx.module.function(bound.owner).symbols[bound.symbol.index()].name;
                if let BindingKind::Value(value) | BindingKind::Part(value, _) = bound.kind
                    && let Some(cell) = cells(ctx, function).variable_cell(name)
                {
                    found.extend(answer(ctx, function, cell, (at, value), value, None));
                }
            }
            Event::Call(call) => found.extend(by_helper(ctx, function, at, call)),
            _ => {}
        }
    }
    found
}

fn cells<'a, 'p>(ctx: &'a Context<'p>, function: FunctionId) -> Cells<'a, 'p> {
    Cells { program: ctx.program, evaluator: &ctx.evaluator, function: ctx.function_ref(function) }
}

fn assignment(ctx: &Context<'_>, function: FunctionId, at: usize, target: ExprId, value: ExprId) -> Option<Stale> {
    let cell =
        cells(ctx, function).of(target).filter(|_| is_known_to_all(ctx.program, ctx.function_ref(function), target))?;
    // Under a key of its own an answer overwrites no other.
    if let Expr::Subscript(_, key) = ctx.module.expr(target)
        && !matches!(ctx.module.expr(key), Expr::Literal(Literal::Str(_) | Literal::Int(_)))
    {
        return None;
    }
    answer(ctx, function, cell, (at, target), value, None)
}

/// A plain function of the program stores what it is given, and asks nothing before.
fn by_helper(ctx: &Context<'_>, function: FunctionId, at: usize, call: ExprId) -> Option<Stale> {
    let site = ctx.program.site(ctx.function_ref(function), call)?;
    let (Type::Function(target) | Type::Method(target, _)) = site.callee else { return None };
    let Expr::Call(callee, _) = ctx.module.expr(call) else { return None };
    let body = ctx.program.function(target);
    let chooses = body.events.iter().any(|event| matches!(event, Event::Branch(_) | Event::Loop(_) | Event::Try));
    if body.is_async || chooses {
        return None;
    }
    let receiver = match ctx.module.expr(callee) {
        Expr::Attr(receiver, _) if matches!(site.callee, Type::Method(..)) => {
            is_known_to_all(ctx.program, ctx.function_ref(function), receiver)
                .then(|| cells(ctx, function).owner_of(receiver))?
        }
        _ => Owner::Static,
    };
    let summary = ctx.shared.race.summary(ctx.program, target, 1);
    let mut effects = summary.effects.iter().filter(|effect| effect.at.0 == target && effect.cell.key.is_none());
    effects.find_map(|effect| {
        // An object of the helper's own is nobody else's.
        if !is_known_to_all(ctx.program, target, effect.at.1) {
            return None;
        }
        let position = stored_param(ctx, target, effect.at.1)?;
        let skipped = usize::from(matches!(site.callee, Type::Method(..)));
        let given = ctx.evaluator.given(call, position.checked_sub(skipped)?, body.params[position].name)?;
        answer(ctx, function, effect.cell.seen_from(receiver), (at, call), given, Some(effect.at))
    })
}

/// The parameter of a helper that it stores at a target.
fn stored_param(ctx: &Context<'_>, helper: FunctionRef, target: ExprId) -> Option<usize> {
    let module = ctx.program.module(helper.file);
    let value = ctx.program.function(helper).events.iter().find_map(|event| match *event {
        Event::WritePlace(written, value) if written == target => value,
        _ => None,
    })?;
    let Expr::Name(_, Defs::One(binding)) = module.expr(value) else { return None };
    match module.bindings[binding.index()].kind {
        BindingKind::Param(position) => Some(position as usize),
        _ => None,
    }
}

/// The value is, or is made of, the answer to a question that the call asked.
fn answer(
    ctx: &Context<'_>,
    function: FunctionId,
    cell: Cell,
    write: (usize, ExprId),
    value: ExprId,
    within: Option<(FunctionRef, ExprId)>,
) -> Option<Stale> {
    let origin = Origin { ctx, function };
    let question = origin.awaited(value).filter(|_| !is_added_up(ctx, function, cell, value))?;
    let suspends = ctx.shared.race.suspends.at(ctx.program, ctx.function_ref(function), SuspendKind::Await, question);
    if !suspends || !matches!(ctx.module.expr(question), Expr::Call(..)) {
        return None;
    }
    let is_constant = !origin.is_asked_with_param(question);
    (!is_constant || is_also_a_task(ctx, function)).then_some(Stale { cell, write, question, within, is_constant })
}

/// What is there goes into what is written.
fn is_added_up(ctx: &Context<'_>, function: FunctionId, cell: Cell, value: ExprId) -> bool {
    let cells = cells(ctx, function);
    let span = ctx.module.span(value);
    ctx.module.function(function).events.iter().any(|event| match *event {
        Event::Read(expr) | Event::ReadPlace(expr) if span.contains(ctx.module.span(expr)) => {
            cells.of(expr).is_some_and(|read| read.meets(cell))
        }
        Event::Call(call) if span.contains(ctx.module.span(call)) => match ctx.module.expr(call) {
            Expr::Call(callee, _) => match ctx.module.expr(callee) {
                Expr::Attr(receiver, _) => cells.of(receiver).is_some_and(|read| read.meets(cell)),
                _ => false,
            },
            _ => false,
        },
        _ => false,
    })
}

/// A task of its own calls the function, too: a timer that asks again and again.
fn is_also_a_task(ctx: &Context<'_>, function: FunctionId) -> bool {
    let callers = ctx.program.summaries.callers.of(ctx.function_ref(function));
    callers.len() > 1 && callers.iter().any(|(caller, ..)| ctx.shared.race.overlaps.beside(*caller).is_some())
}

/// Nothing between the question and the write decides who may still write, and no lock is held.
fn is_unguarded(ctx: &Context<'_>, function: FunctionId, stale: &Stale) -> bool {
    let this = ctx.function_ref(function);
    let events = &ctx.module.function(function).events;
    let asks = |event: &Event| matches!(*event, Event::Suspend(_, operand) if operand == stale.question);
    let Some(asked) = events.iter().position(asks).filter(|asked| *asked < stale.write.0) else { return false };
    let decides = |event: &Event| match *event {
        Event::Branch(Some(condition)) | Event::Arm(Some(condition)) => asks_state(ctx, function, condition),
        _ => false,
    };
    follows(events, asked, stale.write.0)
        && !events[asked..stale.write.0].iter().any(decides)
        && !ctx.shared.race.locks.is_held_at(ctx.program, this, stale.question)
}

/// The condition looks at something that other calls may have changed.
fn asks_state(ctx: &Context<'_>, function: FunctionId, condition: ExprId) -> bool {
    let cells = cells(ctx, function);
    let span = ctx.module.span(condition);
    let events = &ctx.module.function(function).events;
    events.iter().any(|event| match *event {
        Event::Read(expr) | Event::ReadPlace(expr) => span.contains(ctx.module.span(expr)) && cells.of(expr).is_some(),
        Event::Call(call) if span.contains(ctx.module.span(call)) => {
            let site = ctx.program.site(ctx.function_ref(function), call);
            site.is_some_and(|site| matches!(site.callee, Type::Function(_) | Type::Method(..)))
        }
        _ => false,
    })
}

fn finding(ctx: &Context<'_>, function: FunctionId, stale: &Stale, overlap: Overlap) -> Finding {
    let object = object_text(ctx, stale);
    let question = ctx.program.path_text(ctx.file, stale.question);
    let other = other_text(ctx, function, Some(overlap.evidence));
    let message = format!(
        "`{object}` gets the answer of `{question}`, whoever asked last: when {other} overlaps, the slower, older answer overwrites the newer one"
    );
    let (help, why_safe) = help(overlap.evidence, &object);
    let is_weak = stale.is_constant
        || is_one_of_several(ctx, stale.cell)
        || !is_direct(ctx, ctx.function_ref(function), overlap.evidence);
    let confidence = if is_weak { Confidence::Possible } else { Confidence::Likely };
    let mut finding = Finding::new(&RULE, ctx.place(stale.write.1), ctx.symbol(function), message)
        .confidence(confidence)
        .help(help)
        .shape(format!("{}:{object}", ctx.symbol(function)))
        .note("why-safe", why_safe)
        .note("rejected", "a lock around the assignment alone: the order in which the answers come stays as it is");
    if let Evidence::Spawned(by, call) = overlap.evidence {
        let place = Place { file: by.file, span: ctx.program.module(by.file).span(call) };
        finding = finding.related(place, "the tasks are started here");
    }
    if let Some((inside, at)) = stale.within {
        let place = Place { file: inside.file, span: ctx.program.module(inside.file).span(at) };
        finding = finding.related(place, format!("the write, in `{}`", ctx.program.qualified(inside)));
    }
    finding.witness = Some(witness(ctx, function, stale, object, &question));
    finding
}

/// The process keeps objects of the class, and there are others: which one overlapping calls have is not known.
fn is_one_of_several(ctx: &Context<'_>, cell: Cell) -> bool {
    let Root::Field(class, _) = cell.root else { return false };
    let makes = |made: ClassRef| ctx.program.lineage(made).any(|base| base == Type::Class(class));
    let sites = ctx.program.functions().flat_map(|function| ctx.program.sites(function));
    let made = sites.filter(|site| matches!(site.callee, Type::Class(made) if makes(made)));
    cell.owner == Owner::Receiver && ctx.shared.race.is_lasting(class) && made.take(2).count() > 1
}

/// The place, as the code that writes it names it.
fn object_text(ctx: &Context<'_>, stale: &Stale) -> String {
    if let Some((inside, target)) = stale.within {
        return ctx.program.path_text(inside.file, target);
    }
    match stale.cell.root {
        Root::Variable(variable) => {
            let name = ctx.program.function(variable.owner).symbols[variable.symbol.index()].name;
            stale.cell.key.map_or_else(|| name.to_string(), |key| format!("{name}[{key}]"))
        }
        _ => {
            let text = ctx.program.path_text(ctx.file, stale.write.1);
            stale.cell.key.map_or_else(|| text.clone(), |key| text.replace('…', key.as_str()))
        }
    }
}

/// What to do: who starts the tasks can cancel the older one; a handler cannot.
fn help(evidence: Evidence, object: &str) -> (String, &'static str) {
    match evidence {
        Evidence::Spawned(..) => (
            format!(
                "cancel the older task before a newer one is started, or take a number before the wait and write `{object}` only while it is the latest"
            ),
            "a cancelled task does not get to its write; a number taken before the wait tells which question is the newest",
        ),
        _ => (
            format!(
                "take a number before the wait (`self.latest += 1`) and write `{object}` only if it is still the latest; or keep each answer under its own key"
            ),
            "the number is taken when the question is asked, so an answer that was overtaken finds a later one and is dropped",
        ),
    }
}

fn witness(ctx: &Context<'_>, function: FunctionId, stale: &Stale, object: String, question: &str) -> Witness {
    let step = |task: usize, at: ExprId, does: &str, value: &str| Step {
        task,
        at: ctx.place(at),
        symbol: ctx.symbol(function),
        does: does.to_owned(),
        value: Some(value.to_owned()),
    };
    let waits = format!("waits for {question}");
    let steps = vec![
        step(0, stale.question, &waits, "the older question"),
        step(1, stale.question, &waits, "the newer question"),
        step(1, stale.write.1, "writes", "the newer answer"),
        step(0, stale.write.1, "writes", "the older answer: the newer one is lost"),
    ];
    Witness { tasks: vec!["A", "B"], object, steps }
}
