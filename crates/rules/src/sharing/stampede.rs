//! # share/stampede
//!
//! Several tasks miss the same value at the same time, and each does the expensive work to make it.
//!
//! ## What it is
//! A cache, a memo or a lazily made object is looked up; it is not there; the function awaits what it takes to make it
//! and stores it. Between the look-up and the store lies a suspension point. All tasks that ask in that time miss as
//! well, and do the work again. It is the commonest race in asynchronous Python: `if self._client is None:
//! self._client = await connect()`.
//!
//! Twice the work is the mild form. When what is made is a connection, a session, a subprocess or a background task,
//! all but the last are overwritten, and nobody is left to close them. When it is a record in another system, there
//! are two.
//!
//! A lock does not help when the miss is tested in front of it and not again behind it: the tasks then wait in a row,
//! and each makes the value when its turn comes.
//!
//! ```python bad
//! import asyncio
//!
//! from fastapi import FastAPI
//!
//! app = FastAPI()
//! rates: dict[str, float] = {}
//!
//!
//! async def load_rate(code: str) -> float:
//!     await asyncio.sleep(1)
//!     return 1.0
//!
//!
//! @app.get("/rates/{code}")
//! async def rate(code: str) -> float:
//!     if code not in rates:
//!         rates[code] = await load_rate(code)
//!     return rates[code]
//! ```
//!
//! ## What one observes
//! - After a start, a deployment or an expiry, a burst of identical requests to the database or the service behind; at
//!   worst the service gives way, nothing is cached, and the burst goes on.
//! - Two connections, pools or subprocesses where the code makes "the" one; the number of open ones grows.
//! - `Unclosed client session`, `Task was destroyed but it is pending!` for the one that was overwritten.
//! - Two chats, threads or customers created for one user who sent two messages.
//!
//! ## Why tests pass all the same
//! A test asks once, or one time after the other, and the second time the value is there. The result is right in every
//! case: what is wrong is how often it was made, and tests seldom count. Caches are warm when anybody looks.
//!
//! ## The structural fix
//! Store the work, not its result: put the task or future into the cache before the first await. Whoever comes later
//! awaits the same one. When it fails, take it out again.
//!
//! ```python good
//! import asyncio
//!
//! from fastapi import FastAPI
//!
//! app = FastAPI()
//! rates: dict[str, asyncio.Task[float]] = {}
//!
//!
//! async def load_rate(code: str) -> float:
//!     await asyncio.sleep(1)
//!     return 1.0
//!
//!
//! @app.get("/rates/{code}")
//! async def rate(code: str) -> float:
//!     task = rates.get(code)
//!     if task is None:
//!         task = rates[code] = asyncio.create_task(load_rate(code))
//!     try:
//!         return await asyncio.shield(task)
//!     except Exception:
//!         if rates.get(code) is task:
//!             del rates[code]
//!         raise
//! ```
//!
//! The `shield` is there because the work now belongs to several callers: without it, the first one who is cancelled
//! would cancel it for all.
//!
//! The other way is a lock for each key, and to look again once one has it.
//!
//! ```python good
//! import asyncio
//! from collections import defaultdict
//!
//!
//! class Rates:
//!     def __init__(self) -> None:
//!         self._values: dict[str, float] = {}
//!         self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
//!
//!     async def _load(self, code: str) -> float:
//!         await asyncio.sleep(1)
//!         return 1.0
//!
//!     async def get(self, code: str) -> float:
//!         if code in self._values:
//!             return self._values[code]
//!         async with self._locks[code]:
//!             if code not in self._values:
//!                 self._values[code] = await self._load(code)
//!             return self._values[code]
//! ```
//!
//! What is needed by every request (a pool, a client) is best made before the first: in `main` or in the lifespan.
//!
//! ## Fixes that do not work
//! - A lock around the work, with the test only in front of it: the tasks no longer do the work at once, they do it one
//!   after the other.
//! - A lock made in the function, or a semaphore of several permits: it keeps nobody out.
//! - `functools.cache` on an async function: it keeps the coroutine, which can be awaited once; the second caller gets
//!   `RuntimeError: cannot reuse already awaited coroutine`.
//! - `setdefault(key, await make(key))`: the argument is evaluated first; all agree on one value, and all made one.
//! - One lock for all keys: correct, and now every miss waits for every other; see `share/lock-bottleneck`.
//! - A longer time to live: the stampede comes less often, and is as large.
//! - A table of locks from which an entry is deleted while tasks wait for it: they go on with the old lock, a newcomer
//!   makes a new one, and when the first attempt has failed both load.
//! - A lock in each process in front of a cache that all share: as many makers as processes.
//!
//! ## Cues for a reviewer
//! - `is None`, `not in`, `.get(…)` and, a few lines on, `self.x = await …` or `cache[k] = await …`.
//! - `async with lock:` whose body starts with the work and not with a test.
//! - `get_client()`, `ensure_connected()`, `_lazy_…`, `get_or_create`, `@cached` written by hand.
//! - A token or rate that is renewed when it has run out, by whoever notices.
//!
//! ## Where it is silent
//! - The task or future is stored, not the value; a mark "in progress" is set before the await, and others wait for it.
//! - The miss is tested again under a lock that is as wide as the state, or for the key; the whole look-up is under
//!   such a lock, here or in every caller.
//! - Decorators of libraries that join concurrent calls.
//! - The work cannot suspend: between miss and store nobody else runs.
//! - The cache is local to the call or the request, or filled before requests are served.
//! - One owner fills it: a single refresher task; the others only read.
//! - `possible`, shown with `--strict`: work that is not known to take its time, and a single field that is filled once with
//!   what is read; who makes something (connects, opens, starts, loads) makes it twice.
//!
//! ## Symptoms
//! None of its own. `Unclosed client session`, `Unclosed connector`, `Task was destroyed but it is pending!` for what
//! was overwritten; `429 Too Many Requests`, a connection limit or a lock time-out in the service behind;
//! `IntegrityError` for the record made twice.
//!
//! ## The mutation that introduces it
//! Remove the test inside the lock; store `await make()` instead of `create_task(make())`; remove the lock.
//!
//! ## Difficulty
//! Medium: the shape is well known, and a lock that is there, without the second test, reads as if it were solved.
//!
//! ## Related rules
//! `share/check-then-act`, `share/lost-update`, `share/lock-bottleneck`, `share/shared-default`,
//! `bound/unbounded-growth`.

use super::{Told, Words, report};
use crate::context::Context;
use crate::finding::Finding;
use crate::race::walk::{Kind, What};
use crate::rule::{Question, Rule};
use racewalk_report::Severity;

/// The rule.
pub(crate) static RULE: Rule = Rule {
    name: "share/stampede",
    question: Question::Share,
    severity: Severity::Warning,
    languages: &["python", "javascript"],
    on_by_default: true,
    summary: "tasks that find nothing all do the expensive work: lazy set-up, a cache filled without a re-check",
    source: include_str!("stampede.rs"),
    check,
};

const WORDS: Words = Words { message, help, first: "tests", at_read: true };

fn check(ctx: &Context<'_>, found: &mut Vec<Finding>) {
    report(ctx, &RULE, Kind::Stampede, &WORDS, found);
}

fn message(told: &Told) -> String {
    let Told { cell, wait, other, .. } = told;
    format!(
        "`{cell}` is found missing here and filled after the wait for `{wait}`: {other} finds it missing meanwhile and does the work again"
    )
}

fn help(told: &Told) -> (String, &'static str, &'static str) {
    debug_assert!(told.what != What::Drop);
    let (what, lock) = if told.is_keyed {
        ("the task that fetches under the key", "a lock of that key")
    } else {
        ("the task that makes it", told.a_lock)
    };
    (
        format!(
            "keep {what} and let everybody await that one; or take {lock} and test `{}` again inside it",
            told.cell
        ),
        "the first to come starts the work before anybody else can look, and the others wait for its result",
        "a lock without a second test inside: everybody who waited does the work again, one after another",
    )
}
