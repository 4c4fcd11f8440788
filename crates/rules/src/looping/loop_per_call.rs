//! # loop/loop-per-call
//!
//! A plain function starts a fresh event loop on every call, while the client, pool or session that it uses lives
//! longer than the loop.
//!
//! ## What it is
//! `asyncio.run` and `new_event_loop` with `run_until_complete` make a loop, run one coroutine on it, and close it.
//! Connections, pools and their locks belong to the loop that was running when they were first used. An object that
//! outlives the call (an attribute, a module variable, a parameter) therefore meets a new loop on the second call,
//! holding connections that are registered with a closed one.
//!
//! ```python bad
//! import asyncio
//!
//! import httpx
//!
//!
//! class Catalog:
//!     def __init__(self) -> None:
//!         self.http = httpx.AsyncClient(base_url="https://catalog.example", timeout=5)
//!
//!     async def _load(self, item: str) -> dict:
//!         response = await self.http.get(f"/items/{item}")
//!         return response.json()
//!
//!     def load(self, item: str) -> dict:
//!         return asyncio.run(self._load(item))
//!
//!
//! catalog = Catalog()
//!
//!
//! def report(items: list[str]) -> list[dict]:
//!     return [catalog.load(item) for item in items]
//! ```
//!
//! ## What one observes
//! - The first call works. A later one fails with `Event loop is closed` or `attached to a different loop`, once a
//!   pooled connection is used again: so it depends on keep-alive times and on the load.
//! - Connections are never reused where they do not fail; each call pays for a new loop and a new handshake.
//! - Sockets and selectors pile up when the loop is made by `new_event_loop` and not closed.
//! - Tasks that the call leaves behind are cancelled as it ends.
//!
//! ## Why tests pass all the same
//! A test makes one call on a fresh object. Mock transports have no connections, so nothing is bound to a loop.
//!
//! ## The structural fix
//! One loop for the object's whole life. Best, make the chain async, with one `asyncio.run` at the program's edge.
//! Where plain callers must stay, run one loop in one thread for as long as the object lives, and submit to it.
//!
//! ```python good
//! import asyncio
//!
//! import httpx
//!
//!
//! class Catalog:
//!     def __init__(self, http: httpx.AsyncClient) -> None:
//!         self.http = http
//!
//!     async def load(self, item: str) -> dict:
//!         response = await self.http.get(f"/items/{item}")
//!         return response.json()
//!
//!
//! async def report(item: str) -> dict:
//!     async with httpx.AsyncClient(base_url="https://catalog.example", timeout=5) as http:
//!         return await Catalog(http).load(item)
//!
//!
//! if __name__ == "__main__":
//!     asyncio.run(report("pen"))
//! ```
//!
//! ## Fixes that do not work
//! - Closing the loop properly: correct, and the client still belongs to the closed one.
//! - `asyncio.get_event_loop()` in place of a new one: which loop that is depends on the thread; in a worker thread
//!   there is none, and in the main thread from Python 3.14 on none is made.
//! - A new client for every call, beside the new loop: it works, and pays for a connection each time; the pool has
//!   lost its purpose.
//! - Calling it from async code: then it does not even start; see `loop/nested-event-loop`.
//! - A `threading.Lock` around the function: one call at a time, and still a new loop for each.
//!
//! ## Cues for a reviewer
//! - `asyncio.run(self.…)` in a method, above all in a class that also has the async form.
//! - `new_event_loop()` without a `close()` in a `finally`.
//! - A "sync facade" over an async client that is made once.
//!
//! ## Where it is silent
//! - One-shot scripts: one `asyncio.run` under `__main__` or in a command.
//! - Functions whose coroutine makes everything that it uses (`async with httpx.AsyncClient()` inside).
//! - A loop made once and kept, with all work submitted to it.
//! - Tests, each of which has a loop of its own.
//! - Coroutines that use no object that is bound to a loop.
//!
//! ## Symptoms
//! - `RuntimeError: Event loop is closed`: a kept connection is used or closed after its loop.
//! - `RuntimeError: Task … got Future … attached to a different loop`: a pooled connection's future meets the new loop.
//! - `RuntimeError: … is bound to a different event loop`: the pool's lock or queue does.
//! - `RuntimeError: There is no current event loop in thread '…'.`: `get_event_loop` in a worker thread.
//! - `ResourceWarning: unclosed event loop …`: made and never closed.
//! - `Unclosed client session`: aiohttp, the session's loop is gone.
//!
//! ## The mutation that introduces it
//! Add a plain twin of an async method (`return asyncio.run(self.method(…))`) to a class that holds a client, and
//! call the twin.
//!
//! ## Difficulty
//! Medium: the call is plain to see; that the client outlives it is in the constructor.
//!
//! ## Related rules
//! `loop/nested-event-loop`, `loop/cross-loop-primitive`, `loop/blocking-call`.
