//! # loop/blocking-call
//!
//! A call blocks the event loop's thread: while it runs, no other task, timer or connection makes progress.
//!
//! ## What it is
//! An event loop runs all its tasks in one thread, one at a time, and switches between them only at suspension
//! points. A call that waits inside the operating system (a sleep, a synchronous HTTP or database request, a name
//! look-up, a subprocess, a file, a thread lock) or that computes for long holds that thread, and with it every
//! task of the loop. Being called from an `async def` function does not change what the call does.
//!
//! The call need not stand in the async function. It may be reached through plain helpers, methods, properties,
//! constructors and other modules; the finding is then at the call in the async function and shows the chain to the
//! sink.
//!
//! A special case does not end at all: a wait, in the loop's thread, for work that needs that loop.
//! `run_coroutine_threadsafe(c, own_loop).result()` waits for a coroutine that can only run once the wait is over.
//! That is a deadlock on the first call.
//!
//! ```python bad
//! import time
//!
//! import requests
//!
//!
//! class RateClient:
//!     def fetch(self, currency: str) -> float:
//!         for attempt in range(3):
//!             response = requests.get(f"https://rates.example/{currency}", timeout=5)
//!             if response.ok:
//!                 return float(response.text)
//!             time.sleep(attempt)
//!         raise RuntimeError(currency)
//!
//!
//! async def quote(client: RateClient, amount: float, currency: str) -> float:
//!     return amount * client.fetch(currency)
//! ```
//!
//! ## What one observes
//! - Latency of unrelated requests rises with the number of calls in flight: ten handlers that block for 200 ms
//!   each take two seconds together, although each is "async".
//! - Health checks and heartbeats time out, web sockets are closed by the peer, timers fire late, `asyncio.timeout`
//!   expires after its time, because the loop did not get to look at the clock.
//! - CPU use is low while the service does not answer.
//! - The deadlock form: the first call never returns, and neither does anything else in the process's loop.
//!
//! ## Why tests pass all the same
//! A test makes one call at a time, so there is nobody to be held up. The blocked function returns the right value.
//! Mocks and local servers answer at once. asyncio reports slow steps only in debug mode, and then names the
//! coroutine, not the line that blocked.
//!
//! ## The structural fix
//! Use the library's asynchronous interface (`httpx.AsyncClient`, `aiohttp`, `asyncio.sleep`,
//! `asyncio.create_subprocess_exec`, an async database driver). Where there is none, move the whole blocking
//! function to a thread at the boundary: `await asyncio.to_thread(f, …)`. For work of pure Python that computes,
//! use a process pool; a thread does not free the interpreter lock.
//!
//! ```python good
//! import asyncio
//!
//! import httpx
//!
//!
//! class RateClient:
//!     def __init__(self, http: httpx.AsyncClient) -> None:
//!         self.http = http
//!
//!     async def fetch(self, currency: str) -> float:
//!         for attempt in range(3):
//!             response = await self.http.get(f"https://rates.example/{currency}", timeout=5)
//!             if response.is_success:
//!                 return float(response.text)
//!             await asyncio.sleep(attempt)
//!         raise RuntimeError(currency)
//!
//!
//! async def quote(client: RateClient, amount: float, currency: str) -> float:
//!     return amount * await client.fetch(currency)
//! ```
//!
//! For a lock, choose the lock of the same world: `asyncio.Lock` between tasks. A `threading.Lock` that guards a
//! few plain statements and is never held across an `await` may stay.
//!
//! ## Fixes that do not work
//! - `async def` around the blocking body: the keyword adds no thread. It also moves a FastAPI endpoint out of the
//!   thread pool, where it did no harm, onto the loop, where it does.
//! - `await asyncio.sleep(0)` before or after the call: other tasks run at that point, and then the call blocks as
//!   before.
//! - `run_in_executor(None, f())` or `to_thread(f())`: the parentheses call `f` in the loop's thread; the executor
//!   gets the result.
//! - A thread for work that computes in pure Python: the interpreter lock lets one thread run at a time, so the
//!   loop still waits its turn. Libraries that release the lock (hashing of large buffers, compression, NumPy) do
//!   gain.
//! - A shorter time limit on the blocking call: the loop is then held for that long, at every call.
//! - More workers or processes: each has a loop that blocks in the same way.
//! - `asyncio.run` around an async client in the helper: that is `loop/nested-event-loop`.
//! - For the deadlock, a time limit on `.result()`: the wait now ends, always with a `TimeoutError`.
//!
//! ## Cues for a reviewer
//! - `time.sleep`, `requests`, `subprocess.run`, `sqlite3`, `psycopg2`, `boto3`, `open`, `input`, `.result()`,
//!   `.join()`, `.acquire()` in an `async def`, or in a plain function that an `async def` calls.
//! - A constructor or property that reads a file or opens a connection.
//! - `with some_thread_lock:` with an `await` in its body.
//! - An endpoint changed from `def` to `async def` whose body did not change.
//! - A call inside the parentheses of `to_thread` or `run_in_executor`.
//!
//! ## Where it is silent
//! - The function is passed, not called, to `asyncio.to_thread`, `run_in_executor`, `run_in_threadpool`,
//!   `anyio.to_thread.run_sync`, `sync_to_async` or an executor's `submit`, also through `functools.partial`, a
//!   lambda or a nested function.
//! - Plain `def` endpoints and dependencies of FastAPI and Starlette, Celery tasks, thread targets: no loop runs in
//!   their thread.
//! - Code that runs before the loop starts: module level, `main`, commands.
//! - Paths that only plain code reaches.
//! - Waits that cannot wait: `.result()` of a future that is known to be done, `acquire(blocking=False)`, `get_nowait`.
//! - Short reads of small local files are `possible`, except on a path run for each request or item, where they are a
//!   warning. Loops that compute are `possible`.
//!
//! ## Symptoms
//! - `Executing <Task finished name='…' coro=<…() done, defined at …> … took … seconds`: asyncio's debug mode; the
//!   place is where the coroutine is defined.
//! - `Executing <Handle … at … created at …> took … seconds`: the same for a callback.
//! - `blockbuster.blockbuster.BlockingError: Blocking call to …`: the blockbuster library patches known calls.
//! - `TimeoutError`: from `.result(timeout=…)` on a future of one's own loop, or from requests whose time ran out
//!   while the loop stood still.
//!
//! ## The mutation that introduces it
//! Replace an asynchronous call by its synchronous counterpart (`await asyncio.sleep(n)` by `time.sleep(n)`, `await
//! client.get(u)` by `requests.get(u)`), or replace `await asyncio.to_thread(f, x)` by `f(x)`. A harder variant
//! does so in a helper two calls away.
//!
//! ## Difficulty
//! Easy for a sink in the async function itself; hard when a property or a constructor in another module leads to it.
//!
//! ## Related rules
//! `loop/nested-event-loop`, `loop/cross-thread-call`, `await/unnecessary-async`, `share/inconsistent-lock`,
//! `bound/no-timeout`.
