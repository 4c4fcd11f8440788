//! # share/lost-wakeup
//!
//! A task waits for a signal that has already been given, or goes on at a signal that was meant for another.
//!
//! ## What it is
//! A condition, an event and a queue's count of unfinished items join a signal to a state. The signal itself is not
//! kept, or is kept in one bit. Whoever waits must therefore look at the state, and whoever signals must change the
//! state first; and nothing may come in between. Four shapes count:
//!
//! - `Condition.wait` without a loop around it that tests the state: `notify` calls when nobody is waiting are gone,
//!   and between the call that wakes a task and its turn to hold the lock another one may have taken what it waits
//!   for;
//! - `notify` without the lock;
//! - an event that is cleared where a `set` may have come in between: after work that suspends, or between the request
//!   and the wait for its answer;
//! - `task_done` that does not match `get`: too few, and `join` never returns; too many, and it returns too early or
//!   raises.
//!
//! ```python bad
//! import asyncio
//!
//!
//! class Inbox:
//!     def __init__(self) -> None:
//!         self._changed = asyncio.Condition()
//!         self._items: list[str] = []
//!
//!     async def put(self, item: str) -> None:
//!         async with self._changed:
//!             self._items.append(item)
//!             self._changed.notify_all()
//!
//!     async def get(self) -> str:
//!         async with self._changed:
//!             if not self._items:
//!                 await self._changed.wait()
//!             return self._items.pop(0)
//! ```
//!
//! Two tasks wait, one item comes, both are woken, and the second pops from an empty list.
//!
//! ## What one observes
//! - A worker that sleeps although there is work; it wakes with the next item, and is one behind from then on.
//! - `IndexError` or `KeyError` behind a wait, with more than one consumer.
//! - A shutdown that hangs in `queue.join()` after one item has failed.
//! - A request whose answer has come, and that waits for it until its time is up.
//!
//! ## Why tests pass all the same
//! A test starts the consumer first and lets it wait, and then signals: the one order in which nothing is lost. It has
//! one consumer, so nobody takes anything away. Its items do not fail.
//!
//! ## The structural fix
//! Wait for the state, not for the signal: `wait_for(predicate)`, or `while not predicate: await wait()`.
//!
//! ```python good
//! import asyncio
//!
//!
//! class Inbox:
//!     def __init__(self) -> None:
//!         self._changed = asyncio.Condition()
//!         self._items: list[str] = []
//!
//!     async def put(self, item: str) -> None:
//!         async with self._changed:
//!             self._items.append(item)
//!             self._changed.notify()
//!
//!     async def get(self) -> str:
//!         async with self._changed:
//!             await self._changed.wait_for(lambda: self._items)
//!             return self._items.pop(0)
//! ```
//!
//! Clear an event before the work that may lead to its being set: before the state is looked at, before the request is
//! sent. Mark an item as done in `finally`.
//!
//! ```python good
//! import asyncio
//!
//!
//! async def handle(item: str) -> None:
//!     await asyncio.sleep(0.1)
//!
//!
//! async def work(queue: asyncio.Queue[str]) -> None:
//!     while True:
//!         item = await queue.get()
//!         try:
//!             await handle(item)
//!         finally:
//!             queue.task_done()
//!
//!
//! async def finish(queue: asyncio.Queue[str]) -> None:
//!     await queue.join()
//! ```
//!
//! Where one thing is handed from one task to another, a queue of one place or a future for each request is simpler
//! than an event: both keep what was sent.
//!
//! ## Fixes that do not work
//! - `notify_all` in place of `notify`, with an `if` around the wait: now more tasks find nothing.
//! - A time limit on the wait, and then going on: the state is not what the code behind it expects.
//! - `event.set()` and `event.clear()` one after the other, as a pulse: those who wait are woken; who comes a moment
//!   later waits for the next.
//! - A sleep before `set`, so that the other is surely waiting: see `share/sleep-as-sync`.
//! - `clear()` at the end of the round: what was set during the round is cleared with it.
//! - `task_done` in the `except` as well as at the end: one of the paths has two.
//!
//! ## Cues for a reviewer
//! - `if …: await condition.wait()`, or a wait with no test at all.
//! - `clear()` behind an `await`; `clear()` directly in front of `wait()`.
//! - `notify` in a method without `async with`.
//! - `task_done()` as the last line of a loop with `continue`, `return` or a call that can fail above it.
//!
//! ## Where it is silent
//! - `wait_for`, and a `wait` in a loop that tests the state before it goes on.
//! - `notify` in a helper that is only called with the lock held, or under the lock that the condition was made with.
//! - Events that are only set; events that are a gate, closed and opened by somebody else than those who wait.
//! - `clear` in the same step as the end of the wait, before the state is looked at; `clear` before the request is
//!   sent.
//! - Queues on which nobody calls `join`; `task_done` in `finally` or on every path.
//!
//! ## Symptoms
//! - `RuntimeError: cannot notify on un-acquired lock`, `RuntimeError: cannot wait on un-acquired lock`
//! - `ValueError: task_done() called too many times`
//! - otherwise none: a task that stands in `Condition.wait`, `Event.wait` or `Queue.join`.
//!
//! ## The mutation that introduces it
//! Replace `while` by `if` around a `wait`; move `clear()` behind the work; move `task_done()` out of the `finally`.
//!
//! ## Difficulty
//! Medium for conditions and counts, whose correct form is known; hard for events, where order alone decides.
//!
//! ## Related rules
//! `share/check-then-act`, `share/sleep-as-sync`, `share/self-deadlock`, `bound/permit-leak`.

use super::{counts, is_held_by_callers};
use crate::context::Context;
use crate::finding::Finding;
use crate::looping::is_test_module;
use crate::race::cells::{Cells, Root};
use crate::race::containers::{Touch, touch};
use crate::race::held::Sort;
use crate::race::signals::{Act, Signal, Through};
use crate::rule::{Question, Rule};
use racewalk_ir::{Event, Expr, ExprId, FunctionId, Literal, Role};
use racewalk_link::{FunctionRef, How};
use racewalk_report::{Confidence, Severity};

/// The rule.
pub(crate) static RULE: Rule = Rule {
    name: "share/lost-wakeup",
    question: Question::Share,
    severity: Severity::Warning,
    languages: &["python"],
    on_by_default: true,
    summary: "a signal is lost: a wait without a test in a loop, a notify without the lock, an event cleared too late, `task_done` that does not match `get`",
    source: include_str!("lost_wakeup.rs"),
    check,
};

fn check(ctx: &Context<'_>, found: &mut Vec<Finding>) {
    for function in ctx.functions() {
        let signals = ctx.shared.race.signals.of(ctx.function_ref(function));
        for signal in signals {
            let lost = match (signal.through, signal.act) {
                (Through::Condition, Act::Waits) => untested_wait(ctx, signal),
                (Through::Condition, Act::Notifies) => unlocked_notify(ctx, signal),
                (Through::Event, Act::Clears) => late_clear(ctx, signal, signals),
                _ => None,
            };
            if let Some(lost) = lost {
                ctx.report(function, finding(ctx, function, &lost), found);
            }
        }
        if let Some(lost) = counts::mismatch(ctx, function, signals) {
            ctx.report(function, finding(ctx, function, &lost), found);
        }
    }
}

/// A signal that may be lost, in words.
pub(super) struct Lost {
    /// The call.
    pub at: ExprId,
    /// What happens.
    pub message: String,
    /// What to do.
    pub help: String,
    /// Why that is safe.
    pub why_safe: &'static str,
    /// What does not help.
    pub rejected: &'static str,
    /// How sure it is.
    pub confidence: Confidence,
}

fn finding(ctx: &Context<'_>, function: FunctionId, lost: &Lost) -> Finding {
    let what = ctx.program.callee_text(ctx.file, lost.at);
    let confidence = if is_test_module(ctx.module.name.as_str()) { Confidence::Possible } else { lost.confidence };
    Finding::new(&RULE, ctx.place(lost.at), ctx.symbol(function), lost.message.clone())
        .confidence(confidence)
        .help(lost.help.clone())
        .shape(format!("{}:{what}", ctx.symbol(function)))
        .note("why-safe", lost.why_safe)
        .note("rejected", lost.rejected)
}

/// The object that a signal goes through, as the code writes it.
pub(super) fn receiver_text(ctx: &Context<'_>, signal: &Signal) -> String {
    let Expr::Call(callee, _) = ctx.module.expr(signal.call) else { return String::new() };
    match ctx.module.expr(callee) {
        Expr::Attr(receiver, _) => ctx.program.path_text(ctx.file, receiver),
        _ => String::new(),
    }
}

/// Loops that are open at an event, by the event that begins each.
pub(super) fn loops_at(events: &[Event], at: usize) -> Vec<usize> {
    let mut open = Vec::new();
    for (index, event) in events[..at].iter().enumerate() {
        match event {
            Event::Loop(_) => open.push(index),
            Event::EndLoop => {
                open.pop();
            }
            _ => {}
        }
    }
    open
}

// ---- conditions ------------------------------------------------------------------------------------------------------

fn untested_wait(ctx: &Context<'_>, signal: &Signal) -> Option<Lost> {
    let events = &ctx.program.function(signal.function).events;
    let Expr::Call(_, args) = ctx.module.expr(signal.call) else { return None };
    let role = ctx.module.role(signal.call);
    let waits_for_ever = ctx.module.args(args).is_empty() && matches!(role, Role::Awaited | Role::Dropped);
    if !waits_for_ever || !loops_at(events, signal.event).is_empty() || is_called_in_loop(ctx, signal.function) {
        return None;
    }
    let tested = tested_around(ctx, signal);
    let is_relied_on = match tested.as_slice() {
        // What is set once, and not looked at: who comes later waits for ever.
        [] => stays_set(ctx, signal),
        tested => is_used_up(ctx, signal, tested),
    };
    if !is_relied_on {
        return None;
    }
    let condition = receiver_text(ctx, signal);
    Some(Lost {
        at: signal.call,
        message: format!(
            "`{condition}.wait()` stands in no loop that tests the state: a notification from before is gone, and another task may have taken what this one was woken for"
        ),
        help: format!("`{condition}.wait_for(…)` with what must hold, or `while not …:` around the wait"),
        why_safe: "the state is looked at before the wait and after it, with the lock held, so no change of it is missed",
        rejected: "notify_all in place of notify: more tasks wake up and find nothing",
        confidence: Confidence::Likely,
    })
}

/// Who calls the function does so in a loop, where the state can be tested.
fn is_called_in_loop(ctx: &Context<'_>, function: FunctionRef) -> bool {
    ctx.program.summaries.callers.of(function).iter().any(|(caller, site, _)| {
        let events = &ctx.program.function(*caller).events;
        let at = events.iter().position(|event| *event == Event::Call(*site));
        at.is_some_and(|at| !loops_at(events, at).is_empty())
    })
}

/// The places that the conditions around a wait look at.
fn tested_around(ctx: &Context<'_>, signal: &Signal) -> Vec<Root> {
    let events = &ctx.program.function(signal.function).events;
    let mut open: Vec<Option<ExprId>> = Vec::new();
    for event in &events[..signal.event] {
        match *event {
            Event::Branch(condition) => open.push(condition),
            Event::Arm(condition) => {
                if let Some(innermost) = open.last_mut() {
                    *innermost = condition;
                }
            }
            Event::EndBranch(_) => {
                open.pop();
            }
            _ => {}
        }
    }
    let conditions: Vec<ExprId> = open.into_iter().flatten().collect();
    let is_inside = |place: ExprId| {
        let span = ctx.module.span(place);
        conditions.iter().any(|condition| ctx.module.span(*condition).contains(span))
    };
    let cells = Cells { program: ctx.program, evaluator: &ctx.evaluator, function: signal.function };
    let read = events[..signal.event].iter().filter_map(|event| match *event {
        Event::Read(place) | Event::ReadPlace(place) if is_inside(place) => Some(place),
        Event::Call(call) if is_inside(call) => receiver(ctx, call),
        _ => None,
    });
    read.filter_map(|place| cells.of(place)).map(|cell| cell.root).collect()
}

/// Behind the wait the code takes out of, or changes, what was tested in front of it.
fn is_used_up(ctx: &Context<'_>, signal: &Signal, tested: &[Root]) -> bool {
    let cells = Cells { program: ctx.program, evaluator: &ctx.evaluator, function: signal.function };
    let after = &ctx.program.function(signal.function).events[signal.event + 1..];
    after.iter().any(|event| {
        let place = match *event {
            Event::Modify(place) | Event::WritePlace(place, None) => Some(place),
            Event::Call(call) => takes_out(ctx, call).then(|| receiver(ctx, call)).flatten(),
            _ => None,
        };
        place.and_then(|place| cells.of(place)).is_some_and(|cell| tested.contains(&cell.root))
    })
}

fn takes_out(ctx: &Context<'_>, call: ExprId) -> bool {
    let Expr::Call(callee, args) = ctx.module.expr(call) else { return false };
    matches!(ctx.module.expr(callee), Expr::Attr(_, method)
        if touch(ctx.module.language, method.as_str(), ctx.module.args(args).len()) == Some(Touch::Takes))
}

fn receiver(ctx: &Context<'_>, call: ExprId) -> Option<ExprId> {
    let Expr::Call(callee, _) = ctx.module.expr(call) else { return None };
    match ctx.module.expr(callee) {
        Expr::Attr(receiver, _) => Some(receiver),
        _ => None,
    }
}

/// Who notifies sets a flag to yes, which stays.
fn stays_set(ctx: &Context<'_>, signal: &Signal) -> bool {
    let Some(root) = signal.root else { return false };
    let notifiers = ctx.shared.race.signals.all(ctx.program, root, &[Act::Notifies]).unwrap_or_default();
    notifiers.iter().any(|notifier| {
        let module = ctx.program.module(notifier.function.file);
        let is_yes = |value: ExprId| matches!(module.expr(value), Expr::Literal(Literal::Bool(true)));
        let events = &ctx.program.function(notifier.function).events;
        events.iter().any(|event| matches!(*event, Event::WritePlace(_, Some(value)) if is_yes(value)))
    })
}

fn unlocked_notify(ctx: &Context<'_>, signal: &Signal) -> Option<Lost> {
    let locks = &ctx.shared.race.locks;
    let holds = locks.holds(signal.function);
    let mut held = holds.iter().flat_map(|holds| holds.held_at(signal.event));
    // A lock under another name may be the one that the condition was made with.
    if held.any(|take| take.sort != Sort::Deadline) || is_called_with_lock(ctx, signal.function) {
        return None;
    }
    let condition = receiver_text(ctx, signal);
    let is_helper = ctx.program.function(signal.function).name.as_str().starts_with('_');
    Some(Lost {
        at: signal.call,
        message: format!("`{condition}` is notified without its lock: this raises, or meets nobody who waits"),
        help: format!("change the state and notify inside one block that holds `{condition}`"),
        why_safe: "who tests the state and goes to sleep does so under the same lock, so the signal finds it asleep or finds the state seen",
        rejected: "catching the error: whoever waits is then never woken",
        confidence: if is_helper { Confidence::Possible } else { Confidence::Likely },
    })
}

/// Callers hold something when they call, or run the function where nobody can see what they hold.
fn is_called_with_lock(ctx: &Context<'_>, function: FunctionRef) -> bool {
    let callers = ctx.program.summaries.callers.of(function);
    is_held_by_callers(ctx, function, 3)
        || callers.iter().any(|(caller, site, how)| {
            matches!(how, How::Callback) || ctx.shared.race.locks.is_held_at(ctx.program, *caller, *site)
        })
}

// ---- events ----------------------------------------------------------------------------------------------------------

fn late_clear(ctx: &Context<'_>, clear: &Signal, signals: &[Signal]) -> Option<Lost> {
    let setters = ctx.shared.race.signals.all(ctx.program, clear.root?, &[Act::Sets])?;
    let is_set_elsewhere = setters.iter().any(|setter| setter.function != clear.function);
    let is_set_here = setters.iter().any(|setter| setter.function == clear.function);
    let wait = signals.iter().find(|signal| signal.act == Act::Waits && signal.root == clear.root)?;
    if !is_set_elsewhere || is_set_here || ctx.module.role(wait.call) != Role::Awaited {
        return None;
    }
    let event = receiver_text(ctx, clear);
    let events = &ctx.program.function(clear.function).events;
    if ends_round(ctx, events, wait, clear) {
        return Some(Lost {
            at: clear.call,
            message: format!(
                "`{event}` is cleared here, after work that gave way to others: what was set during the work is cleared with it, and the next round waits for the signal after that"
            ),
            help: format!("clear `{event}` directly behind the wait, before the state is looked at"),
            why_safe: "whoever changes the state after it was looked at sets the event again, and nothing clears it before the next wait",
            rejected: "a second look at the state before the clear: it can change between look and clear, when anything is awaited there",
            confidence: Confidence::Likely,
        });
    }
    precedes_wait(ctx, events, wait, clear).then(|| Lost {
        at: clear.call,
        message: format!(
            "`{event}` is cleared directly before the wait, and others have run since the work began: a signal that has come meanwhile is thrown away, and the wait is for the next"
        ),
        help: format!("clear `{event}` before the request is sent or the state is looked at"),
        why_safe: "every signal that comes after the clear is kept until the wait",
        rejected: "a time limit on the wait: every answer that was early then takes as long",
        confidence: Confidence::Likely,
    })
}

/// A real suspension, other than the wait itself, between two events.
fn suspends_between(ctx: &Context<'_>, clear: &Signal, wait: &Signal, from: usize, to: usize) -> bool {
    let events = &ctx.program.function(clear.function).events;
    events[from..to].iter().any(|event| match *event {
        Event::Suspend(kind, operand) => {
            operand != wait.call && ctx.shared.race.suspends.at(ctx.program, clear.function, kind, operand)
        }
        _ => false,
    })
}

/// wait, work that suspends, clear, and round again without another look.
fn ends_round(ctx: &Context<'_>, events: &[Event], wait: &Signal, clear: &Signal) -> bool {
    let loops = loops_at(events, wait.event);
    let same_loop = !loops.is_empty() && loops == loops_at(events, clear.event);
    if !same_loop || wait.event > clear.event || !suspends_between(ctx, clear, wait, wait.event, clear.event) {
        return false;
    }
    let rest = events[clear.event + 1..].iter().take_while(|event| **event != Event::EndLoop);
    !rest.into_iter().any(|event| {
        matches!(event, Event::Call(_) | Event::ReadPlace(_) | Event::Break | Event::Return(_) | Event::Suspend(..))
    }) && !tests_last(events, wait, clear)
}

/// The clear stands under a condition of its own, or behind a loop that goes on until there is nothing left: somebody has
/// looked since the last suspension.
fn tests_last(events: &[Event], wait: &Signal, clear: &Signal) -> bool {
    let span = &events[wait.event..clear.event];
    let mut depth = 0i32;
    for event in span {
        match event {
            Event::Branch(_) => depth += 1,
            Event::EndBranch(_) => depth -= 1,
            _ => {}
        }
    }
    let last = span.iter().rposition(|event| matches!(event, Event::Suspend(..))).unwrap_or(0);
    depth > 0 || span[last..].contains(&Event::EndLoop)
}

/// work that suspends, clear, wait, with no look at anything since the work.
fn precedes_wait(ctx: &Context<'_>, events: &[Event], wait: &Signal, clear: &Signal) -> bool {
    if clear.event > wait.event || loops_at(events, wait.event) != loops_at(events, clear.event) {
        return false;
    }
    let between = &events[clear.event + 1..wait.event];
    if between
        .iter()
        .any(|event| matches!(event, Event::Suspend(..) | Event::Call(_) | Event::Branch(_) | Event::Loop(_)))
    {
        return false;
    }
    let start = loops_at(events, clear.event).last().copied().unwrap_or(0);
    let last = events[start..clear.event].iter().rposition(|event| matches!(event, Event::Suspend(..)));
    let Some(last) = last.map(|last| start + last) else { return false };
    let looks = events[last + 1..clear.event].iter().any(|event| {
        matches!(
            event,
            Event::Branch(_)
                | Event::Arm(_)
                | Event::Loop(_)
                | Event::EndBranch(_)
                | Event::EndLoop
                | Event::Handler(_)
        )
    });
    !looks && suspends_between(ctx, clear, wait, last, last + 1)
}
