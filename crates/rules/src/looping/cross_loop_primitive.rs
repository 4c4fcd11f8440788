//! # loop/cross-loop-primitive
//!
//! A lock, event, queue, future or client that belongs to one event loop is used from another.
//!
//! ## What it is
//! asyncio's primitives keep tasks of one loop apart or bring them together. They wake a waiting task through a
//! future of the loop on which the wait began; they are not made for several loops, nor for several threads. Since
//! Python 3.10 a primitive is bound to a loop when a task first has to wait for it; before, it took the current
//! loop when it was made.
//!
//! The usual cause is a primitive at module level, in a class attribute, in a default value or in a long-lived
//! object, and more than one loop over the life of the process: several `asyncio.run`, a loop in each worker
//! thread, a background thread with a loop of its own.
//!
//! ```python bad
//! import asyncio
//! import threading
//!
//! lock = asyncio.Lock()
//!
//!
//! async def append(line: str) -> None:
//!     async with lock:
//!         print("begin", line)
//!         await asyncio.sleep(0)
//!         print("end", line)
//!
//!
//! def worker() -> None:
//!     asyncio.run(append("x"))
//!
//!
//! def main() -> None:
//!     threads = [threading.Thread(target=worker) for _ in range(4)]
//!     for thread in threads:
//!         thread.start()
//!     for thread in threads:
//!         thread.join()
//!
//!
//! if __name__ == "__main__":
//!     main()
//! ```
//!
//! ## What one observes
//! - As long as nobody has to wait, nothing: a free lock is taken and given back without any loop.
//! - With contention, a `RuntimeError` in one of the tasks, and a lock that seems to work in the others.
//! - Between threads also no error at all: two threads take a free lock at the same time, since an asyncio lock is not
//!   thread-safe; or a task waits for ever, because the wake-up was put into a loop that nobody told to look.
//!
//! ## Why tests pass all the same
//! Tests run one call at a time, so the primitive is never contended and is never bound. Each test that has a loop
//! of its own may also be the first to use the module's lock. A thread test whose futures nobody asks passes
//! although most of them failed.
//!
//! ## The structural fix
//! Make the primitive where its loop runs, and hand it down: in `main`, in a lifespan, in the constructor of an
//! object that lives within one run. Between threads use the primitives of threads, for short sections without
//! `await`, or send the work to the one loop that owns the state.
//!
//! ```python good
//! import asyncio
//!
//!
//! async def append(lock: asyncio.Lock, line: str) -> None:
//!     async with lock:
//!         print("begin", line)
//!         await asyncio.sleep(0)
//!         print("end", line)
//!
//!
//! async def main() -> None:
//!     lock = asyncio.Lock()
//!     async with asyncio.TaskGroup() as group:
//!         for _ in range(4):
//!             group.create_task(append(lock, "x"))
//!
//!
//! if __name__ == "__main__":
//!     asyncio.run(main())
//! ```
//!
//! ## Fixes that do not work
//! - A lock made in every call: it binds to the right loop, and keeps nobody apart from anybody.
//! - One lock for each loop in a table, around state that all loops share: within a loop tasks are kept apart,
//!   across loops they are not.
//! - `except RuntimeError` and a new lock: whoever held the old one is still inside.
//! - Making the primitive lazily on first use: the first loop to use it wins, and the others fail as before.
//! - A `threading.Lock` held across the `await`: it does keep threads apart, and blocks a whole loop while it
//!   waits; see `loop/blocking-call`.
//!
//! ## Cues for a reviewer
//! - `asyncio.Lock()`, `Event()`, `Queue()`, `Semaphore()` at module or class level, or as a default value.
//! - More than one `asyncio.run` in a program; `asyncio.run` as a thread's target or in a Celery task.
//! - A background thread with `run_forever`, and objects that are also used from the main loop.
//!
//! ## Where it is silent
//! - Primitives made inside the running loop, or in objects that are.
//! - Module-level primitives of a program with one loop: one `asyncio.run`, one server.
//! - A primitive for each loop, looked up by the running loop, that guards state of that loop.
//! - Primitives of `threading` and `queue`, `concurrent.futures.Future`.
//! - Several runs of which each makes its own objects.
//! - Use through `call_soon_threadsafe` or `run_coroutine_threadsafe` to the owning loop.
//!
//! ## Symptoms
//! - `RuntimeError: … is bound to a different event loop`: Python 3.10 and later; the text begins with the primitive
//!   (`<asyncio.locks.Lock object at 0x… [locked]>`, `<Queue at 0x… maxsize=0 tasks=1>`).
//! - `RuntimeError: Task … got Future … attached to a different loop`: a future or a pooled connection; locks and
//!   queues up to Python 3.9.
//! - `RuntimeError: Event loop is closed`: a client whose loop has ended.
//! - `RuntimeError: Lock is not acquired.`: released by the other side.
//! - `RuntimeError: Non-thread-safe operation invoked on an event loop other than the current one`: in debug mode.
//!
//! ## The mutation that introduces it
//! Move a primitive from a constructor or from `main` to module level, in a program with several runs; or replace one
//! `asyncio.run` over all the work by one for each piece.
//!
//! ## Difficulty
//! Hard: creation, use and the several loops are in different places, and without contention nothing happens.
//!
//! ## Related rules
//! `loop/loop-per-call`, `loop/cross-thread-call`, `share/inconsistent-lock`, `share/shared-session`.
