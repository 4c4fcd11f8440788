//! # share/sleep-as-sync
//!
//! A fixed sleep stands in for waiting until something has happened.
//!
//! ## What it is
//! A task, thread or process is started, and the code sleeps for a time that was always enough, before it uses what
//! the other one sets up. The time is a guess about another machine on another day: too short under load, and too long
//! everywhere else.
//!
//! ```python bad
//! import asyncio
//!
//!
//! class Worker:
//!     def __init__(self) -> None:
//!         self.ready = False
//!         self.task: asyncio.Task | None = None
//!
//!     async def _run(self) -> None:
//!         await asyncio.sleep(0.01)
//!         self.ready = True
//!         await asyncio.Event().wait()
//!
//!     async def start(self) -> None:
//!         self.task = asyncio.create_task(self._run())
//!         await asyncio.sleep(0.5)
//!         assert self.ready
//! ```
//!
//! ## What one observes
//! - It fails now and then: in the pipeline, after a deployment, at peak load.
//! - It gets slower by every such sleep, and each fix of a failure makes it longer.
//! - A failure of what was started shows as a time-out or an empty value here.
//!
//! ## Why tests pass all the same
//! The sleep was measured on the machine of the one who wrote it.
//!
//! ## The structural fix
//! Let the other side say when it is ready, and wait for that, with a time limit.
//!
//! ```python good
//! import asyncio
//!
//!
//! class Worker:
//!     def __init__(self) -> None:
//!         self.ready = asyncio.Event()
//!         self.task: asyncio.Task | None = None
//!
//!     async def _run(self) -> None:
//!         await asyncio.sleep(0.01)
//!         self.ready.set()
//!         await asyncio.Event().wait()
//!
//!     async def start(self) -> None:
//!         self.task = asyncio.create_task(self._run())
//!         async with asyncio.timeout(5):
//!             await self.ready.wait()
//! ```
//!
//! For a process or a server that cannot tell, ask it in a loop: with a deadline, and a short sleep between questions.
//!
//! ## Fixes that do not work
//! - A longer sleep: rarer failures, slower always.
//! - `sleep(0)`: the other task takes one step; what it awaits may take longer.
//! - A retry around the whole: it starts the work again.
//!
//! ## Cues for a reviewer
//! - `create_task`, then `sleep(…)`, then an assertion or a look at an attribute.
//! - "give it time to come up" in a comment.
//! - A sleep after starting a process, and then a connection to it.
//!
//! ## Where it is silent
//! - Loops: polling with a deadline, back-off, rate limits.
//! - Sleeps whose length is computed, and `sleep(0)`.
//! - Nothing was started before, or it is awaited before it is used.
//! - What is used afterwards is not set by what was started.
//! - The work is stopped after the sleep: it was to run for that long.
//! - `possible`, shown with `--strict`: tests and examples.
//!
//! ## Symptoms
//! - `ConnectionRefusedError` from a server that is still starting; an `AssertionError` that a second run does not show.
//!
//! ## The mutation that introduces it
//! Replace `await ready.wait()` by `await asyncio.sleep(0.5)`.
//!
//! ## Difficulty
//! Medium: a sleep may be meant; what is read after it tells.
//!
//! ## Related rules
//! `share/lost-wakeup`, `share/check-then-act`, `bound/no-timeout`.

use crate::context::Context;
use crate::finding::{Finding, Place};
use crate::looping::is_side_module;
use crate::rule::{Question, Rule};
use racewalk_ir::{BindingKind, Defs, Event, Expr, ExprId, FunctionId, Literal, Name, Role, SuspendKind};
use racewalk_link::{FunctionRef, How, Program, Site, Type};
use racewalk_models::{ClassKind, Spawns};
use racewalk_report::{Confidence, Severity};

/// The rule.
pub(crate) static RULE: Rule = Rule {
    name: "share/sleep-as-sync",
    question: Question::Share,
    severity: Severity::Hint,
    languages: &["python"],
    on_by_default: true,
    summary: "a fixed sleep stands in for waiting until something has happened",
    source: include_str!("sleep_as_sync.rs"),
    check,
};

fn check(ctx: &Context<'_>, found: &mut Vec<Finding>) {
    for function in ctx.functions() {
        if !ctx.module.function(function).is_async {
            continue;
        }
        let this = ctx.function_ref(function);
        let sleeps = |site: &Site| ctx.program.model_at(site).is_some_and(|model| model.sleeps);
        if !ctx.program.sites(this).iter().any(sleeps) {
            continue;
        }
        let mut loops = 0;
        for (at, event) in ctx.module.function(function).events.iter().enumerate() {
            match *event {
                Event::Loop(_) => loops += 1,
                Event::EndLoop => loops -= 1,
                Event::Suspend(SuspendKind::Await, call) if loops == 0 => {
                    let sleep = ctx.program.site(this, call).filter(|site| sleeps(site));
                    if let Some(finding) = sleep.and_then(|sleep| judge(ctx, function, sleep, at)) {
                        ctx.report(function, finding, found);
                    }
                }
                _ => {}
            }
        }
    }
}

/// A sleep outside loops, awaited at this event.
fn judge(ctx: &Context<'_>, function: FunctionId, sleep: &Site, at: usize) -> Option<Finding> {
    if ctx.module.role(sleep.call) != Role::Awaited || !is_fixed(ctx, sleep.call) {
        return None;
    }
    let events = &ctx.module.function(function).events;
    let started = last_started(ctx, function, &events[..at])?;
    let used = used_after(ctx, function, &events[at + 1..], &started)?;
    let message =
        format!("the sleep gives {} time {}: too short under load, too long everywhere else", started.text, used.text);
    let is_side = is_side_module(ctx.module.name.as_str());
    let finding = Finding::new(&RULE, ctx.place(sleep.call), ctx.symbol(function), message)
        .confidence(if is_side { Confidence::Possible } else { Confidence::Likely })
        .help(used.help)
        .related(started.place, "started here")
        .related(used.place, "used here")
        .shape(started.text.clone());
    Some(finding)
}

/// The sleep's length is written down, and not nothing.
fn is_fixed(ctx: &Context<'_>, call: ExprId) -> bool {
    let Some(first) = ctx.evaluator.args(call).first() else { return false };
    match ctx.module.expr(first.value) {
        Expr::Literal(Literal::Int(seconds)) => seconds > 0,
        Expr::Literal(Literal::Number(thousandths)) => thousandths > 0,
        // A constant of the module.
        Expr::Name(name, Defs::Outer) => name.as_str() == name.as_str().to_ascii_uppercase(),
        _ => false,
    }
}

/// What was started.
struct Started {
    text: String,
    place: Place,
    /// The functions of the program that run, none for a process.
    runs: Vec<FunctionRef>,
}

/// The last thing that is started before the sleep and that nobody has waited for.
fn last_started(ctx: &Context<'_>, function: FunctionId, before: &[Event]) -> Option<Started> {
    let this = ctx.function_ref(function);
    before.iter().rev().take_while(|event| !is_wait(ctx, this, event)).find_map(|event| {
        let Event::Call(call) = *event else { return None };
        let site = ctx.program.site(this, call)?;
        started(ctx, function, site)
    })
}

/// The function waits there for something else than a start.
fn is_wait(ctx: &Context<'_>, this: FunctionRef, event: &Event) -> bool {
    let Event::Suspend(SuspendKind::Await, operand) = *event else { return false };
    let Some(site) = ctx.program.site(this, operand) else { return true };
    !makes_process(ctx, this.id, site)
}

fn started(ctx: &Context<'_>, function: FunctionId, site: &Site) -> Option<Started> {
    let place = ctx.place(site.call);
    if makes_process(ctx, function, site) {
        return Some(Started { text: "the process".to_owned(), place, runs: Vec::new() });
    }
    match ctx.program.model_at(site)?.spawns? {
        Spawns::Task => {
            let given = ctx.evaluator.args(site.call).first()?.value;
            let this = ctx.function_ref(function);
            let called = ctx.program.edges_at(this, given).iter();
            let handed = ctx.program.edges_at(this, site.call).iter().filter(|edge| edge.how == How::Later);
            let runs = called.chain(handed).map(|edge| edge.target).collect();
            let text = format!("the task of `{}()`", ctx.program.callee_text(ctx.file, given));
            Some(Started { text, place, runs })
        }
        Spawns::Thread => {
            let edges = ctx.program.edges_at(ctx.function_ref(function), site.call).iter();
            let runs = edges.map(|edge| edge.target).collect();
            Some(Started { text: "the thread".to_owned(), place, runs })
        }
        Spawns::Process => Some(Started { text: "the process".to_owned(), place, runs: Vec::new() }),
        Spawns::OtherLoop => None,
    }
}

/// The call starts a process that runs beside this one.
fn makes_process(ctx: &Context<'_>, function: FunctionId, site: &Site) -> bool {
    let is_process = |value: Type| {
        matches!(value, Type::ExternalInstance(path, _)
        if matches!(path.last_segment(), "Process" | "Popen") && ctx.program.models().kind(path) == Some(ClassKind::Stream)
            || path.last_segment() == "Popen")
    };
    match ctx.evaluator.given_by(function, site) {
        Type::Coroutine(inner) => is_process(inner.get()),
        other => is_process(other),
    }
}

/// What is used after the sleep.
struct Used {
    text: String,
    help: &'static str,
    place: Place,
}

/// The first use of what the started work sets up: before anything waits for it, or stops it.
fn used_after(ctx: &Context<'_>, function: FunctionId, after: &[Event], started: &Started) -> Option<Used> {
    let this = ctx.function_ref(function);
    let mut written: Vec<Name> = Vec::new();
    for target in &started.runs {
        written_by(ctx.program, *target, 2, &mut written);
    }
    for event in after {
        match *event {
            Event::ReadPlace(place) if is_looked_at(ctx, place) => {
                let Expr::Attr(_, name) = ctx.module.expr(place) else { continue };
                if written.contains(&name) {
                    return Some(looked_at(ctx, place));
                }
            }
            Event::Read(read) if is_looked_at(ctx, read) => {
                let Expr::Name(name, Defs::Outer) = ctx.module.expr(read) else { continue };
                if written.contains(&name) {
                    return Some(looked_at(ctx, read));
                }
            }
            Event::Call(call) if stops(ctx, call) => return None,
            Event::Suspend(kind, operand) if kind != SuspendKind::Exit => {
                let is_process = started.runs.is_empty() && started.text == "the process";
                return connects(ctx, this, operand).filter(|_| is_process);
            }
            Event::Loop(_) | Event::Return(_) => return None,
            _ => {}
        }
    }
    None
}

fn looked_at(ctx: &Context<'_>, place: ExprId) -> Used {
    Used {
        text: format!("to set `{}`", ctx.program.path_text(ctx.file, place)),
        help: "let it set an event when it is there, and wait for that event with a time limit",
        place: ctx.place(place),
    }
}

/// The value decides something: a condition, an assertion, a comparison, an argument.
fn is_looked_at(ctx: &Context<'_>, value: ExprId) -> bool {
    matches!(
        ctx.module.role(value),
        Role::Condition | Role::Tested | Role::Compared | Role::Identified | Role::Membership | Role::Returned
    )
}

/// The names that a function writes outside itself.
fn written_by(program: &Program, function: FunctionRef, depth: u32, written: &mut Vec<Name>) {
    let module = program.module(function.file);
    let body = module.function(function.id);
    for event in &body.events {
        match *event {
            Event::WritePlace(place, _) => {
                if let Expr::Attr(_, name) = module.expr(place) {
                    written.push(name);
                }
            }
            Event::Bind(binding) => {
                let bound = module.bindings[binding.index()];
                if bound.owner != function.id && !matches!(bound.kind, BindingKind::Param(_)) {
                    written.push(module.function(bound.owner).symbols[bound.symbol.index()].name);
                }
            }
            _ => {}
        }
    }
    if depth > 0 {
        for edge in program.edges(function).iter().filter(|edge| edge.how == How::Calls) {
            written_by(program, edge.target, depth - 1, written);
        }
    }
}

/// The call ends what was started.
fn stops(ctx: &Context<'_>, call: ExprId) -> bool {
    let Expr::Call(callee, _) = ctx.module.expr(call) else { return false };
    let (Expr::Attr(_, name) | Expr::Name(name, _)) = ctx.module.expr(callee) else { return false };
    ["cancel", "stop", "terminate", "kill", "close", "shutdown"].iter().any(|word| name.as_str().contains(word))
}

/// The wait is for somebody else over the network.
fn connects(ctx: &Context<'_>, this: FunctionRef, operand: ExprId) -> Option<Used> {
    let site = ctx.program.site(this, operand)?;
    ctx.program.model_at(site).filter(|model| model.network)?;
    Some(Used {
        text: "to answer".to_owned(),
        help: "ask it in a loop until it answers: with a deadline, and a short sleep between questions",
        place: ctx.place(operand),
    })
}
