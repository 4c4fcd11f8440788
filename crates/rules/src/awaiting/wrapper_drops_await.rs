//! # await/wrapper-drops-await
//!
//! A plain wrapper around an async function is over before the awaitable that it returns has run.
//!
//! ## What it is
//! A plain function that calls an async one gets a coroutine and returns it. That is harmless, unless the wrapper
//! does something that is meant to surround the work: a `try`/`except`, a `finally`, a `with`, a timing span, a
//! retry loop, a context variable that is set and reset. All of that is finished when the wrapper returns, and the
//! coroutine starts to run afterwards, when the caller awaits it.
//!
//! The usual form is a decorator written for plain functions and applied to an async one. `return coro` inside
//! `try` in any plain function is the same.
//!
//! ```python bad
//! import asyncio
//! import functools
//! import time
//!
//!
//! def timed(fn):
//!     @functools.wraps(fn)
//!     def wrapper(*args, **kwargs):
//!         started = time.perf_counter()
//!         try:
//!             return fn(*args, **kwargs)
//!         finally:
//!             print(fn.__name__, time.perf_counter() - started)
//!
//!     return wrapper
//!
//!
//! @timed
//! async def load(key: str) -> str:
//!     await asyncio.sleep(1)
//!     return key
//!
//!
//! asyncio.run(load("a"))
//! ```
//!
//! ## What one observes
//! - Measured durations close to zero, spans without children, counters that count starts as successes.
//! - Exceptions that pass an `except` which names them. No retry is ever made.
//! - A resource, lock or transaction that is released before the work uses it; a context variable that is reset by
//!   then.
//! - Nothing else: callers await the coroutine, and the work is done.
//!
//! ## Why tests pass all the same
//! The result is right on the good path. The wrapper's own tests decorate a plain function. A test that the handler
//! catches errors is often missing, or replaces the function by a mock whose call raises at once, which the
//! `except` does catch.
//!
//! ## The structural fix
//! Await inside the surrounding block. A decorator for both kinds tests once, at decoration, and builds the wrapper
//! that fits.
//!
//! ```python good
//! import asyncio
//! import functools
//! import inspect
//! import time
//!
//!
//! def timed(fn):
//!     if inspect.iscoroutinefunction(fn):
//!
//!         @functools.wraps(fn)
//!         async def async_wrapper(*args, **kwargs):
//!             started = time.perf_counter()
//!             try:
//!                 return await fn(*args, **kwargs)
//!             finally:
//!                 print(fn.__name__, time.perf_counter() - started)
//!
//!         return async_wrapper
//!
//!     @functools.wraps(fn)
//!     def wrapper(*args, **kwargs):
//!         started = time.perf_counter()
//!         try:
//!             return fn(*args, **kwargs)
//!         finally:
//!             print(fn.__name__, time.perf_counter() - started)
//!
//!     return wrapper
//!
//!
//! @timed
//! async def load(key: str) -> str:
//!     await asyncio.sleep(1)
//!     return key
//!
//!
//! asyncio.run(load("a"))
//! ```
//!
//! ## Fixes that do not work
//! - `asyncio.run(fn(…))` in the wrapper: inside a running loop it raises; see `loop/nested-event-loop`.
//! - `asyncio.create_task(fn(…))` in the wrapper: the work starts a little earlier, and still ends after the wrapper.
//! - An async wrapper for everything: plain functions that carry the decorator then return a coroutine to callers
//!   who do not await.
//! - `functools.wraps`: it copies the name and not the behaviour; `iscoroutinefunction` of the wrapper stays false,
//!   so that frameworks which ask will run it in a thread.
//! - A test for `asyncio.iscoroutine(result)` after the `try`: right in place and too late for the `except`, unless
//!   the await happens inside the block.
//!
//! ## Cues for a reviewer
//! - `def wrapper(*args, **kwargs)` with `return fn(*args, **kwargs)` between `try` and `except`, and `async def`
//!   functions under that decorator.
//! - A span or timer that reports microseconds for a network call.
//! - `return self._client.get(…)` inside `with` or `try` of a plain method of an async class.
//!
//! ## Where it is silent
//! - Wrappers that test for coroutine functions or awaitable results and await them.
//! - Plain pass-through: the wrapper does something before the call, or only registers, and surrounds nothing.
//! - Decorators that are applied to plain functions only.
//! - Async wrappers that await; wrappers whose blocks end before the call.
//!
//! ## Symptoms
//! - `RuntimeWarning: coroutine '…' was never awaited`: a framework took the wrapper for a plain function and
//!   dropped the result.
//! - `TypeError: Object of type coroutine is not JSON serializable`: the same, with the result sent as an answer.
//! - `ValueError: [TypeError("'coroutine' object is not iterable"), …]`: the same, in FastAPI's encoder.
//! - `Task exception was never retrieved`: the exception passed the wrapper's handler in a task.
//!
//! ## The mutation that introduces it
//! In an async wrapper, replace `async def` by `def` and `return await fn(…)` by `return fn(…)`.
//!
//! ## Difficulty
//! Hard: the wrapper is correct for plain functions, the decorated function is correct by itself, and the result is
//! right.
//!
//! ## Related rules
//! `await/missing-await`, `await/async-callback`, `share/misplaced-context`, `cancel/swallowed-error`.
