"""Exploring one's own asynchronous tests: `@explore` runs a test under every schedule within bounds.

    @explore
    async def test_counter():
        counter = Counter(store=fake("store"))
        await overlap(counter.increment(), counter.increment())
        assert counter.value == 2

What decides the schedule are the calls given to `overlap`, each of which may begin at any time, the replies of `fake`
objects, timers, and work in threads. Clocks are virtual, randomness is seeded, and real I/O is refused.
"""
from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
import gc
import inspect
import sys
from time import perf_counter
from typing import Any, Awaitable, Callable, Coroutine, Iterator, List, Optional, Sequence

from .determinism import controlled
from .keys import key_of
from .loop import ExplorerLoop
from .schedule import Bounds, Call, Decision, Execution, tidy_up
from .scripted import CALL
from .search import DepthFirst, Script, minimise
from .stubs import Stub, World

#: The world of the schedule that is running.
_WORLD: "contextvars.ContextVar[Optional[World]]" = contextvars.ContextVar("racewalk_world", default=None)

#: Seconds for one test, when it doesn't say.
BUDGET = 2.0


class ScheduleError(AssertionError):
    """A schedule under which the test fails. `schedule` is what to pass to `explore(replay=…)` to see it again."""

    def __init__(self, problem: str, schedule: List[Decision], schedules: int) -> None:
        self.schedule = schedule
        super().__init__("%s\nschedule %d of the search:\n%s\nreplay with @explore(replay=%r)" % (
            problem, schedules, "\n".join("  " + describe_decision(decision) for decision in schedule), schedule))


class NotExplored(Exception):
    """The budget ended before all schedules were run, and the test asked for all."""


def fake(name: str) -> Any:
    """Something outside: any attribute, any call; what is awaited of it ends when the explorer says so."""
    world = _WORLD.get()
    if world is None:
        raise RuntimeError("fake() is for tests that @explore runs")
    return Stub(world, name)


async def overlap(*calls: Awaitable) -> List[Any]:
    """Runs calls that arrive independently of each other; answers with their results, as `asyncio.gather` does."""
    world = _WORLD.get()
    if world is None:
        return list(await asyncio.gather(*calls))
    tasks = []
    for number, call in enumerate(calls):
        arrival = world.loop.expect("arrival %d" % number, lambda: None)
        task = asyncio.get_running_loop().create_task(_arriving(call, arrival, CALL.get(), number))
        if inspect.iscoroutine(call):
            task.add_done_callback(functools.partial(_close, call))
        tasks.append(task)
    return list(await asyncio.gather(*tasks))


def _close(call: Coroutine, _task: asyncio.Task) -> None:
    """A call that never arrived is never awaited either, which is no mistake here."""
    call.close()


async def _arriving(call: Awaitable, arrival: asyncio.Future, parent: str, number: int) -> Any:
    await arrival
    CALL.set("%s.%d" % (parent, number))
    return await call


def explore(test: Optional[Callable[..., Any]] = None, *, budget: float = BUDGET, early: Optional[int] = None,
            faults: int = 0, errors: Sequence[Callable[[], BaseException]] = (ConnectionError,), complete: bool = False,
            replay: Optional[Sequence[Decision]] = None) -> Any:
    """Decorates an asynchronous test: it then runs under all schedules, and fails with the first that fails.

    `budget` is in seconds. `early` bounds the events that come while the loop is busy (None: any number), `faults` how
    many operations of `fake` objects fail, with the first of `errors`. `complete` makes a test fail whose schedules the
    budget doesn't exhaust. `replay` runs one schedule only.
    """
    if test is None:
        return functools.partial(explore, budget=budget, early=early, faults=faults, errors=errors, complete=complete,
                                 replay=replay)

    @functools.wraps(test)
    def explored(*args: Any, **options: Any) -> None:
        search = Exploration(functools.partial(test, *args, **options), Bounds(early, faults), tuple(errors)[:1])
        search.run(budget, complete, replay)

    del explored.__wrapped__  # else pytest would take it for asynchronous
    explored.__signature__ = inspect.signature(test)  # type: ignore[attr-defined]
    return explored


class Exploration:
    """The search over the schedules of one test."""

    def __init__(self, test: Callable[[], Any], bounds: Bounds, errors: tuple) -> None:
        self._test = test
        self._bounds = bounds
        self.loop = ExplorerLoop()
        self._world = World(self.loop)
        self._world.any_error = errors if bounds.faults else ()
        self.schedules = 0
        #: Whether a schedule was too long to be followed to its end.
        self.cut = False

    def run(self, budget: float, complete: bool, replay: Optional[Sequence[Decision]]) -> None:
        """Raises `ScheduleError` for the first schedule that fails."""
        with self.exploring():
            if replay is not None:
                self._once(Script([(kind, subject) for kind, subject in replay]))
                return
            search = DepthFirst(self.key)
            deadline = perf_counter() + budget
            while True:
                search.begin()
                self._once(search)
                whole = not search.advance()
                if whole or perf_counter() > deadline:
                    break
        if complete and (self.cut or not whole):
            raise NotExplored("%d schedules were run in %g s, and there are more" % (self.schedules, budget))

    def _once(self, chooser: Any) -> None:
        execution = self.execute(chooser)
        if execution.status != "done":
            self.cut = self.cut or execution.status == "cut"
            return
        self.schedules += 1
        problem = self._problem(execution)
        if problem is not None:
            trace = self._minimal(execution, type(problem))
            again = self._problem(self.execute(Script(trace)))
            raise ScheduleError(_text(again or problem), trace, self.schedules) from (again or problem)

    def execute(self, chooser: Any) -> Execution:
        """Runs the test once, under a chooser's schedule."""
        tidy_up(self.loop)
        self.loop.reset()
        self._world.reset()
        execution = Execution(self.loop, [Call("test", self._start, None)], chooser, self._bounds, serial=False)
        return execution.run()

    async def _start(self) -> None:
        await self._test()

    def _problem(self, execution: Execution) -> Optional[BaseException]:
        task = execution.tasks["test"]
        if not task.done():
            return AssertionError("the test never ends: nothing is left that could wake it")
        if task.cancelled():
            return AssertionError("the test was cancelled")
        return task.exception()

    def _minimal(self, execution: Execution, kind: type) -> List[Decision]:
        def still_fails(script: List[Decision]) -> Optional[List[Decision]]:
            again = self.execute(Script(script))
            return again.trace if again.status == "done" and type(self._problem(again)) is kind else None

        return minimise(list(execution.trace), still_fails, execution.choices)

    def key(self, options: Sequence[Decision], execution: Execution) -> Optional[bytes]:
        """The key of the present state, for `DepthFirst`."""
        facts = (tuple(options), execution.early, execution.faults, self._world.facts(), len(self.loop.problems))
        return key_of((self._test, self._world), facts, self.loop)

    @contextlib.contextmanager
    def exploring(self) -> Iterator[None]:
        """Within it, the explorer's loop runs, and clocks are virtual."""
        token = _WORLD.set(self._world)
        hooks = sys.get_asyncgen_hooks()
        collecting = gc.isenabled()
        gc.disable()
        sys.set_asyncgen_hooks(firstiter=self.loop.asyncgen_seen, finalizer=self.loop.asyncgen_dropped)
        asyncio._set_running_loop(self.loop)  # type: ignore[attr-defined]
        module = sys.modules.get(getattr(getattr(self._test, "func", None), "__module__", ""))
        try:
            with controlled(self.loop, [module] if module is not None else []):
                yield
        finally:
            tidy_up(self.loop)
            asyncio._set_running_loop(None)  # type: ignore[attr-defined]
            sys.set_asyncgen_hooks(*hooks)
            _WORLD.reset(token)
            if collecting:
                gc.enable()


def _text(problem: BaseException) -> str:
    return "%s: %s" % (type(problem).__name__, problem) if str(problem) else type(problem).__name__


def describe_decision(decision: Decision) -> str:
    """A decision for people."""
    kind, subject = decision
    texts = {"start": "the test begins", "run": "the loop runs", "timer": "time goes on to the next timer"}
    what = subject.partition(":")[2] or subject
    return texts.get(kind) or {"io": "%s completes", "fail": "%s fails", "cancel": "%s is cancelled"}[kind] % what
