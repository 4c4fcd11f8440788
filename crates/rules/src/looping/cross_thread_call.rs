//! # loop/cross-thread-call
//!
//! A method of an event loop, or of an object that belongs to one, is called from another thread.
//!
//! ## What it is
//! Event loops, tasks, asyncio's futures, events, queues and transports are not thread-safe. They may be used in
//! the thread of their loop only. Two things go wrong elsewhere: their state can be changed by two threads at the
//! same time, and the loop is not woken. It sleeps in its selector until something it watches happens; a callback
//! that another thread put into its queue does not count.
//!
//! Other threads are: thread targets and timers, functions passed to executors and `to_thread`, callbacks of
//! `concurrent.futures` futures, library threads, and plain `def` endpoints that a framework runs in its pool.
//!
//! ```python bad
//! import asyncio
//! import threading
//! import time
//!
//!
//! class Sensor:
//!     def __init__(self, queue: asyncio.Queue[float]) -> None:
//!         self.queue = queue
//!
//!     def _read(self) -> None:
//!         while True:
//!             time.sleep(1)
//!             self.queue.put_nowait(20.5)
//!
//!     def start(self) -> None:
//!         threading.Thread(target=self._read, daemon=True).start()
//!
//!
//! async def main() -> None:
//!     queue: asyncio.Queue[float] = asyncio.Queue(maxsize=100)
//!     Sensor(queue).start()
//!     while True:
//!         print(await queue.get())
//! ```
//!
//! ## What one observes
//! - The waiting task wakes late: at the next timer or packet of the loop, in an idle service perhaps never. In a
//!   busy service it looks right.
//! - `create_task` and `get_running_loop` raise at once, since no loop runs in that thread.
//! - Rarely: a lost item, a callback that runs twice or not at all, an `InvalidStateError`.
//!
//! ## Why tests pass all the same
//! Tests have short timeouts and heartbeats, so the loop wakes up often. Without debug mode nothing checks the
//! thread. On a small test the two threads hardly meet.
//!
//! ## The structural fix
//! Cross the border with one of the calls made for it: `loop.call_soon_threadsafe(f, …)` for a plain call,
//! `asyncio.run_coroutine_threadsafe(c, loop)` for a coroutine, `anyio.from_thread.run` in anyio's workers. Take
//! the loop in the coroutine that starts the thread, and hand it over. Or let the thread return its result, and
//! await that.
//!
//! ```python good
//! import asyncio
//! import threading
//! import time
//!
//!
//! class Sensor:
//!     def __init__(self, queue: asyncio.Queue[float], loop: asyncio.AbstractEventLoop) -> None:
//!         self.queue = queue
//!         self.loop = loop
//!
//!     def _read(self) -> None:
//!         while True:
//!             time.sleep(1)
//!             self.loop.call_soon_threadsafe(self.queue.put_nowait, 20.5)
//!
//!     def start(self) -> None:
//!         threading.Thread(target=self._read, daemon=True).start()
//!
//!
//! async def main() -> None:
//!     queue: asyncio.Queue[float] = asyncio.Queue(maxsize=100)
//!     Sensor(queue, asyncio.get_running_loop()).start()
//!     while True:
//!         print(await queue.get())
//! ```
//!
//! ## Fixes that do not work
//! - A `threading.Lock` around the call: the loop's own use of the object takes no such lock, and the loop is still
//!   not woken.
//! - `asyncio.get_event_loop()` in the thread: there is none in a worker thread, so it raises.
//! - `asyncio.new_event_loop()` or `asyncio.run` in the thread: another loop, to which the object does not belong; see
//!   `loop/cross-loop-primitive`.
//! - A task in the loop that sleeps for a short time again and again, so that it wakes up: the delay becomes
//!   bounded, the race stays.
//! - `call_soon_threadsafe(queue.put, item)`: `put` is a coroutine function, so nothing is put; use `put_nowait`.
//!
//! ## Cues for a reviewer
//! - `put_nowait`, `set_result`, `set`, `cancel`, `call_soon`, `create_task` in a function that is a thread's
//!   target or is passed to an executor.
//! - A callback of a library with threads of its own (MQTT, gRPC, file watchers, audio) that touches asyncio objects.
//! - `def` endpoints that start tasks.
//!
//! ## Where it is silent
//! - `call_soon_threadsafe`, `run_coroutine_threadsafe`, `anyio.from_thread`, `asyncio.wrap_future`.
//! - Objects of threads: `queue.Queue`, `threading.Event`, `concurrent.futures.Future`.
//! - A thread that runs a loop of its own, inside the coroutines of that loop.
//! - Done-callbacks of asyncio's tasks and callbacks of the loop: these run in its thread.
//! - Reading without side effects: `queue.qsize()`, `task.done()`.
//!
//! ## Symptoms
//! - `RuntimeError: no running event loop`: `create_task`, `get_running_loop` or `asyncio.timeout` in a worker thread.
//! - `RuntimeError: There is no current event loop in thread '…'.`: `get_event_loop`, `ensure_future` there.
//! - `RuntimeError: Non-thread-safe operation invoked on an event loop other than the current one`: in debug mode.
//! - `asyncio.exceptions.InvalidStateError: invalid state`: two threads set the same future.
//! - `RuntimeWarning: coroutine '…' was never awaited`: the coroutine that was given to the failed `create_task`.
//!
//! ## The mutation that introduces it
//! Replace `loop.call_soon_threadsafe(f, x)` by `f(x)` or by `loop.call_soon(f, x)`; replace
//! `run_coroutine_threadsafe(c, loop)` by `loop.create_task(c)`.
//!
//! ## Difficulty
//! Hard: the call itself is correct in the loop's thread; who calls the function must be followed.
//!
//! ## Related rules
//! `loop/cross-loop-primitive`, `loop/blocking-call`, `await/async-callback`, `share/data-race`.
