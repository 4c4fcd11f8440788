//! # await/callback-mix
//!
//! A value that a callback fills in is returned or read before the callback can have run.
//!
//! ## What it is
//! A callback that is registered with a task, a future, a timer or the event loop runs later: at the earliest when
//! the current function has given the loop its thread back. A function that registers one, and then returns or
//! reads the variable that the callback is to fill, sees the initial value. In the event loop's thread that is
//! certain and not a matter of timing: between the registration and the read no other code runs unless there is an
//! `await`.
//!
//! An exception that the callback raises to its "caller" belongs here too. The code that registered it has long
//! gone on; the exception reaches the loop's exception handler and nobody else.
//!
//! ```python bad
//! import asyncio
//!
//!
//! class Prices:
//!     def __init__(self) -> None:
//!         self.pending: set[asyncio.Task[int]] = set()
//!
//!     async def _load(self, item: str) -> int:
//!         await asyncio.sleep(0)
//!         return len(item)
//!
//!     def price(self, item: str) -> int:
//!         found = 0
//!
//!         def keep(task: asyncio.Task[int]) -> None:
//!             nonlocal found
//!             found = task.result()
//!             self.pending.discard(task)
//!
//!         task = asyncio.get_running_loop().create_task(self._load(item))
//!         self.pending.add(task)
//!         task.add_done_callback(keep)
//!         return found
//!
//!
//! async def main(prices: Prices) -> None:
//!     print(prices.price("pen"))
//!     await asyncio.gather(*prices.pending)
//! ```
//!
//! ## What one observes
//! The function always answers with the initial value: None, zero, an empty list. A list or dict is worse, since it
//! fills up later: whoever looks at once sees nothing, a debugger or a log line that comes later sees everything.
//! An error in the callback appears in the log as an unhandled exception in a callback, while the function has
//! reported success.
//!
//! ## Why tests pass all the same
//! Test doubles call the callback at once, within the registration. With a list the test may await something
//! between the call and the assertion, and by then it is filled.
//!
//! ## The structural fix
//! Return what will have the value: await the task, or return it to a caller who does. If the callback interface is
//! given from outside, put a future between: the callback sets it, the function awaits it.
//!
//! ```python good
//! import asyncio
//!
//!
//! class Prices:
//!     async def _load(self, item: str) -> int:
//!         await asyncio.sleep(0)
//!         return len(item)
//!
//!     async def price(self, item: str) -> int:
//!         return await self._load(item)
//!
//!
//! async def main(prices: Prices) -> None:
//!     print(await prices.price("pen"))
//! ```
//!
//! ## Fixes that do not work
//! - `time.sleep` before the read: holds the thread in which the callback would run; see `loop/blocking-call`.
//! - `while found is None: pass`: the same, for ever.
//! - `await asyncio.sleep(0.1)` before the read: mostly long enough, and wrong when it is not.
//! - `task.result()` after the registration: the task is not done, so it raises `InvalidStateError`.
//! - `raise` in the callback for the caller to catch: the callback's caller is the event loop.
//! - A `threading.Event` that the callback sets and the function waits for, in the loop's thread: a deadlock.
//!
//! ## Cues for a reviewer
//! - A variable set to None or `[]`, a nested function with `nonlocal` or `append`, a registration, a `return` of that
//!   variable.
//! - `add_done_callback`, `call_later`, `Timer` in a function that returns something else than the task.
//! - Code translated from a callback style in which the caller went on inside the callback.
//!
//! ## Where it is silent
//! - Callbacks that are called before the function goes on: `sorted(key=…)`, `map`, `filter`, `re.sub`, `reduce`,
//!   functions of the program that call their argument.
//! - A wait between registration and read: `await` of the task or of a future that the callback sets, `gather`, `wait`,
//!   `Event.wait`, `Thread.join`, the end of an executor's `with` block, `loop.run_until_complete`.
//! - Reads inside the callback, or in another function that is called later.
//! - Containers that an object keeps and that are meant to fill up over time.
//!
//! ## Symptoms
//! - `Exception in callback …`: the callback raised, or read a result that was an exception; the next lines name
//!   the handle.
//! - `asyncio.exceptions.InvalidStateError: Result is not set.`: `task.result()` before the task is done.
//! - `TypeError: 'NoneType' object is not subscriptable`: the initial value was used as the answer.
//! - `Task exception was never retrieved`: the callback did not ask for the exception.
//!
//! ## The mutation that introduces it
//! Replace `return await f()` by a task with a done-callback that sets an outer variable, and return that variable.
//!
//! ## Difficulty
//! Medium: the order of the lines suggests an order of events that is not there.
//!
//! ## Related rules
//! `await/async-callback`, `await/floating-task`, `loop/blocking-call`, `share/sleep-as-sync`.
