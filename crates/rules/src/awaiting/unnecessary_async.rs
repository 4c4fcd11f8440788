//! # await/unnecessary-async
//!
//! A function is `async def`, its body never awaits, and nothing requires it to be async.
//!
//! ## What it is
//! `async def` is a promise to the callers: this may suspend. Every caller must then await, and so must be async in
//! turn. When the body holds no `await`, `async for`, `async with` or async comprehension, and no interface,
//! framework, table or parameter asks for an awaitable, the promise is empty.
//!
//! A special shape is the cascade. A dispatcher does `await handler(message)` for whatever it finds in a table; so
//! every handler has to be `async def`, whether or not it waits for anything. When no handler in the table awaits,
//! the cause is the dispatcher: it is reported once, with the handlers attached.
//!
//! ```python bad
//! import asyncio
//!
//!
//! class Roster:
//!     def __init__(self) -> None:
//!         self.users: set[str] = set()
//!
//!     async def join(self, user: str) -> int:
//!         self.users.add(user)
//!         return len(self.users)
//!
//!
//! async def welcome(roster: Roster, user: str) -> str:
//!     count = await roster.join(user)
//!     await asyncio.sleep(0)
//!     return f"{user} is number {count}"
//!
//!
//! asyncio.run(welcome(Roster(), "ada"))
//! ```
//!
//! ## What one observes
//! Nothing breaks. Each call makes and drives a coroutine for nothing; functions up the call chain become async
//! only to await this one; tests need an event loop; readers look for a suspension point that is not there, and
//! guard state against an interleaving that cannot happen. When a plain caller forgets the `await`, the effect
//! silently does not take place.
//!
//! ## Why tests pass all the same
//! The function does what it should. There is no failure to find; it costs latency, clarity, and one chance more for a
//! missing `await` at every call site.
//!
//! ## The structural fix
//! Make the function `def` and remove the `await` at its call sites, in one change: both halves or neither. Callers
//! that then have no `await` left follow. For a dispatcher, let it accept both kinds, and make those handlers plain
//! that do not wait:
//!
//! ```python good
//! import asyncio
//! import inspect
//!
//!
//! class Server:
//!     def __init__(self) -> None:
//!         self.users: set[str] = set()
//!         self.handlers = {"JOIN": self.join, "SYNC": self.sync}
//!
//!     async def dispatch(self, kind: str, user: str) -> None:
//!         result = self.handlers[kind](user)
//!         if inspect.isawaitable(result):
//!             await result
//!
//!     def join(self, user: str) -> None:
//!         self.users.add(user)
//!
//!     async def sync(self, user: str) -> None:
//!         await asyncio.sleep(0)
//!         self.users.discard(user)
//!
//!
//! asyncio.run(Server().dispatch("JOIN", "ada"))
//! ```
//!
//! ## Fixes that do not work
//! - Removing `async` from the handlers alone: the dispatcher then awaits None and raises a `TypeError` for each
//!   message.
//! - `await asyncio.sleep(0)` in the body, so that there is an `await`: it adds a real suspension point, and with it an
//!   interleaving, to code that had none.
//! - Testing with `asyncio.iscoroutine` in the dispatcher: a handler that returns a task, a future or another awaitable
//!   slips through. `inspect.isawaitable` asks what is meant.
//! - Testing with `inspect.iscoroutinefunction(handler)`: a plain function or lambda that returns a coroutine, a
//!   decorated function, or an object whose `__call__` is async is not seen as one, although what it returns must
//!   be awaited.
//! - Removing `async` from a function that makes an event loop run inside, or that blocks: such a function should
//!   become async properly. See `loop/nested-event-loop` and `loop/blocking-call`.
//!
//! ## Cues for a reviewer
//! - An `async def` without the word `await` below it.
//! - A family of handlers with one signature, all async, most of them two lines long.
//! - `await` in front of a call that only touches memory.
//! - Test helpers that exist to run one line in a loop.
//!
//! ## Where it is silent
//! - Overrides of an async method, implementations of an abstract or protocol method, and methods that subclasses
//!   override with ones that await.
//! - Handlers, hooks, dependencies, lifespans and commands of frameworks; tests and fixtures.
//! - Functions passed or stored where an awaitable or a coroutine function is required (`create_task(f())`, `gather`,
//!   a parameter typed `Callable[…, Awaitable[…]]`), or handed to something unknown.
//! - Stubs (`...`, `pass`, a docstring), bodies that raise `NotImplementedError`, async generators, dunder methods.
//! - Handlers in a table where at least one of them awaits. Where none does: one finding, at the dispatcher.
//! - Functions that need a running loop although they do not await: `create_task`, `get_running_loop`, `call_soon`.
//! - Functions whose name is an implicit protocol: the same async name in many modules of the program.
//! - Functions that reach a nested event loop or a blocking call: these should await, and are reported for that.
//!
//! ## Symptoms
//! - `TypeError: object NoneType can't be used in 'await' expression`: the half-done removal; the function is plain
//!   now and a caller still awaits it.
//! - `RuntimeWarning: coroutine '…' was never awaited`: a plain caller took the function for a plain one.
//! - `async def functions are not natively supported.`: pytest, when a test is async for the sake of such a function.
//!
//! ## The mutation that introduces it
//! Add `async` to a `def` whose body does not wait, and `await` at its call sites. At scale: make a dispatcher
//! await its handlers, then make all of them async.
//!
//! ## Difficulty
//! Easy to see in one function; hard to judge, since what requires it to be async is mostly in another file.
//!
//! ## Related rules
//! `await/missing-await`, `await/await-non-awaitable`, `loop/blocking-call`, `loop/nested-event-loop`.
