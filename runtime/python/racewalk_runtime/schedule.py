"""One schedule: calls are started, replies arrive, time passes, and between that the loop runs.

A schedule is a list of decisions. Each is a pair of a kind and what it concerns:

    ("start", call)    the call arrives: its task is created
    ("run", "")        one iteration of the event loop
    ("io", label)      the awaited operation completes
    ("fail", label)    the awaited operation fails
    ("timer", "")      time goes on to the next timer
    ("cancel", call)   the call is cancelled from outside
"""
from __future__ import annotations

import asyncio
import contextvars
from typing import Any, Callable, Coroutine, Dict, List, Optional, Sequence, Set, Tuple

from .loop import ExplorerLoop
from .scripted import CALL

Decision = Tuple[str, str]
RUN: Decision = ("run", "")
TIMER: Decision = ("timer", "")

#: What a chooser answers when the rest of the schedule is known already.
PRUNE = -1


class Bounds:
    """How much the environment may do in one schedule."""

    __slots__ = ("early", "faults", "cancels", "steps")

    def __init__(self, early: Optional[int] = None, faults: int = 0, cancels: int = 0, steps: int = 400) -> None:
        #: Arrivals and replies that come while the loop still has work; None: any number.
        self.early = early
        self.faults = faults
        self.cancels = cancels
        #: Decisions after which a schedule is given up.
        self.steps = steps

    def to_json(self) -> Dict[str, Any]:
        return {"early": "any" if self.early is None else self.early, "faults": self.faults, "cancels": self.cancels}


class Call:
    """One of the overlapping calls. Calls of one `group` are interchangeable: only the first of them is started."""

    __slots__ = ("label", "start", "group", "arrival")

    def __init__(self, label: str, start: Callable[[], Coroutine], group: Any) -> None:
        self.label = label
        self.start = start
        self.group = group
        self.arrival: Decision = ("start", label)


class Execution:
    """One run of the calls under a chooser, and what became of it.

    `status` is "done" (nothing can happen any more), "pruned" (the chooser gave up) or "cut" (too many decisions).
    """

    __slots__ = ("loop", "calls", "chooser", "bounds", "serial", "early", "faults", "cancels", "status", "trace",
                 "choices", "tasks", "outlived", "suppressed", "waiting", "_held", "_watched")

    def __init__(self, loop: ExplorerLoop, calls: Sequence[Call], chooser: Any, bounds: Bounds, serial: bool,
                 held: Callable[[], Set[int]] = set) -> None:
        self.loop = loop
        self.calls = calls
        self.chooser = chooser
        self.bounds = bounds
        #: One call after the other, in the given order: the next starts when the one before has returned.
        self.serial = serial
        self.early = bounds.early
        self.faults = bounds.faults
        self.cancels = bounds.cancels
        self.status = "done"
        self.trace: List[Decision] = []
        #: The positions in `trace` at which there was a choice.
        self.choices: List[int] = []
        self.tasks: Dict[str, asyncio.Task] = {}
        #: Child tasks that were alive when the call that started them had returned, and that nothing shared held: what
        #: `held` says are the identities of those.
        self.outlived: List[Tuple[str, asyncio.Task]] = []
        #: Whether the bound on early arrivals forbade anything.
        self.suppressed = False
        self.waiting: List[Call] = list(calls)
        self._held = held
        self._watched: List[str] = []

    def run(self) -> "Execution":
        loop, trace, bounds = self.loop, self.trace, self.bounds
        limit = bounds.steps
        while True:
            if not self.waiting and not loop.events and not self.cancels and loop.ready:
                decision = RUN  # nothing else can happen: the quick way
            else:
                options = self.options()
                if not options:
                    return self
                index = 0
                if len(options) > 1:
                    self.choices.append(len(trace))
                    index = self.chooser.choose(options, self)
                    if index == PRUNE:
                        self.status = "pruned"
                        return self
                decision = options[index]
            if len(trace) >= limit:
                self.status = "cut"
                return self
            trace.append(decision)
            self.apply(decision)

    def options(self) -> List[Decision]:
        """What can happen next, the most usual first; empty when nothing can."""
        loop = self.loop
        loop.drop_dead()
        options: List[Decision] = []
        busy = bool(loop.ready)
        if busy and self.early == 0:
            self.suppressed = self.suppressed or bool(self.waiting or loop.events)
            options.append(RUN)
        else:
            self._add_starts(options)
            if busy:
                options.append(RUN)
            for event in loop.events.values():
                options.append(event.completion)
            if loop.timers and (not busy or self.cancels):
                options.append(TIMER)
            if self.faults:
                options.extend(event.failure for event in loop.events.values() if event.errors)
        if options and self.cancels and (not busy or self.early != 0):
            options.extend(("cancel", label) for label, task in self.tasks.items() if not task.done())
        return options

    def _add_starts(self, options: List[Decision]) -> None:
        waiting = self.waiting
        if self.serial:
            if waiting and all(task.done() for task in self.tasks.values()):
                options.append(waiting[0].arrival)
            return
        groups = []
        for call in waiting:
            if call.group not in groups:
                groups.append(call.group)
                options.append(call.arrival)

    def apply(self, decision: Decision) -> None:
        kind, subject = decision
        loop = self.loop
        if kind == "run":
            loop.run_batch()
            if self._watched:
                self._note_returns()
            return
        if loop.ready and self.early is not None and kind != "timer":
            self.early -= 1
        if kind == "start":
            self._start(subject)
        elif kind == "io":
            loop.events.pop(subject).complete()
        elif kind == "fail":
            self.faults -= 1
            loop.events.pop(subject).fail()
        elif kind == "timer":
            if loop.ready:
                self.cancels -= 1  # a deadline that passes while the loop is busy is as rare as a cancellation
            loop.fire_timers()
        else:
            self.cancels -= 1
            self.tasks[subject].cancel()

    def _start(self, label: str) -> None:
        for position, call in enumerate(self.waiting):
            if call.label == label:
                del self.waiting[position]
                break
        context = contextvars.copy_context()
        context.run(CALL.set, label)
        self.tasks[label] = context.run(self.loop.create_task, call.start())
        self._watched.append(label)

    def _note_returns(self) -> None:
        loop = self.loop
        for label in tuple(self._watched):
            root = self.tasks[label]
            if not root.done():
                continue
            self._watched.remove(label)
            alive = [task for task in loop.tasks if not task.done() and task is not root and loop.owners[task] == label
                     and not being_cancelled(task)]
            if alive:
                held = self._held()
                self.outlived.extend((label, task) for task in alive if id(task) not in held)

    @property
    def disturbed(self) -> bool:
        """Whether anything failed or was cancelled."""
        return self.faults != self.bounds.faults or self.cancels != self.bounds.cancels

    def pending(self) -> List[str]:
        """The calls that will never return."""
        return [label for label, task in self.tasks.items() if not task.done()]


def being_cancelled(task: asyncio.Task) -> bool:
    """Whether somebody has asked the task to end."""
    if getattr(task, "_must_cancel", False):
        return True
    cancelling = getattr(task, "cancelling", None)
    if cancelling is not None and cancelling():
        return True
    waiter = getattr(task, "_fut_waiter", None)
    return waiter is not None and waiter.cancelled()


def tidy_up(loop: ExplorerLoop) -> None:
    """Ends what a schedule has left behind, so that the next one starts from nothing."""
    for _ in range(3):
        alive = [task for task in loop.tasks if not task.done()]
        if not alive:
            break
        for task in alive:
            task.cancel()
        for _ in range(50):
            if not loop.ready:
                break
            loop.run_batch()
    for task in loop.tasks:
        if task.done() and not task.cancelled():
            task.exception()  # marks it as retrieved
