//! # await/async-callback
//!
//! An async function is handed to something that calls it and drops what it returns.
//!
//! ## What it is
//! A callback interface that knows nothing of coroutines calls the function and ignores its result, or uses the
//! result as the value. For an `async def` function the call only makes a coroutine; the body never runs. That
//! holds for timers of the loop (`call_soon`, `call_later`, `add_done_callback`), signal handlers, `Thread` and
//! `Timer` targets, `executor.submit`, `atexit.register`, `sorted(key=…)`, `filter`, `map` whose results nobody
//! awaits, and for decorators of frameworks that accept plain functions only (click commands, Celery tasks,
//! Hypothesis' `@given` without an async test plugin).
//!
//! ```python bad
//! import asyncio
//!
//!
//! async def flush() -> None:
//!     await asyncio.sleep(0)
//!     print("flushed")
//!
//!
//! async def serve() -> None:
//!     await asyncio.sleep(2)
//!
//!
//! async def main() -> None:
//!     asyncio.get_running_loop().call_later(1, flush)
//!     await serve()
//!
//!
//! asyncio.run(main())
//! ```
//!
//! ## What one observes
//! The callback does nothing. No exception reaches the code that registered it. As a predicate (`filter(is_open,
//! xs)`) everything passes, because a coroutine object is true. As a sort key it raises. A Celery task answers with
//! a coroutine that cannot be serialised; an async click command prints nothing and exits with status 0; an async
//! test passes without having run, or is refused.
//!
//! ## Why tests pass all the same
//! Tests call the async function directly and await it. The registration is exercised at most through a mock that
//! records that a callback was registered. The never-awaited warning is issued inside the library that made the
//! call, so it names a line of the standard library.
//!
//! ## The structural fix
//! Put something between that owns the coroutine. For the loop's own timers, a task that sleeps first, held by a
//! `TaskGroup` or an attribute; for threads, a plain target that runs a loop of its own; for collections, `gather`
//! before the result is used.
//!
//! ```python good
//! import asyncio
//!
//!
//! async def flush() -> None:
//!     await asyncio.sleep(1)
//!     print("flushed")
//!
//!
//! async def serve() -> None:
//!     await asyncio.sleep(2)
//!
//!
//! async def main() -> None:
//!     async with asyncio.TaskGroup() as group:
//!         group.create_task(flush())
//!         await serve()
//!
//!
//! asyncio.run(main())
//! ```
//!
//! ## Fixes that do not work
//! - `lambda: flush()` or `functools.partial(flush)` as the callback: the call still returns a coroutine to
//!   somebody who drops it.
//! - `lambda: asyncio.run(flush())` in a callback of the loop: a loop is running in that thread; see
//!   `loop/nested-event-loop`.
//! - `lambda: asyncio.create_task(flush())`: it runs, but the task is dropped; see `await/floating-task`.
//! - `await asyncio.to_thread(flush)`: the thread makes the coroutine and hands it back; the body still has not run.
//! - Making the callback plain by blocking inside (`future.result()`): it then holds up the loop; see
//!   `loop/blocking-call`.
//!
//! ## Cues for a reviewer
//! - A name of an `async def` without parentheses as an argument of something that is not part of asyncio, or of
//!   one of the `call_*` and `add_*` methods of the loop.
//! - `@given`, `@click.command`, `@app.task` directly above `async def`.
//! - `map`, `filter`, `sorted`, `max` over async functions without a `gather`.
//!
//! ## Where it is silent
//! - The callee awaits what the callback returns: functions of the program that do `await callback()`, also under
//!   `inspect.isawaitable`, and parameters typed `Callable[…, Awaitable[…]]`.
//! - Frameworks that accept async handlers: FastAPI, Starlette (`BackgroundTasks.add_task` included), aiohttp,
//!   discord.py, `anyio.from_thread.run`, `start_soon`, `asyncio.start_server`.
//! - `gather(*map(f, xs))`, `[f(x) for x in xs]` that is gathered later, `pool.submit(asyncio.run, f())`.
//! - `@given` on an async test that pytest-asyncio or anyio runs.
//! - Registries that only store the function.
//!
//! ## Symptoms
//! - `RuntimeWarning: coroutine '…' was never awaited`: with a line in `asyncio/events.py`, `threading.py` or
//!   `concurrent/futures/thread.py`.
//! - `TypeError: coroutines cannot be used with call_soon()`: `call_soon`, `call_later` and `call_at` with the loop
//!   in debug mode (the method's name is in the text).
//! - `TypeError: coroutines cannot be used with add_signal_handler()`: always.
//! - `TypeError: coroutines cannot be used with run_in_executor()`: in debug mode.
//! - `TypeError: '<' not supported between instances of 'coroutine' and 'coroutine'`: an async sort key.
//! - `hypothesis.errors.InvalidArgument: Hypothesis doesn't know how to run async test functions`: `@given`.
//! - `async def functions are not natively supported.`: pytest without a plugin for async tests.
//! - `kombu.exceptions.EncodeError: Object of type coroutine is not JSON serializable`: an async Celery task.
//!
//! ## The mutation that introduces it
//! Make a registered plain callback `async def` and leave the registration alone; or replace
//! `await asyncio.gather(*map(f, xs))` by `list(map(f, xs))`.
//!
//! ## Difficulty
//! Medium: one must know that the callee does not await.
//!
//! ## Related rules
//! `await/missing-await`, `await/floating-task`, `await/callback-mix`, `loop/nested-event-loop`.
