//! # await/missing-await
//!
//! A coroutine is created and dropped, or used where the value it would produce is meant.
//!
//! ## What it is
//! Calling an `async def` function runs none of its body. It builds a coroutine object; the body runs when
//! something awaits that object or hands it to the event loop as a task. A call without `await` therefore has one
//! of two outcomes:
//!
//! - **dropped**: the coroutine is nobody's; the work never happens;
//! - **used as a value**: the coroutine object stands where its result was meant: in a condition (an object is always
//!   true), an attribute access, a subscript, a loop, a comparison, arithmetic, a format string, a serialiser, or as an
//!   argument of a function that wants the result.
//!
//! The call and the `async def` are often in different files. What joins them may be a base class, a constructor
//! parameter, an `X | None` attribute, a factory, a re-export or a library. This rule follows all of them.
//!
//! ```python bad
//! import asyncio
//!
//!
//! class Tool:
//!     async def set_progress(self, text: str) -> None:
//!         await asyncio.sleep(0)
//!
//!
//! class CodeTool(Tool):
//!     async def execute(self) -> str:
//!         output = await self.read_output()
//!         self.set_progress(output)
//!         return output
//!
//!     async def read_output(self) -> str:
//!         await asyncio.sleep(0)
//!         return "done"
//!
//!
//! asyncio.run(CodeTool().execute())
//! ```
//!
//! ## What one observes
//! - Dropped: an effect that never takes place. No row is written, no message goes out, the progress display stands
//!   still. The caller has returned normally.
//! - In a condition: the guard is always true (`if not repo.exists(key)` never enters its branch).
//! - In a text: the log or the response shows `<coroutine object Repo.name at 0x…>`.
//! - Elsewhere: a `TypeError` or `AttributeError` that names `coroutine`, raised at the use and not at the call
//!   that lacks the `await`. Inside a broad `except` it disappears, and what remains is an empty or default answer.
//! - On stderr, once for each place: `coroutine '…' was never awaited`, with the line on which the object was freed.
//!
//! ## Why tests pass all the same
//! The warning is a `RuntimeWarning`, which fails no test by default; pytest lists it in the summary of a green run.
//! `python -W error` does not help either: the error is raised while the object is freed, where it can only be printed.
//! Tests that replace the callee with a `Mock` hand back a mock in place of a coroutine, so the missing `await` is not
//! missed. A test that only asserts on the return value never looks at the effect that did not happen.
//!
//! ## The structural fix
//! Await the call. If the work may go on while the caller continues, give it an owner: a `TaskGroup`, or a task
//! kept in an attribute and awaited at shutdown. Then look at what the added `await` unmasks: until now the lines
//! after it never ran with a real value (a model used like a dict, an exception that a broad `except` swallowed).
//!
//! ```python good
//! import asyncio
//!
//!
//! class Tool:
//!     async def set_progress(self, text: str) -> None:
//!         await asyncio.sleep(0)
//!
//!
//! class CodeTool(Tool):
//!     async def execute(self) -> str:
//!         output = await self.read_output()
//!         await self.set_progress(output)
//!         return output
//!
//!     async def read_output(self) -> str:
//!         await asyncio.sleep(0)
//!         return "done"
//!
//!
//! asyncio.run(CodeTool().execute())
//! ```
//!
//! Search for every other call of the same function: where one site lacks the `await`, sites written at the same
//! time often lack it too.
//!
//! ## Fixes that do not work
//! - `asyncio.create_task(f())` with the task dropped: the body is scheduled, but nobody waits for it, nobody hears
//!   of its exception, and it can be collected while it is suspended. That is `await/floating-task`.
//! - `asyncio.run(f())` at the call site: a loop is already running there, so it raises. That is
//!   `loop/nested-event-loop`.
//! - `_ = f()` or a filter for the warning: both hide the message; the body still never runs.
//! - Making the callee a plain `def` that returns the inner coroutine: its callers have the same defect one step later.
//! - `inspect.isawaitable(x)` at the use: right for an interface that accepts both kinds, wrong where the callee is
//!   known to be async, since it makes a mistake look like a choice.
//!
//! ## Cues for a reviewer
//! - A call of an `async def` without `await` in the body of an `async def`, above all next to calls that do have it.
//! - `.get(…)`, `[…]`, `for … in` or `if` applied directly to the result of a call whose name suggests I/O.
//! - A broad `except` around calls to an async collaborator.
//! - A function that was plain and has been made async: was every call site changed?
//! - A fix that adds `await` at some sites of a function: look for the sites it did not touch.
//!
//! ## Where it is silent
//! - The coroutine is returned, yielded, stored and awaited later on every path, or put in a container that is
//!   gathered.
//! - It is handed to something that awaits or schedules it: `gather`, `wait_for`, `shield`, `as_completed`,
//!   `create_task`, `ensure_future`, `TaskGroup.create_task`, `start_soon`, `run`, `run_until_complete`,
//!   `run_coroutine_threadsafe`, or a function of the program that does one of these with its parameter.
//! - It is closed (`coro.close()`), or tested with `asyncio.iscoroutine` or `inspect.isawaitable` first.
//! - The callee is an async generator (calling one makes an iterator), a plain function that returns a union of
//!   value and awaitable, or a decorator has turned the async function into a plain one.
//! - A mock, or a plain method that happens to share the name of an async function elsewhere.
//! - The callee is unknown. With `--strict`, an unknown callee whose result is dropped is `possible` where sibling
//!   sites await it.
//!
//! ## Symptoms
//! - `RuntimeWarning: coroutine '…' was never awaited`: dropped, or used and then freed.
//! - `AttributeError: 'coroutine' object has no attribute '…'`: a method or field of the result was meant.
//! - `TypeError: 'coroutine' object is not iterable`: a loop or comprehension over the result.
//! - `TypeError: cannot unpack non-iterable coroutine object`: `a, b = f()`.
//! - `TypeError: 'coroutine' object is not subscriptable`: `f()["key"]`.
//! - `TypeError: 'coroutine' object is not callable`: the result was meant to be called.
//! - `TypeError: object of type 'coroutine' has no len()`: `len(f())`.
//! - `TypeError: argument of type 'coroutine' is not iterable`: `x in f()`.
//! - `TypeError: unsupported operand type(s) for …: 'coroutine' and '…'`: arithmetic.
//! - `TypeError: '<' not supported between instances of 'coroutine' and '…'`: comparison, sorting.
//! - `TypeError: Object of type coroutine is not JSON serializable`: the coroutine reached a serialiser.
//! - `TypeError: 'coroutine' object does not support the asynchronous context manager protocol`: `async with f()` where
//!   `async with await f()` was meant.
//! - `TypeError: 'coroutine' object does not support the context manager protocol`: `with f()`.
//! - `ValueError: [TypeError("'coroutine' object is not iterable"), …]`:
//!   FastAPI's encoder was given the coroutine as an answer.
//! - `<coroutine object … at 0x…>`: in a log line, a page or a file.
//!
//! ## The mutation that introduces it
//! Remove `await` from a call whose callee is `async def`. A harder variant wraps the statement in
//! `try: … except Exception: pass`; the hardest also changes the callee's result from a dict to a model, so that the
//! repaired line fails in its turn.
//!
//! ## Difficulty
//! Medium: with the callee's signature in view it is plain, but the signature is mostly in another file.
//!
//! ## Related rules
//! `await/floating-task`, `await/wrapper-drops-await`, `await/async-callback`, `await/await-non-awaitable`,
//! `await/unnecessary-async`.
