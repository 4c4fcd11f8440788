//! # await/await-non-awaitable
//!
//! Something is awaited, or used in `async for`, `async with`, `for` or `with`, that does not support it.
//!
//! ## What it is
//! `await` needs an awaitable: a coroutine, a task, a future, an object with `__await__`. What a plain function
//! returns is mostly none. The relatives of the defect mix up the other pairs of protocols:
//!
//! - an async generator is awaited (it is an async iterator, made by the call, and there is nothing to await);
//! - a plain `for` or comprehension runs over an async iterator, or `async for` over a list or a coroutine;
//! - a plain `with` holds an async lock or client, or `async with` a thread lock or a plain context manager.
//!
//! ```python bad
//! import asyncio
//!
//!
//! class History:
//!     def __init__(self) -> None:
//!         self.entries: list[str] = []
//!
//!     def add(self, entry: str) -> None:
//!         self.entries.append(entry)
//!
//!
//! async def call_tool(history: History, name: str) -> None:
//!     await asyncio.sleep(0)
//!     await history.add(name)
//!
//!
//! asyncio.run(call_tool(History(), "search"))
//! ```
//!
//! ## What one observes
//! A `TypeError` at the `await`, each time that the line is reached. The plain function has run by then: its effect
//! is there, and what follows the `await` does not happen. Under a broad `except`, or in a task that nobody awaits,
//! the work seems to stop half-way for no reason.
//!
//! ## Why tests pass all the same
//! The line is not reached: it stands in an error branch, a rarely used tool or a shutdown hook. Or the test uses
//! `AsyncMock`, which makes every method of the stand-in awaitable, also those that are plain in the real class.
//!
//! ## The structural fix
//! Remove the `await` if the callee is plain by nature; make the callee async if it ought to wait. For iterators
//! and context managers use the form that belongs to the object.
//!
//! ```python good
//! import asyncio
//!
//!
//! class History:
//!     def __init__(self) -> None:
//!         self.entries: list[str] = []
//!
//!     def add(self, entry: str) -> None:
//!         self.entries.append(entry)
//!
//!
//! async def call_tool(history: History, name: str) -> None:
//!     await asyncio.sleep(0)
//!     history.add(name)
//!
//!
//! asyncio.run(call_tool(History(), "search"))
//! ```
//!
//! In tests, `create_autospec` or `AsyncMock(spec=Class)` gives plain mocks for plain methods.
//!
//! ## Fixes that do not work
//! - Making the plain function `async` without anything to wait for: all its other callers then drop a coroutine; see
//!   `await/unnecessary-async` and `await/missing-await`.
//! - `except TypeError`: it hides errors of the callee as well, and skips what follows.
//! - `asyncio.ensure_future(value)` or `gather(value)`: both need an awaitable too.
//! - `list(async_gen())`: a list is filled by plain iteration; `[x async for x in async_gen()]` is what is meant.
//! - `async with threading.Lock()`: put an `asyncio.Lock` in its place where tasks are kept apart; a thread lock
//!   has no async form.
//!
//! ## Cues for a reviewer
//! - `await` before a call that returns at once by its nature: `set`, `cancel`, `release`, `put_nowait`, `add`,
//!   `append`.
//! - `await response.json()` where the response is of httpx or requests, in which it is plain; of aiohttp and of
//!   Starlette's request, in which it is not.
//! - `await` before a function that contains `yield`.
//! - A callee that was async once and is plain now.
//!
//! ## Where it is silent
//! - Callees that may return an awaitable: unions, plain functions that return a coroutine, task or future,
//!   properties that do.
//! - Objects with `__await__`, generators decorated with `types.coroutine`.
//! - Overridable methods: plain in a base class, async in a subclass.
//! - Mocks, and everything whose type is not known.
//! - Values tested with `inspect.isawaitable` or `asyncio.iscoroutine` before.
//!
//! ## Symptoms
//! - `TypeError: object … can't be used in 'await' expression`: the type's name is in the text (`NoneType` for a
//!   function without `return`, `async_generator` for a function with `yield`).
//! - `TypeError: 'async_generator' object is not iterable`: a plain `for` over it.
//! - `TypeError: 'async for' requires an object with __aiter__ method, got …`: a coroutine, list or generator.
//! - `TypeError: '…' object does not support the asynchronous context manager protocol`: `async with` on a plain one.
//! - `TypeError: '…' object does not support the context manager protocol`: plain `with` on an async one.
//! - `TypeError: An asyncio.Future, a coroutine or an awaitable is required`: a plain value in `gather` or
//!   `ensure_future`.
//! - `TypeError: a coroutine was expected, got …`: a plain value or an async generator in `create_task` or
//!   `asyncio.run`.
//! - `RuntimeError: cannot reuse already awaited coroutine`: the same coroutine awaited a second time.
//!
//! ## The mutation that introduces it
//! Add `await` before a call of a plain function; or remove `async` from a function and leave its callers; or replace
//! `async with lock` by `with lock`.
//!
//! ## Difficulty
//! Easy once the callee is found; medium where the callee's class comes from somewhere else.
//!
//! ## Related rules
//! `await/missing-await`, `await/unnecessary-async`, `await/await-outside-async`.
