//! # share/lost-update
//!
//! Shared state is read, the task is suspended, and a value computed from the old one is written back: what another
//! task wrote meanwhile is gone.
//!
//! ## What it is
//! An update in three steps: read, await, write. At the await the task is suspended, and the event loop runs whatever
//! else is ready; that may be another execution of the same function. Both have read the same value, both write a value
//! derived from it, and the second write erases the first. The read and the write need not look like two statements:
//! `self.total += await price()` reads `self.total` before it awaits.
//!
//! The state may be an attribute, a module variable, a captured variable, an entry of a dict, or an attribute of any
//! object that several tasks hold. It may be read and written by helpers, in a base class or in another module. It may
//! also lie outside the process: a row, a cache entry or a file that is loaded, changed and stored without a
//! transaction.
//!
//! ```python bad
//! import asyncio
//!
//!
//! class Counter:
//!     def __init__(self) -> None:
//!         self.value = 0
//!
//!     async def increment(self) -> None:
//!         current = self.value
//!         await asyncio.sleep(0)
//!         self.value = current + 1
//!
//!
//! async def main() -> None:
//!     counter = Counter()
//!     await asyncio.gather(*(counter.increment() for _ in range(100)))
//!     print(counter.value)
//!
//!
//! asyncio.run(main())
//! ```
//!
//! Here all hundred tasks read 0 before the first of them writes. The result is 1.
//!
//! ## What one observes
//! - Totals, balances and counters that are too low, and the more so the busier the service is. Nothing fails.
//! - Entries that vanish: an item put in a cart, a tag added to a list, a setting saved by another request.
//! - Numbers handed out twice.
//! - Figures that agree again after a restart, or on the machine of a developer who is alone on it.
//!
//! ## Why tests pass all the same
//! A test awaits one call after the other, and one execution at a time loses nothing. Where a test does start several,
//! its fakes often return without suspending: then each task runs through from read to write. The defect needs two
//! executions and a real suspension between the read and the write.
//!
//! ## The structural fix
//! Leave no suspension point between read and write: do the waiting first, and then read, compute and write in one
//! step. Between two suspension points nothing else runs in this loop.
//!
//! ```python good
//! import asyncio
//!
//!
//! async def price(item: str) -> int:
//!     await asyncio.sleep(0)
//!     return len(item)
//!
//!
//! class Basket:
//!     def __init__(self) -> None:
//!         self.total = 0
//!
//!     async def add(self, item: str) -> None:
//!         cost = await price(item)
//!         self.total += cost
//!
//!
//! async def main() -> None:
//!     basket = Basket()
//!     await asyncio.gather(basket.add("pen"), basket.add("ink"))
//!     print(basket.total)
//!
//!
//! asyncio.run(main())
//! ```
//!
//! Where what is awaited depends on what was read, hold one `asyncio.Lock` that is as wide as the state over all three
//! steps. Other ways are one task that owns the state and takes changes from a queue, or a compare and retry. State
//! outside the process needs the store's own means: `UPDATE … SET n = n + 1`, `INCR`, a row lock, a version column.
//!
//! ```python good
//! import asyncio
//!
//!
//! class Counter:
//!     def __init__(self) -> None:
//!         self.value = 0
//!         self._lock = asyncio.Lock()
//!
//!     async def increment(self) -> None:
//!         async with self._lock:
//!             current = self.value
//!             await asyncio.sleep(0)
//!             self.value = current + 1
//!
//!
//! async def main() -> None:
//!     counter = Counter()
//!     await asyncio.gather(*(counter.increment() for _ in range(100)))
//!     print(counter.value)
//!
//!
//! asyncio.run(main())
//! ```
//!
//! ## Fixes that do not work
//! - Trust in the interpreter lock: it keeps two threads from running bytecode at once. These are tasks of one thread,
//!   and they change places at the await, of their own accord.
//! - A lock made in the call (`lock = asyncio.Lock()` in the function): each call takes a lock that nobody else has.
//! - A lock for each instance, or for each request, around state of the module: the same, at a distance.
//! - A semaphore of more than one permit: it limits how many are inside and excludes nobody from anybody.
//! - A lock around the read and again around the write: it is free in between, which is where the update is lost.
//! - `self.total += await price()` on one line: the left side is read first, then the await happens.
//! - `await asyncio.sleep(0)` to let the others finish: one more suspension point.
//! - `threading.Lock` held across the await: when the second task asks for it, it blocks the loop's thread, and with it
//!   the first task, which would have to give the lock back.
//! - An `asyncio.Lock` in each of several worker processes around one database row: each process has a lock of its own.
//!
//! ## Cues for a reviewer
//! - A local bound to an attribute, an `await`, and an assignment to that attribute.
//! - `+= await`, `x = x + await …`, `d[k] = merge(d[k], await …)`.
//! - `get`, `await`, `set` on the same key of a cache, session or database.
//! - A copy taken (`dict(…)`, `list(…)`, `.copy()`), awaited over, and stored back.
//! - A lock whose constructor stands in the function that takes it.
//!
//! ## Where it is silent
//! - Objects that are local to the call or the request, or of which each task has its own.
//! - State that is read anew after the await, or read and written without a suspension in between.
//! - A lock, or a semaphore of one permit, that is held from the read to the write: here, in a helper, a decorator, an
//!   inherited context manager, or by every caller.
//! - An await that cannot suspend: the coroutine behind it runs through.
//! - A single owner: one task started once, one consumer loop. Phases with a join between them.
//! - Code before the object is published: `__init__`, start-up, and tests that run one call at a time.
//! - A write that is made only when the state is still what was read.
//! - A file or entry outside the process that is changed in a transaction, by an operation of the store, or under a lock
//!   by its name. Without these the finding is `possible`, unless loading and saving plainly name the same path or key, and
//!   requests get there or several functions change it.
//!
//! ## Symptoms
//! None at run time: no exception, no warning, no log line. What shows is an invariant: a sum that differs from the sum
//! of its parts, an assertion on a count that fails now and then, `IntegrityError` for a number issued twice.
//!
//! ## The mutation that introduces it
//! Move the read of the state in front of the await (`delta = await f(); self.n += delta` becomes
//! `self.n += await f()`), or remove the lock, or move its creation into the function.
//!
//! ## Difficulty
//! Medium where read and write stand in one function; hard where they are in helpers, or a lock is present and is the
//! wrong one.
//!
//! ## Related rules
//! `share/check-then-act`, `share/stale-write`, `share/stampede`, `share/inconsistent-lock`, `share/shared-session`,
//! `share/data-race`.

use super::{Told, Words, report, written_back};
use crate::context::Context;
use crate::finding::Finding;
use crate::race::walk::{Kind, What};
use crate::rule::{Question, Rule};
use racewalk_report::Severity;

/// The rule.
pub(crate) static RULE: Rule = Rule {
    name: "share/lost-update",
    question: Question::Share,
    severity: Severity::Error,
    languages: &["python", "javascript"],
    on_by_default: true,
    summary: "shared state is read, then written back after a suspension: what another task wrote meanwhile is lost",
    source: include_str!("lost_update.rs"),
    check,
};

const WORDS: Words = Words { message, help, first: "reads", at_read: false };

fn check(ctx: &Context<'_>, found: &mut Vec<Finding>) {
    report(ctx, &RULE, Kind::LostUpdate, &WORDS, found);
    written_back::check(ctx, &RULE, found);
}

fn message(told: &Told) -> String {
    let Told { cell, wait, other, .. } = told;
    format!(
        "`{cell}` is read before the wait for `{wait}` and written back after it: what {other} has written to it meanwhile is lost"
    )
}

fn help(told: &Told) -> (String, &'static str, &'static str) {
    if told.is_one_statement && told.what == What::Modify {
        return (
            format!("await first, into a local, and then change `{}` in one statement without a suspension", told.cell),
            "between a read and a write without a suspension no other task of the loop runs",
            "a lock around the whole statement: it works, and makes every caller wait for the slowest",
        );
    }
    let lock = told.lock();
    (
        format!(
            "hold {lock} from the read to the write, or read `{}` again after the wait and change it in one step",
            told.cell
        ),
        "who holds the lock at the read still holds it at the write, so no other writer comes in between",
        "a lock around the write alone: the value that is written is outdated all the same",
    )
}
