"""An asyncio event loop whose environment is under control.

The ready queue is what asyncio guarantees: first in, first out, one batch an iteration. Time is virtual. Everything
that the environment decides (a reply arrives, work in a thread ends, a timer is due) waits as an `Event` until whoever
drives the loop delivers it. Real I/O is refused.
"""
from __future__ import annotations

import asyncio
import contextvars
import heapq
import traceback
import weakref
from asyncio import events
from collections import deque
from typing import Any, Callable, Dict, List, Optional, Tuple

from .scripted import CALL, START_TIME

class Denied(RuntimeError):
    """Code under exploration tried to reach the world outside."""


#: What was refused: what it was, and the frames that asked for it, innermost last.
REFUSED: List[Tuple[str, List[traceback.FrameSummary]]] = []


#: The file that frames of the import system are in.
_IMPORTING = "<frozen importlib._bootstrap>"


def refuse(what: str) -> None:
    """Raises `Denied`, and notes who asked: the code may well swallow the error. What a module tries out when it is loaded, and
    can do without, is no part of a call.
    """
    frames = list(traceback.extract_stack()[:-2])
    if not any(frame.filename == _IMPORTING for frame in frames):
        REFUSED.append((what, frames))
    raise Denied("real I/O is not available while schedules are explored: %s" % what)


class Handle:
    """What `asyncio.Handle` and `asyncio.TimerHandle` are to the stock loop."""

    __slots__ = ("callback", "args", "context", "dead", "due", "__weakref__")

    def __init__(self, callback: Callable[..., Any], args: tuple, context: contextvars.Context, due: float) -> None:
        self.callback = callback
        self.args = args
        self.context = context
        self.dead = False
        self.due = due

    def cancel(self) -> None:
        self.dead = True
        self.args = ()

    def cancelled(self) -> bool:
        return self.dead

    def when(self) -> float:
        return self.due

    def get_context(self) -> contextvars.Context:
        return self.context

    def __lt__(self, other: "Handle") -> bool:
        # By time only, as asyncio compares them: timers that are due together then leave the heap in the stock order.
        return self.due < other.due


class Event:
    """Something that the environment will do: complete `future`, or fail it with one of `errors`."""

    __slots__ = ("completion", "failure", "future", "result", "errors")

    def __init__(self, label: str, future: asyncio.Future, result: Callable[[], Any], errors: tuple) -> None:
        #: The two decisions about it.
        self.completion = ("io", label)
        self.failure = ("fail", label)
        self.future = future
        self.result = result
        self.errors = errors

    def complete(self) -> None:
        try:
            value = self.result()
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            self.future.set_exception(error)
        else:
            self.future.set_result(value)

    def fail(self) -> None:
        self.future.set_exception(self.errors[0]())


class ExplorerLoop(asyncio.AbstractEventLoop):
    """One object serves all schedules: `reset` brings it back to the beginning."""

    def __init__(self) -> None:
        self._factory: Optional[Callable[..., asyncio.Task]] = None
        self.reset()

    def reset(self) -> None:
        self.ready: "deque[Handle]" = deque()
        self.timers: List[Handle] = []
        self.now = START_TIME
        #: Whether code has asked for the time: states that differ in the clock only are then different.
        self.clock_was_read = False
        self.events: Dict[str, Event] = {}
        self.tasks: List[asyncio.Task] = []
        self.owners: Dict[asyncio.Task, str] = {}
        self.problems: List[dict] = []
        self.generators: "weakref.WeakSet" = weakref.WeakSet()
        self._factory = None

    # -- callbacks and timers -------------------------------------------------------------------------------------
    def call_soon(self, callback, *args, context=None):  # type: ignore[no-untyped-def]
        handle = Handle(callback, args, contextvars.copy_context() if context is None else context, 0.0)
        self.ready.append(handle)
        return handle

    call_soon_threadsafe = call_soon  # type: ignore[assignment]

    def call_at(self, when, callback, *args, context=None):  # type: ignore[no-untyped-def]
        handle = Handle(callback, args, contextvars.copy_context() if context is None else context, when)
        heapq.heappush(self.timers, handle)
        return handle

    def call_later(self, delay, callback, *args, context=None):  # type: ignore[no-untyped-def]
        return self.call_at(self.now + delay, callback, *args, context=context)

    def time(self) -> float:
        self.clock_was_read = True
        return self.now

    def run_batch(self) -> None:
        """One iteration of the loop: what was ready when it began, in order."""
        ready = self.ready
        for _ in range(len(ready)):
            handle = ready.popleft()
            if handle.dead:
                continue
            try:
                handle.context.run(handle.callback, *handle.args)
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # SystemExit, too: it would end the explorer
                self.problems.append({"message": "exception in a callback", "exception": error})

    def drop_dead(self) -> None:
        """Forgets cancelled callbacks and timers at the head of their queues, and events nobody waits for any more."""
        ready, timers = self.ready, self.timers
        while ready and ready[0].dead:
            ready.popleft()
        while timers and timers[0].dead:
            heapq.heappop(timers)
        for event in self.events.values():
            if event.future.done():
                self.events = {label: event for label, event in self.events.items() if not event.future.done()}
                break

    def fire_timers(self) -> None:
        """Time goes on to the next timer; all that are due then become ready."""
        timers = self.timers
        self.now = max(self.now, timers[0].due)
        while timers and timers[0].due <= self.now:
            handle = heapq.heappop(timers)
            if not handle.dead:
                self.ready.append(handle)

    # -- tasks and futures ----------------------------------------------------------------------------------------
    def create_future(self) -> asyncio.Future:
        return asyncio.Future(loop=self)

    def create_task(self, coro, **options):  # type: ignore[no-untyped-def]
        if self._factory is None:
            task = asyncio.Task(coro, loop=self, **options)
        else:
            task = self._factory(self, coro, **options)
        task._log_destroy_pending = False
        self.tasks.append(task)
        self.owners[task] = CALL.get()
        return task

    def set_task_factory(self, factory) -> None:  # type: ignore[no-untyped-def]
        self._factory = factory

    def get_task_factory(self):  # type: ignore[no-untyped-def]
        return self._factory

    def expect(self, what: str, result: Callable[[], Any], errors: tuple = ()) -> asyncio.Future:
        """A future that the environment completes with `result()`, or fails with one of `errors`."""
        label = CALL.get() + ":" + what
        if label in self.events:
            number = 2
            while "%s#%d" % (label, number) in self.events:
                number += 1
            label = "%s#%d" % (label, number)
        future: asyncio.Future = asyncio.Future(loop=self)
        self.events[label] = Event(label, future, result, errors)
        return future

    def run_in_executor(self, executor, function, *args):  # type: ignore[no-untyped-def]
        """The function runs at once and as a whole when the environment says that the thread is through."""
        inner = getattr(function, "func", function)
        inner = function.args[0] if getattr(inner, "__name__", "") == "run" and getattr(function, "args", ()) else inner
        name = getattr(inner, "__name__", "work")
        return self.expect("thread:" + name, lambda: function(*args))

    # -- what asyncio and libraries ask of a loop -------------------------------------------------------------------
    def call_exception_handler(self, context: dict) -> None:
        self.problems.append(context)

    default_exception_handler = call_exception_handler

    def set_exception_handler(self, handler) -> None:  # type: ignore[no-untyped-def]
        """Accepted and not used: what goes wrong is collected."""

    def get_exception_handler(self) -> None:
        return None

    def get_debug(self) -> bool:
        return False

    def set_debug(self, enabled: bool) -> None:
        """Accepted and not used."""

    def is_running(self) -> bool:
        return events._get_running_loop() is self

    def is_closed(self) -> bool:
        return False

    def stop(self) -> None:
        """The explorer decides when a schedule ends."""

    def close(self) -> None:
        """The loop has no resources."""

    def run_forever(self) -> None:
        raise RuntimeError("This event loop is already running")

    def run_until_complete(self, future) -> Any:  # type: ignore[no-untyped-def]
        if asyncio.iscoroutine(future):
            future.close()
        raise RuntimeError("This event loop is already running")

    def asyncgen_seen(self, generator) -> None:  # type: ignore[no-untyped-def]
        """For `sys.set_asyncgen_hooks`: asynchronous generators have begun."""
        self.generators.add(generator)

    def asyncgen_dropped(self, generator) -> None:  # type: ignore[no-untyped-def]
        """For `sys.set_asyncgen_hooks`: one was dropped unfinished, so it is closed in a task of its own."""
        self.create_task(generator.aclose())

    async def shutdown_asyncgens(self) -> None:
        for generator in list(self.generators):
            await generator.aclose()

    async def shutdown_default_executor(self, timeout: Optional[float] = None) -> None:
        """There is no executor."""


def _denied(name: str):  # type: ignore[no-untyped-def]
    def denied(self, *_args, **_options):  # type: ignore[no-untyped-def]
        refuse("loop.%s()" % name)

    denied.__name__ = name
    return denied


# Every other operation of a loop reaches the world outside. The coroutine functions among them fail when called, which
# is a little earlier than when awaited, and no less clear.
for _name in dir(asyncio.AbstractEventLoop):
    if not _name.startswith("_") and _name not in vars(ExplorerLoop):
        setattr(ExplorerLoop, _name, _denied(_name))
