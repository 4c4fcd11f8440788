//! # share/iterate-across-await
//!
//! A loop over a shared collection awaits in its body, and another task may change the collection meanwhile.
//!
//! ## What it is
//! A `for` over a dict, set or list does not iterate over what was there when it began; it keeps a position in the live
//! object. If the body suspends, other tasks run between two steps. When one of them adds or removes an element, a dict
//! or set notices at the next step and raises `RuntimeError`. A list notices nothing: behind a removed element the
//! others move up, and one is passed over.
//!
//! The typical place is a broadcast: a loop over the connected clients that awaits each send, while clients come and
//! go.
//!
//! ```python bad
//! from fastapi import FastAPI, WebSocket
//!
//! app = FastAPI()
//!
//!
//! class Hub:
//!     def __init__(self) -> None:
//!         self.sockets: set[WebSocket] = set()
//!
//!     async def broadcast(self, text: str) -> None:
//!         for socket in self.sockets:
//!             await socket.send_text(text)
//!
//!
//! hub = Hub()
//!
//!
//! @app.websocket("/")
//! async def serve(socket: WebSocket) -> None:
//!     await socket.accept()
//!     hub.sockets.add(socket)
//!     try:
//!         async for text in socket.iter_text():
//!             await hub.broadcast(text)
//!     finally:
//!         hub.sockets.discard(socket)
//! ```
//!
//! ## What one observes
//! - `RuntimeError: Set changed size during iteration` (or `dictionary …`, `deque mutated …`), more often with more
//!   clients and slower ones; everybody behind the place in the loop gets nothing.
//! - With a list: one element now and then is left out, without any error.
//! - After the error the sender's own task ends, and its connection with it.
//!
//! ## Why tests pass all the same
//! In a test nobody connects or leaves while a message is being sent. With one client there is no next step at which
//! the change could be noticed. Fakes that answer at once leave no gap.
//!
//! ## The structural fix
//! Iterate over a copy. It is made in one step, without a suspension; elements that go meanwhile must then be expected
//! to be closed.
//!
//! ```python good
//! from fastapi import FastAPI, WebSocket
//!
//! app = FastAPI()
//!
//!
//! class Hub:
//!     def __init__(self) -> None:
//!         self.sockets: set[WebSocket] = set()
//!
//!     async def broadcast(self, text: str) -> None:
//!         for socket in list(self.sockets):
//!             if socket in self.sockets:
//!                 await socket.send_text(text)
//!
//!
//! hub = Hub()
//!
//!
//! @app.websocket("/")
//! async def serve(socket: WebSocket) -> None:
//!     await socket.accept()
//!     hub.sockets.add(socket)
//!     try:
//!         async for text in socket.iter_text():
//!             await hub.broadcast(text)
//!     finally:
//!         hub.sockets.discard(socket)
//! ```
//!
//! Where all are independent, start them together: the arguments of `gather(*(s.send_text(t) for s in self.sockets))`
//! are collected before anything is awaited. Where the elements are used up, swap the collection for an empty one and
//! iterate over the old. Where changes are rare, do not change it but bind a new one.
//!
//! ## Fixes that do not work
//! - `try … except RuntimeError: pass` around the loop: the rest is left out, silently.
//! - A list in place of the set: the error goes away, the defect stays; now elements are passed over.
//! - `for k in self.d.keys()` or `.values()`, `.items()`: views of the same dict, not copies; likewise `iter`,
//!   `enumerate`, `reversed`, `filter`, `zip` and a generator expression.
//! - A copy made inside the loop, or a shallow copy of the outer dict where the inner set is iterated over.
//! - A lock around the loop alone: those who add and remove must take it too, and then all wait for the slowest send.
//! - Collecting what is to be removed, and removing it after the loop: right for this task's own removals, not for
//!   those of others.
//!
//! ## Cues for a reviewer
//! - `for … in self.x` (`.values()`, `.items()`) with an `await`, `async with` or `async for` in the body.
//! - Handlers of connecting and disconnecting that `add`, `append`, `remove`, `pop` in the same attribute.
//! - A comprehension with `await` in it.
//! - `.remove(…)` in an `except` inside the loop.
//!
//! ## Where it is silent
//! - Iteration over a copy: `list`, `tuple`, `set`, `dict`, `sorted`, `.copy()`, a slice, a display.
//! - No suspension in the body, or one that cannot suspend; a loop that is left right after it.
//! - Nobody else changes the collection while the loop runs: settings, tables filled at start-up, a single owner,
//!   phases with a join between them.
//! - Changes that bind a new collection and leave the old one alone; a collection that was swapped out first.
//! - Loops that pop until nothing is left.
//! - One lock held around the loop and around every change.
//! - Collections of the call or the request.
//!
//! ## Symptoms
//! - `RuntimeError: dictionary changed size during iteration`
//! - `RuntimeError: dictionary keys changed during iteration`: one removed and one added.
//! - `RuntimeError: Set changed size during iteration`
//! - `RuntimeError: deque mutated during iteration`
//! - Lists raise nothing.
//!
//! ## The mutation that introduces it
//! Remove `list(…)` around the collection; or replace a `gather` over it by a loop that awaits.
//!
//! ## Difficulty
//! Easy when the change stands in the same class; medium when the collection is handed out by a getter.
//!
//! ## Related rules
//! `share/check-then-act`, `share/lost-update`, `share/shared-default`, `await/serial-await`.

use super::{is_constructor, is_held_by_callers, is_strong, overlap_at};
use crate::context::Context;
use crate::finding::{Finding, Place, Step, Witness};
use crate::looping::is_test_module;
use crate::race::cells::{Cell, Cells, Owner, Root};
use crate::race::mutators::{Mutation, last_name};
use crate::race::overlap::Evidence;
use crate::rule::{Question, Rule};
use racewalk_ir::{Event, Expr, ExprId, FunctionId, FunctionKind, Name, Role};
use racewalk_link::{ClassRef, FunctionRef, Type};
use racewalk_report::{Confidence, Severity};

/// The rule.
pub(crate) static RULE: Rule = Rule {
    name: "share/iterate-across-await",
    question: Question::Share,
    severity: Severity::Error,
    languages: &["python"],
    on_by_default: true,
    summary: "a shared collection is iterated with a suspension in the loop, while other tasks change it",
    source: include_str!("iterate_across_await.rs"),
    check,
};

fn check(ctx: &Context<'_>, found: &mut Vec<Finding>) {
    if ctx.program.is_installed(ctx.file) || is_test_module(ctx.module.name.as_str()) {
        return;
    }
    for function in ctx.functions() {
        let this = ctx.function_ref(function);
        if ctx.shared.race.suspends.contains(this) {
            let events = &ctx.module.function(function).events;
            for (at, event) in events.iter().enumerate() {
                if let Event::Loop(Some(source)) = *event
                    && ctx.module.role(source) == Role::Iterated
                {
                    iteration(ctx, this, at, source, found);
                }
            }
        }
    }
}

/// What is iterated: a collection that is kept somewhere, or what a function of the program gives.
#[derive(Clone, Copy, PartialEq)]
enum Source {
    Cell(Cell),
    Getter(FunctionRef),
}

fn iteration(ctx: &Context<'_>, this: FunctionRef, at: usize, source: ExprId, found: &mut Vec<Finding>) {
    let collection = live(ctx, source);
    let Some(name) = last_name(ctx.module, collection) else { return };
    if subscripts(ctx, collection) > 1 {
        return;
    }
    let Some(of) = source_of(ctx, this, collection) else { return };
    let Some(suspension) = suspension_in(ctx, this, at) else { return };
    let cell = cell_of(ctx, of);
    // The task that goes through it is the only one that changes it: so an annotation says, and it holds.
    if cell.is_some_and(|cell| ctx.shared.claims.is_owned_by(ctx, cell.root, this)) {
        return;
    }
    let names = [Some(name), cell.map(|cell| name_of(ctx, cell))];
    let mutators = ctx.mutators();
    let mut mutations = names.iter().flatten().flat_map(|name| mutators.of(*name));
    let is_mapping = matches!(ctx.evaluator.eval(this.id, collection), Type::Mapping(_) | Type::Unknown(_));
    let best = mutations.by_ref().filter_map(|mutation| {
        let confidence = meanwhile(ctx, this, at, of, mutation, is_mapping)?;
        Some((confidence, mutation))
    });
    // The first of the surest.
    let best = best.fold(None, |best: Option<(Confidence, &Mutation)>, one| match best {
        Some(known) if known.0 >= one.0 => Some(known),
        _ => Some(one),
    });
    if let Some((confidence, mutation)) = best {
        let finding = finding(ctx, this, collection, suspension, mutation).confidence(confidence);
        ctx.report(this.id, finding, found);
    }
}

/// How many keys lead from the place that keeps it to the collection.
fn subscripts(ctx: &Context<'_>, place: ExprId) -> u32 {
    match ctx.module.expr(place) {
        Expr::Subscript(base, _) => 1 + subscripts(ctx, base),
        Expr::Attr(base, _) => subscripts(ctx, base),
        _ => 0,
    }
}

/// The collection behind views that look at it as they go.
fn live(ctx: &Context<'_>, source: ExprId) -> ExprId {
    let Expr::Call(callee, args) = ctx.module.expr(source) else { return source };
    match ctx.module.expr(callee) {
        Expr::Attr(base, view) if matches!(view.as_str(), "values" | "items" | "keys") => base,
        Expr::Name(name, _)
            if matches!(name.as_str(), "enumerate" | "filter" | "map" | "zip" | "iter" | "reversed") =>
        {
            match ctx.module.args(args) {
                [.., last] if matches!(name.as_str(), "filter" | "map") => live(ctx, last.value),
                [first, ..] => live(ctx, first.value),
                [] => source,
            }
        }
        _ => source,
    }
}

fn source_of(ctx: &Context<'_>, this: FunctionRef, collection: ExprId) -> Option<Source> {
    if let Expr::Call(..) = ctx.module.expr(collection) {
        let site = ctx.program.site(this, collection)?;
        let (Type::Function(getter) | Type::Method(getter, _)) = site.callee else { return None };
        return given_by(ctx, getter).map(|_| Source::Getter(getter));
    }
    let cells = Cells { program: ctx.program, evaluator: &ctx.evaluator, function: this };
    if let Some(cell) = cells.of(collection) {
        return Some(Source::Cell(cell));
    }
    // A local of this function that inner functions capture.
    let Expr::Name(name, _) = ctx.module.expr(collection) else { return None };
    let symbol = ctx.module.function(this.id).symbol(name)?;
    let variable = racewalk_link::Variable { owner: this, symbol };
    let is_captured = !ctx.captures_of(this.id, name).is_empty();
    is_captured.then_some(Source::Cell(Cell {
        root: Root::Variable(variable),
        owner: Owner::Static,
        part: None,
        key: None,
    }))
}

fn cell_of(ctx: &Context<'_>, source: Source) -> Option<Cell> {
    match source {
        Source::Cell(cell) => Some(cell),
        Source::Getter(getter) => given_by(ctx, getter),
    }
}

fn name_of(ctx: &Context<'_>, cell: Cell) -> Name {
    match cell.root {
        Root::Field(_, name) | Root::Param(_, name) => name,
        Root::Variable(variable) => ctx.program.function(variable.owner).symbols[variable.symbol.index()].name,
    }
}

/// The collection that a plain function keeps, when it gives that and not a copy.
fn given_by(ctx: &Context<'_>, getter: FunctionRef) -> Option<Cell> {
    let body = ctx.program.function(getter);
    let module = ctx.program.module(getter.file);
    let [value] = body.return_values.as_slice() else { return None };
    let place = match module.expr(*value) {
        Expr::Call(callee, _) => match module.expr(callee) {
            Expr::Attr(table, method) if matches!(method.as_str(), "setdefault" | "get") => table,
            _ => return None,
        },
        _ => *value,
    };
    let evaluator = ctx.program.evaluator(getter.file);
    let cells = Cells { program: ctx.program, evaluator: &evaluator, function: getter };
    cells.of(place).filter(|_| !body.is_async && !body.is_generator)
}

/// A real suspension in the loop's body after which the loop may go on.
fn suspension_in(ctx: &Context<'_>, this: FunctionRef, start: usize) -> Option<ExprId> {
    let events = &ctx.module.function(this.id).events;
    let mut depth = 0;
    for (at, event) in events.iter().enumerate().skip(start) {
        match *event {
            Event::Loop(_) => depth += 1,
            Event::EndLoop => {
                depth -= 1;
                if depth == 0 {
                    return None;
                }
            }
            Event::Suspend(kind, operand)
                if ctx.shared.race.suspends.at(ctx.program, this, kind, operand) && goes_on(&events[at + 1..]) =>
            {
                return Some(operand);
            }
            _ => {}
        }
    }
    None
}

/// Control may come back to the head of the loop from here.
fn goes_on(after: &[Event]) -> bool {
    let mut opened = 0;
    let mut skipped: Option<i32> = None;
    for event in after {
        match event {
            Event::Branch(_) | Event::Loop(_) | Event::Try => opened += 1,
            Event::EndBranch(_) | Event::EndLoopElse | Event::EndTry => {
                opened -= 1;
                if skipped.is_some_and(|depth| opened < depth) {
                    skipped = None;
                }
            }
            // The other arms are not taken.
            Event::Arm(_) | Event::Handler(_) if opened <= 0 && skipped.is_none() => skipped = Some(opened),
            Event::EndLoop if opened <= 0 => return true,
            Event::Return(_) | Event::Raise(_) | Event::Break if opened <= 0 && skipped.is_none() => return false,
            _ => {}
        }
    }
    true
}

/// How sure it is that the change happens while the loop is suspended.
fn meanwhile(
    ctx: &Context<'_>,
    this: FunctionRef,
    at: usize,
    source: Source,
    mutation: &Mutation,
    is_mapping: bool,
) -> Option<Confidence> {
    let by = mutation.by;
    if mutation.sets_key && !is_mapping || mutation.appends || by.id == FunctionId(0) {
        return None;
    }
    if is_constructor(ctx, by) || is_of_another_kind(ctx, this, by) {
        return None;
    }
    let evaluator = ctx.program.evaluator(by.file);
    let cells = Cells { program: ctx.program, evaluator: &evaluator, function: by };
    let changed = match ctx.program.module(by.file).expr(mutation.place) {
        Expr::Call(..) => match ctx.program.site(by, mutation.place)?.callee {
            Type::Function(getter) | Type::Method(getter, _) => Source::Getter(getter),
            _ => return None,
        },
        _ => Source::Cell(cells.of(mutation.place)?),
    };
    let (changed_cell, looped_cell) = (cell_of(ctx, changed)?, cell_of(ctx, source)?);
    let is_same = match (changed, source) {
        (Source::Getter(one), Source::Getter(other)) => one == other,
        _ => {
            changed_cell.root == looped_cell.root
                && changed_cell.part == looped_cell.part
                && is_same_level(changed_cell, looped_cell)
        }
    };
    if !is_same || is_locked(ctx, this, at, mutation) || is_joined(ctx, this, at, looped_cell, by) {
        return None;
    }
    let overlap = overlap_at(ctx, by, changed_cell);
    if overlap.is_some_and(|overlap| is_strong(ctx, by, changed_cell, overlap)) && !ends_life(ctx, this.id) {
        return Some(Confidence::Likely);
    }
    let may_overlap = ctx.shared.race.overlaps.of(by).is_some() || is_open_to_callers(ctx, by);
    may_overlap.then_some(Confidence::Possible)
}

/// Methods of two classes of which neither inherits from the other: whatever base they share, their objects differ.
fn is_of_another_kind(ctx: &Context<'_>, this: FunctionRef, by: FunctionRef) -> bool {
    let class =
        |function: FunctionRef| ctx.program.function(function).class.map(|id| ClassRef { file: function.file, id });
    let (Some(own), Some(other)) = (class(this), class(by)) else { return false };
    let inherits = |heir: ClassRef, base: ClassRef| ctx.program.lineage(heir).any(|of| of == Type::Class(base));
    !inherits(own, other) && !inherits(other, own) && shares_base(ctx, own, other)
}

fn shares_base(ctx: &Context<'_>, one: ClassRef, other: ClassRef) -> bool {
    let bases: Vec<Type> = ctx.program.lineage(one).collect();
    ctx.program.lineage(other).any(|base| matches!(base, Type::Class(_)) && bases.contains(&base))
}

/// Both are the container itself, or its element under the same key.
fn is_same_level(one: Cell, other: Cell) -> bool {
    let is_literal = |key: Name| key.as_str().starts_with('\'') || key.as_str().parse::<i64>().is_ok();
    match (one.key, other.key) {
        (None, None) => true,
        (Some(one), Some(other)) => one == other && is_literal(one) || !is_literal(one) && !is_literal(other),
        _ => false,
    }
}

/// By its name the function ends its object's life: little happens beside it.
fn ends_life(ctx: &Context<'_>, function: FunctionId) -> bool {
    let name = ctx.module.function(function).name.as_str();
    ["close", "stop", "shutdown", "cleanup", "disconnect"].iter().any(|end| name.contains(end)) || name == "__aexit__"
}

/// A public function that nobody in the program calls: somebody else does, at any time.
fn is_open_to_callers(ctx: &Context<'_>, function: FunctionRef) -> bool {
    let body = ctx.program.function(function);
    let is_public = body.class.is_some() && body.kind == FunctionKind::Function && !body.name.as_str().starts_with('_');
    is_public && ctx.program.summaries.callers.of(function).is_empty()
}

/// A lock is held around the loop, and around the change.
fn is_locked(ctx: &Context<'_>, this: FunctionRef, at: usize, mutation: &Mutation) -> bool {
    let events = &ctx.module.function(this.id).events;
    let body_call = events[at..].iter().find_map(|event| match *event {
        Event::Call(call) => Some(call),
        _ => None,
    });
    let is_held = body_call.is_some_and(|call| ctx.shared.race.locks.is_held_at(ctx.program, this, call))
        || is_held_by_callers(ctx, this, 5);
    is_held
        && (ctx.shared.race.locks.is_held_at(ctx.program, mutation.by, mutation.at)
            || is_held_by_callers(ctx, mutation.by, 5))
}

/// The collection belongs to this call, and the tasks that change it have ended, or end with the wait that starts them.
fn is_joined(ctx: &Context<'_>, this: FunctionRef, at: usize, cell: Cell, by: FunctionRef) -> bool {
    let Root::Variable(variable) = cell.root else { return false };
    if variable.owner.id == FunctionId(0) {
        return false;
    }
    let Some(Evidence::Spawned(starter, call)) = ctx.shared.race.overlaps.of(by).map(|overlap| overlap.evidence) else {
        return true;
    };
    if starter != this || is_awaited(ctx, call) {
        return true;
    }
    let events = &ctx.module.function(this.id).events;
    let Some(started) = events.iter().position(|event| *event == Event::Call(call)) else { return true };
    // A group that is left between the start and the loop has waited for its tasks.
    started > at || events[started..at].iter().any(|event| matches!(event, Event::Exit(..)))
}

fn is_awaited(ctx: &Context<'_>, call: ExprId) -> bool {
    std::iter::successors(Some(call), |expr| ctx.module.parent(*expr))
        .any(|expr| ctx.module.role(expr) == Role::Awaited)
}

fn finding(
    ctx: &Context<'_>,
    this: FunctionRef,
    collection: ExprId,
    suspension: ExprId,
    mutation: &Mutation,
) -> Finding {
    let text = ctx.program.path_text(ctx.file, collection);
    let wait = ctx.program.path_text(ctx.file, suspension);
    let other = crate::context::symbol(ctx.program.module(mutation.by.file), mutation.by.id);
    let is_list = matches!(ctx.evaluator.eval(this.id, collection), Type::Collection(_));
    let effect =
        if is_list { "elements are passed over, or the loop fails" } else { "the next step of the loop fails" };
    let message = format!(
        "`{text}` is iterated here with a suspension in the loop (`{wait}`), and `{other}` may change it meanwhile: {effect}"
    );
    let changed = Place { file: mutation.by.file, span: ctx.program.module(mutation.by.file).span(mutation.at) };
    let step =
        |task, at: Place, symbol: &str, does: String| Step { task, at, symbol: symbol.to_owned(), does, value: None };
    let own = ctx.symbol(this.id);
    let steps = vec![
        step(0, ctx.place(collection), &own, format!("begins to iterate {text}")),
        step(0, ctx.place(suspension), &own, format!("waits for {wait}")),
        step(1, changed, &other, format!("changes {text}")),
        step(0, ctx.place(collection), &own, effect.to_owned()),
    ];
    let mut finding = Finding::new(&RULE, ctx.place(collection), &own, message)
        .help(format!(
            "iterate a copy: `list({text})`; or take the elements out first and leave a new collection behind"
        ))
        .note("why-safe", "a copy belongs to the loop alone, whatever happens to the collection meanwhile")
        .note("rejected", "catching the RuntimeError: the rest of the elements is passed over")
        .related(changed, "it is changed here")
        .shape(format!("{own}:{text}"));
    finding.witness = Some(Witness { tasks: vec!["A", "B"], object: text, steps });
    finding
}
