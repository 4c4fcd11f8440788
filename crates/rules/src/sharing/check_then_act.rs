//! # share/check-then-act
//!
//! Shared state is tested, the task is suspended, and then something is done that is right only if the test still
//! holds.
//!
//! ## What it is
//! A test tells about the moment in which it is made. If a suspension point lies between the test and the action that
//! relies on it, other tasks run in between, and one of them may make the test false: it takes the last item, adds the
//! same name, closes the connection. Two executions of the same function are enough; both pass the test before either
//! acts. The same holds for a lock that is held for the test, given back, and taken again for the action, and for a
//! test made just before one has to wait for a lock.
//!
//! The rule reports where the test is. It wants to see three things: the test and the action are about the same state,
//! a call between them can really suspend, and something that may run then changes that state.
//!
//! ```python bad
//! import asyncio
//!
//! from fastapi import FastAPI, HTTPException
//!
//! app = FastAPI()
//! stock = {"ticket": 1}
//!
//!
//! async def charge(user: str) -> None:
//!     await asyncio.sleep(0.1)
//!
//!
//! @app.post("/buy/{user}")
//! async def buy(user: str) -> None:
//!     if stock["ticket"] < 1:
//!         raise HTTPException(409, "sold out")
//!     await charge(user)
//!     stock["ticket"] -= 1
//! ```
//!
//! Two requests find one ticket; both are charged, and the stock is -1.
//!
//! ## What one observes
//! - Limits that are exceeded under load: two sessions for one user, more connections than the maximum, negative stock.
//! - An action done twice that the test was to make happen once: two messages, two charges, two workers.
//! - `AttributeError: 'NoneType' object has no attribute …`, `KeyError` or `IndexError` right behind a test that rules
//!   it out.
//! - A duplicate key in the store, now and then.
//!
//! ## Why tests pass all the same
//! One call at a time always finds the state that it has just tested. In a test with several, the awaited fake answers
//! without suspending, so that test and action are one step after all. The window is as wide as the awaited call is
//! slow, and in tests it is not slow.
//!
//! ## The structural fix
//! Act before waiting: test and reserve in one step, wait, and give the reservation back if the waiting failed.
//!
//! ```python good
//! import asyncio
//!
//! from fastapi import FastAPI, HTTPException
//!
//! app = FastAPI()
//! stock = {"ticket": 1}
//!
//!
//! async def charge(user: str) -> None:
//!     await asyncio.sleep(0.1)
//!
//!
//! @app.post("/buy/{user}")
//! async def buy(user: str) -> None:
//!     if stock["ticket"] < 1:
//!         raise HTTPException(409, "sold out")
//!     stock["ticket"] -= 1
//!     try:
//!         await charge(user)
//!     except BaseException:
//!         stock["ticket"] += 1
//!         raise
//! ```
//!
//! Where the wait must come first, test again after it; or hold one lock, as wide as the state, from the test to the
//! action.
//!
//! ```python good
//! import asyncio
//!
//! item = object()
//! queue_lock = asyncio.Lock()
//!
//!
//! async def process_if_empty(queue: asyncio.Queue) -> None:
//!     async with queue_lock:
//!         if queue.empty():
//!             await queue.put(item)
//! ```
//!
//! Better still is an operation that tests and acts in one: `put_nowait` with `QueueFull`, `dict.setdefault`,
//! `pop(key, None)`, `INSERT … ON CONFLICT`, `SET … NX`, `UPDATE … WHERE stock > 0`.
//!
//! ## Fixes that do not work
//! - Trust in the interpreter lock: it keeps threads apart, not tasks. A task gives way at its own await.
//! - A second test that is followed by another await before the action: the same window, later.
//! - A lock around the test only, or a lock for the test and again for the action: it is free in between.
//! - A test in front of `async with lock`, and none behind it: the wait for the lock is a suspension.
//! - A lock for each call or request, or a semaphore of several permits: nobody else is kept out.
//! - A shorter await: the window gets smaller, and the defect rarer and harder to find.
//! - `except KeyError: pass` around the action: the duplicate charge raises nothing.
//! - A lock in the process where several processes serve: the state, if it is in a database, needs a constraint there.
//!
//! ## Cues for a reviewer
//! - `if … in`, `if not self.…`, `is None`, `len(…) <`, `.empty()`, `.full()`, `.locked()` on state of the object or
//!   module, an `await`, and then a change of that state.
//! - An early `return` or `raise` on a shared condition at the top of an async function, far from the action.
//! - A reservation that is entered after the work: `active.add(user)` as the last line.
//! - `self.x` used after an await although only `if self.x` in front of it says that it is not `None`.
//!
//! ## Where it is silent
//! - The condition is tested again between the last suspension and the action.
//! - The teardown idiom: `if self.x: await self.x.close(); self.x = None`, and its safer form that takes the reference
//!   out first. A second close is harmless or is the resource's own business.
//! - Flags that are only ever set: a second task sets what is set already.
//! - The action comes first, and the suspension after it.
//! - One lock is held from the test to the action, here or by every caller; or a semaphore of one permit.
//! - State that nothing changes while the function waits; objects local to the call or the request.
//! - One owner: a single consumer loop is the only one to act. Phases with a join between them.
//! - An await that cannot suspend.
//! - Tests whose outcome only chooses a message, a metric or a time to wait.
//! - `possible`, shown with `--strict`: what is called to act takes a lock of its own, and may test again under it.
//! - Where a miss is filled by expensive work, `share/stampede` reports it; where an old value is written back,
//!   `share/lost-update`.
//!
//! ## Symptoms
//! None of its own. `KeyError`, `IndexError`, `ValueError: list.remove(x): x not in list`,
//! `AttributeError: 'NoneType' object has no attribute '…'`, `asyncio.QueueFull` or `IntegrityError` in a line that a
//! test just above it should have kept from failing.
//!
//! ## The mutation that introduces it
//! Move the action behind the await (`active.add(user); await f()` becomes `await f(); active.add(user)`), remove the
//! second test, or end the lock's block after the test.
//!
//! ## Difficulty
//! Medium: both lines are often in view; whether anything may run in between, and change the state, is not.
//!
//! ## Related rules
//! `share/stampede`, `share/lost-update`, `share/inconsistent-lock`, `share/iterate-across-await`,
//! `share/shared-default`, `share/lost-wakeup`.

use super::{Told, Words, report};
use crate::context::Context;
use crate::finding::Finding;
use crate::race::walk::{Kind, What};
use crate::rule::{Question, Rule};
use racewalk_report::Severity;

/// The rule.
pub(crate) static RULE: Rule = Rule {
    name: "share/check-then-act",
    question: Question::Share,
    severity: Severity::Error,
    languages: &["python", "javascript"],
    on_by_default: true,
    summary: "an action relies on a test of shared state that a suspension has made outdated",
    source: include_str!("check_then_act.rs"),
    check,
};

const WORDS: Words = Words { message, help, first: "tests", at_read: true };

fn check(ctx: &Context<'_>, found: &mut Vec<Finding>) {
    report(ctx, &RULE, Kind::CheckThenAct, &WORDS, found);
}

fn message(told: &Told) -> String {
    let Told { cell, wait, other, .. } = told;
    let act = match told.what {
        What::Insert => "adds to it",
        What::Take | What::Drop => "takes from it",
        _ => "changes it",
    };
    format!(
        "`{cell}` is tested here, and the code {act} after the wait for `{wait}` without testing it again: {other} passes the same test meanwhile"
    )
}

fn help(told: &Told) -> (String, &'static str, &'static str) {
    let lock = told.lock();
    (
        format!(
            "do what the test allows before the first wait (claim `{}`, then work), or hold {lock} over test and action",
            told.cell
        ),
        "between a test and an action without a suspension no other task of the loop runs",
        "a lock around the action alone: the test was made before it was taken",
    )
}
