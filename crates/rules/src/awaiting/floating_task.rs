//! # await/floating-task
//!
//! A task is started and its only reference is dropped: it may be collected before it is done, and its exception is
//! lost.
//!
//! ## What it is
//! `asyncio.create_task` schedules the coroutine; it will start to run. But the event loop keeps only a weak
//! reference to a task. A suspended task is held by whatever will wake it; when that, too, is only reachable from
//! the task, nothing stops the garbage collector from removing both. Whoever starts a task must therefore own it:
//! keep it, and at some time await or cancel it.
//!
//! Three shapes count:
//!
//! - the result of the spawning call is dropped, bound to `_`, or bound to a name that is never read;
//! - tasks are collected in a local list, set or dict that dies with the function, and nobody awaits them: the
//!   function says "done" before they are;
//! - a future of `run_in_executor`, `run_coroutine_threadsafe` or `executor.submit` for work whose failure nobody
//!   will hear of.
//!
//! ```python bad
//! import asyncio
//!
//!
//! async def warm(key: str) -> None:
//!     await asyncio.sleep(0)
//!
//!
//! async def warm_caches(keys: tuple[str, ...]) -> None:
//!     for key in keys:
//!         asyncio.create_task(warm(key))
//!
//!
//! async def main() -> None:
//!     await warm_caches(("a", "b"))
//!     print("caches are warm")
//!
//!
//! asyncio.run(main())
//! ```
//!
//! ## What one observes
//! - The caller reports success before the work is done, and whether or not it gets done.
//! - The task's exception is written to the log when the task is freed, with no link to the request; if something
//!   else still refers to the task, it is never written.
//! - Rarely, and under memory pressure more often: the work stops half-way, with `Task was destroyed but it is
//!   pending!`.
//! - At the end of `asyncio.run` all tasks that are left are cancelled, in the middle of whatever they do.
//!
//! ## Why tests pass all the same
//! In a test the work is short and fakes answer at once, so the task is done before anyone looks, and no collection
//! falls in between. A failing task fails no test: the message goes to the logger `asyncio`, which pytest shows for
//! failed tests only.
//!
//! ## The structural fix
//! Give the task an owner whose lifetime covers it. In one function that is a `TaskGroup`: its block ends when
//! every task has, and a failure is raised there.
//!
//! ```python good
//! import asyncio
//!
//!
//! async def warm(key: str) -> None:
//!     await asyncio.sleep(0)
//!
//!
//! async def warm_caches(keys: tuple[str, ...]) -> None:
//!     async with asyncio.TaskGroup() as group:
//!         for key in keys:
//!             group.create_task(warm(key))
//!
//!
//! async def main() -> None:
//!     await warm_caches(("a", "b"))
//!     print("caches are warm")
//!
//!
//! asyncio.run(main())
//! ```
//!
//! For work that outlives the call, keep the task in a set on an object that lives as long, discard it in a
//! done-callback that also looks at its exception, and cancel and await what is left at shutdown. Work that must
//! not be lost belongs in a durable queue.
//!
//! ## Fixes that do not work
//! - `await asyncio.create_task(f())`: correct, and no better than `await f()`.
//! - `_ = asyncio.create_task(f())` or `task = …` without a later use: the name dies with the frame.
//! - `task.add_done_callback(log_error)` alone: the exception is reported now, but the callback is held by the
//!   task, not the task by the callback. It can still be collected.
//! - `await asyncio.sleep(…)` after it, to give the task time: it has that much time, and still no owner.
//! - A module-level list to which tasks are only ever appended: nothing is collected any more, and nothing is freed.
//! - `asyncio.gather(...)` without `await`: the gathering future is dropped in place of the tasks.
//!
//! ## Cues for a reviewer
//! - A statement that is only `create_task(…)` or `ensure_future(…)`.
//! - A list of tasks with `append`, and no `gather`, `wait` or loop that awaits.
//! - "fire and forget" in a comment.
//! - A function named `warm_…`, `flush_…`, `save_…` that returns before its tasks can have run.
//!
//! ## Where it is silent
//! - Tasks of a `TaskGroup`, a nursery or an anyio task group.
//! - Tasks kept in an attribute, a module variable or a container that outlives the call and from which they are
//!   awaited, cancelled, or discarded by a done-callback.
//! - Tasks that are returned, yielded, or handed to a callee that keeps, awaits or cancels them; wrappers of the
//!   program or of a framework that keep what they start.
//! - Tasks awaited directly or through `gather`, `wait`, `as_completed`, `wait_for`, `shield`.
//! - A task bound to a local name that stays alive in a function that does not return before the loop ends
//!   (`asyncio.Event().wait()`, a server's accept loop).
//!
//! ## Symptoms
//! - `Task was destroyed but it is pending!`: collected while suspended; the next line names the task and where its
//!   coroutine is defined.
//! - `Task exception was never retrieved`: it failed, and nobody had a reference to ask.
//! - `Future exception was never retrieved`: the same for a future of `run_in_executor`. A dropped future of
//!   `run_coroutine_threadsafe` or of an executor's `submit` logs nothing at all.
//! - `_GatheringFuture exception was never retrieved`: `gather` without `await`.
//! - `RuntimeWarning: coroutine '…' was never awaited`: the loop was closed before the task took its first step.
//! - `RuntimeError: Event loop is closed`: the task was left over and went on with a connection after the loop had
//!   gone.
//!
//! ## The mutation that introduces it
//! Replace `await f(…)` by `asyncio.create_task(f(…))`; or replace a `TaskGroup` by a loop of `create_task`; or
//! remove the `gather` after such a loop.
//!
//! ## Difficulty
//! Medium: the dropped statement is plain; whether a wrapper or container keeps the task must be followed.
//!
//! ## Related rules
//! `await/missing-await`, `cancel/swallowed-error`, `cancel/unstructured-tasks`, `bound/unbounded-fan-out`,
//! `cancel/orphaned-losers`.
