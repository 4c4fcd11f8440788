//! # tool/false-annotation
//!
//! An annotation that says which lock guards a state, or which task owns it, does not hold, or cannot be read.
//!
//! ## What it is
//! What keeps shared state right is mostly an agreement: whoever touches it takes that lock; nobody but that task writes
//! it. Such an agreement can be written down, where the state is introduced:
//!
//! - `# racewalk: guarded-by(self._lock)`: every access after construction happens with the lock held, by the function
//!   itself or by all who call it. Reads count: who looks without the lock may see a half-made change. An element of a
//!   table of locks is written `guarded-by(self._locks[key])`; under which key the lock is taken is not compared.
//! - `# racewalk: owner(self._run)`: one task writes, the one that runs this function, with what that calls; others
//!   only read. `owner(task)` means one task, whichever the code starts.
//! - `# racewalk: guarded-by(self._lock)` on the line of a `def`: the function is called with the lock held. Every
//!   caller must hold it; where none is seen, as in a library, the annotation is believed.
//!
//! It stands on the line of the first assignment, on the line above it, on a class's attribute or dataclass field, a
//! module's variable, or a local that inner functions use. The path is written as the code there would write it.
//!
//! A claim is checked over the whole program. One that holds is knowledge: the rules of `share` say nothing of state that
//! has one owner, and take the lock as held in a function that is called with it. One that does not hold is worse than
//! none, since readers rely on it.
//!
//! ```python bad
//! import asyncio
//!
//!
//! class Cache:
//!     def __init__(self) -> None:
//!         self._lock = asyncio.Lock()
//!         self._items: dict[str, str] = {}  # racewalk: guarded-by(self._lock)
//!
//!     async def put(self, key: str, value: str) -> None:
//!         async with self._lock:
//!             self._items[key] = value
//!
//!     async def drop(self, key: str) -> None:
//!         self._items.pop(key, None)
//! ```
//!
//! ## What one observes
//! Nothing, or whatever the rule behind it describes: a lost update (`share/lost-update`), a change that vanishes while
//! another task holds the lock (`share/inconsistent-lock`), a collection that changes under an iteration.
//!
//! ## Why tests pass all the same
//! Comments do not run, and the access without the lock is right as long as it is alone.
//!
//! ## The structural fix
//! Take the lock at the place that the finding names, or hand the change over to the owner; or, when the agreement has
//! changed, change the annotation.
//!
//! ```python good
//! import asyncio
//!
//!
//! class Cache:
//!     def __init__(self) -> None:
//!         self._lock = asyncio.Lock()
//!         self._items: dict[str, str] = {}  # racewalk: guarded-by(self._lock)
//!
//!     async def put(self, key: str, value: str) -> None:
//!         async with self._lock:
//!             self._items[key] = value
//!             self._trim()
//!
//!     async def drop(self, key: str) -> None:
//!         async with self._lock:
//!             self._items.pop(key, None)
//!
//!     def _trim(self) -> None:  # racewalk: guarded-by(self._lock)
//!         while len(self._items) > 100:
//!             self._items.popitem()
//! ```
//!
//! State with one owner needs no lock:
//!
//! ```python good
//! import asyncio
//!
//!
//! class Meter:
//!     def __init__(self) -> None:
//!         self.queue: asyncio.Queue[int] = asyncio.Queue(100)
//!         self.total = 0  # racewalk: owner(self._run)
//!         self._task: asyncio.Task[None] | None = None
//!
//!     def start(self) -> None:
//!         if self._task is None:
//!             self._task = asyncio.create_task(self._run())
//!
//!     async def _run(self) -> None:
//!         while True:
//!             self.total += await self.queue.get()
//!
//!     async def add(self, number: int) -> None:
//!         await self.queue.put(number)
//! ```
//!
//! ## Fixes that do not work
//! - Another lock at the place that lacks this one: each is alone with its own.
//! - Suppressing the finding: the annotation goes on telling readers what is not so, and no rule relies on it.
//! - `guarded-by` on the `def` line of a public function whose callers cannot know of the lock.
//!
//! ## Cues for a reviewer
//! - A comment such as "protected by `_lock`" or "only the worker writes this": write it so that it is checked.
//! - A new method of a class that owns a lock, at the end of the file, far from the annotation.
//!
//! ## Where it is silent
//! - Constructors, what only they call, class bodies and modules' bodies; start-up code before anything is started; tests.
//! - What may be the lock and may be another: unknown context managers, locks that a parameter brings.
//! - Accesses that a value of unknown type leads to, private helpers that nobody is seen to call, and functions that are
//!   handed over while the lock is held.
//! - Which of two objects of one class the lock belongs to, and which key of a table it is.
//! - A lock or owner that may be a lock or a function, as far as can be told.
//! - Writes of a function before it starts the owner's task, or after it has waited for its end; a task that is started
//!   again after the older one was cancelled.
//!
//! ## Symptoms
//! None.
//!
//! ## The mutation that introduces it
//! Remove the `async with` from one of the methods, or let a second function write what a task owns.
//!
//! ## Difficulty
//! Easy once the agreement is written down; without it nobody knows that there was one.
//!
//! ## Related rules
//! `share/inconsistent-lock`, `share/lost-update`, `share/check-then-act`, `share/data-race`, `tool/unused-suppression`.

use crate::context::Context;
use crate::finding::Finding;
use crate::rule::{Question, Rule};
use racewalk_report::Severity;

/// The rule.
pub(crate) static RULE: Rule = Rule {
    name: "tool/false-annotation",
    question: Question::Tool,
    severity: Severity::Error,
    languages: &["python"],
    on_by_default: true,
    summary: "a `guarded-by` or `owner` annotation that does not hold, or cannot be read",
    source: include_str!("false_annotation.rs"),
    check,
};

fn check(ctx: &Context<'_>, found: &mut Vec<Finding>) {
    for fault in ctx.shared.claims.faults(ctx) {
        let symbol = ctx.symbol(fault.within.id);
        let mut finding = Finding::new(&RULE, fault.at, symbol.as_str(), fault.message.as_str())
            .help(fault.help.as_str())
            .shape(format!("{symbol}:{}", fault.message));
        for (place, what) in &fault.related {
            finding = finding.related(*place, what.as_str());
        }
        found.push(finding);
    }
}
