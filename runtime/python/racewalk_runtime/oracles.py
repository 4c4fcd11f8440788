"""What is wrong with a schedule, without anybody having said what would be right.

Calls that run one after the other, in every order, show what the code is meant to do. A schedule in which they overlap
must come to one of those outcomes. Some things are wrong by themselves: a call that never returns, a permit that isn't
given back, a task that outlives the call which started it, an error that nobody sees.
"""
from __future__ import annotations

import asyncio
import builtins
import itertools
from collections import Counter
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Sequence, Set, Tuple

from .cells import Cell
from .objects import permits_in
from .scenario import Scenario
from .state import describe, readable

class Violation(NamedTuple):
    """`kind` is one of `plan.KINDS`."""

    kind: str
    message: str


class Outcome(NamedTuple):
    """What a schedule came to."""

    cells: tuple
    #: For each call: (group, "returned" | "raised" | "cancelled" | "pending", description), sorted.
    results: tuple
    effects: tuple


def observe(scenario: Scenario, cells: Sequence[Cell], execution: Any) -> Outcome:
    """The outcome of a run that has just ended."""
    contents = tuple(describe(cell.value(scenario.root)) for cell in cells)
    results = []
    for label, group in zip(scenario.labels, scenario.groups):
        results.append((group,) + _result(execution.tasks.get(label)))
    if len(results) > 1:
        results.sort(key=repr)
    return Outcome(contents, tuple(results), tuple(sorted(scenario.harness.world.effects)))


def _result(task: Optional[asyncio.Task]) -> tuple:
    if task is None or not task.done():
        return ("pending", None)
    if task.cancelled():
        return ("cancelled", None)
    error = task.exception()
    if error is not None:
        return ("raised", "%s: %s" % (type(error).__name__, str(error)[:120]))
    return ("returned", describe(task.result()))


class Reference:
    """What one-after-the-other comes to: all outcomes of all orders."""

    def __init__(self) -> None:
        self.outcomes: Dict[Outcome, str] = {}
        #: Whether all orders, and all schedules within each call, have been run.
        self.complete = True
        self.errors: Set[str] = set()
        #: Groups of calls that returned normally at least once.
        self.returned: Set[int] = set()
        self.finished = False
        self.most_effects: Counter = Counter()
        self.most_results: Counter = Counter()
        self.permits: Dict[str, Set[int]] = {}
        self.has_permits = False
        self.error: Optional[BaseException] = None

    def add(self, outcome: Outcome, order: str, execution: Any, permits: Dict[str, int]) -> None:
        self.outcomes.setdefault(outcome, order)
        self.finished = self.finished or not execution.pending()
        for group, status, value in outcome.results:
            if status == "returned":
                self.returned.add(group)
        for task in execution.tasks.values():
            if task.done() and not task.cancelled() and task.exception() is not None:
                self.error = self.error or task.exception()
                self.errors.add(type(task.exception()).__name__)
        _raise_to(self.most_effects, Counter(outcome.effects))
        _raise_to(self.most_results, _returned(outcome))
        for path, level in permits.items():
            self.has_permits = True
            self.permits.setdefault(path, set()).add(level)

    def knows_cells(self, outcome: Outcome) -> bool:
        return any(known.cells == outcome.cells for known in self.outcomes)


def _raise_to(most: Counter, counts: Counter) -> None:
    for item, count in counts.items():
        most[item] = max(most[item], count)


def _returned(outcome: Outcome) -> Counter:
    return Counter(value for _group, status, value in outcome.results if status == "returned" and value is not None)


class Judge:
    """Applies the oracles that count for a plan."""

    def __init__(self, scenario: Scenario, kinds: Sequence[str], cells: Sequence[Cell], reference: Reference,
                 policy: Tuple[str, Any]) -> None:
        self.scenario = scenario
        #: How the stand-ins answer: a policy, and what a store gives for a key that it doesn't have.
        self.policy = policy
        self.kinds = kinds
        self.cells = list(cells)
        self.reference = reference
        #: Whether any schedule with overlapping calls has come to an end.
        self.finished = reference.finished
        #: Whether the cells are all shared state, for want of better: a difference is then a doubt, and no violation.
        self.cells_are_guessed = False
        self.doubts: List[Violation] = []
        self._judged: Dict[Outcome, List[Violation]] = {}
        #: What the given calls alone come to, one after the other.
        self.without: Callable[[Sequence[int]], Reference] = lambda _numbers: reference

    def judge(self, execution: Any) -> List[Violation]:
        """All that is wrong with a run that has just ended."""
        disturbed = execution.disturbed
        pending = execution.pending()
        found = list(self._absolute(execution, disturbed, pending))
        if not disturbed and not pending:
            self.finished = True
            if self.reference.complete:
                compared = self._compared(execution)
                self.doubts.extend(compared if self.cells_are_guessed else ())
                found.extend(violation for violation in compared
                             if not self.cells_are_guessed or violation.kind == "exception")
        return [violation for violation in found if violation.kind in self.kinds]

    def _absolute(self, execution: Any, disturbed: bool, pending: List[str]) -> Iterator[Violation]:
        permits = self._missing_permits() if self.reference.has_permits else []
        if pending and self.finished:
            names = " and ".join(pending)
            detail = "; " + permits[0] if permits and disturbed else ""
            verb = "returns" if len(pending) == 1 else "return"
            yield Violation("deadlock", "%s never %s: nothing is left that could wake it%s" % (names, verb, detail))
        if permits and (not pending or disturbed):
            yield Violation("permit-leak", permits[0])
        if "task-outlives-call" in self.kinds and execution.outlived and not _cancelled(execution):
            yield from self._outliving(execution)
        if "exception-lost" in self.kinds and len(execution.loop.owners) > len(execution.tasks):
            yield from self._lost_errors(execution)
        if self.scenario.harness.never_awaited:
            yield Violation("never-awaited", self.scenario.harness.never_awaited[0])
        if "swallowed-cancellation" in self.kinds:
            yield from self._swallowed(execution)

    def _missing_permits(self) -> List[str]:
        levels = permits_in(self.scenario.shared_objects())
        found = []
        for path, level in levels.items():
            known = self.reference.permits.get(path)
            if known is None:
                if level == 0 and not self.reference.permits:
                    found.append("%s is still taken when all calls have ended" % path)
            elif level < min(known):
                found.append("%s has %d free at the end, not %d" % (path, level, min(known)))
            elif level > max(known):
                found.append("%s has %d free at the end, more than the %d it began with" % (path, level, max(known)))
        return found

    def _outliving(self, execution: Any) -> Iterator[Violation]:
        label, task = execution.outlived[0]
        yield Violation("task-outlives-call", "call %s had returned while its task %s was still running, and nobody "
                        "holds that task" % (label, name_of(task)))

    def _lost_errors(self, execution: Any) -> Iterator[Violation]:
        roots = set(execution.tasks.values())
        for task in execution.loop.owners:
            if task not in roots and task.done() and not task.cancelled() and task._log_traceback:
                error = task._exception
                if not isinstance(error, asyncio.CancelledError):
                    yield Violation("exception-lost", "%s failed with %s: %s, and nobody looked"
                                    % (name_of(task), type(error).__name__, error))
                    return

    def _swallowed(self, execution: Any) -> Iterator[Violation]:
        for kind, label in execution.trace:
            task = execution.tasks.get(label)
            if kind == "cancel" and task is not None and task.done() and not task.cancelled():
                if task.exception() is None:
                    yield Violation("swallowed-cancellation", "call %s was cancelled, and returned as if it had not "
                                    "been" % label)
                    return

    def _compared(self, execution: Any) -> List[Violation]:
        """What is wrong with the outcome; outcomes recur, and each is judged once."""
        outcome = observe(self.scenario, self.cells, execution)
        if outcome in self.reference.outcomes:
            return []
        known = self._judged.get(outcome)
        if known is None:
            known = self._judged[outcome] = list(self._unlike(outcome, execution))
        return known

    def _unlike(self, outcome: Outcome, execution: Any) -> Iterator[Violation]:
        """In what an outcome is unlike those of calls that don't overlap."""
        reference = self.reference
        for label, task in execution.tasks.items():
            error = task.exception() if not task.cancelled() else None
            if error is not None and type(error).__name__ not in reference.errors and is_crash(error):
                yield Violation("exception", "call %s raised %s: %s, which it never does alone"
                                % (label, type(error).__name__, error))
                return
        refused = self._refused(execution)
        if refused:
            accepted = tuple(number for number, label in enumerate(self.scenario.labels) if label not in refused)
            if self.cells and accepted and not self.without(accepted).knows_cells(outcome):
                yield Violation("state", self._difference(outcome, self.without(accepted)))
            return
        if self.cells and not reference.knows_cells(outcome):
            yield Violation("state", self._difference(outcome, reference))
        counts_work = bool(self.cells) or self.scenario.harness.plan.rule in ("stampede", "shared-default")
        if counts_work:
            yield from self._doubled(outcome)
            yield from self._disagreeing(outcome)

    def _refused(self, execution: Any) -> List[str]:
        """Calls that ended with an error of the code's own, which no call alone raises: they meant to do nothing."""
        raised = [(label, task.exception()) for label, task in execution.tasks.items() if not task.cancelled()]
        return [label for label, error in raised
                if error is not None and type(error).__name__ not in self.reference.errors]

    def _disagreeing(self, outcome: Outcome) -> Iterator[Violation]:
        """Cells as after one order, and work as in another: what was told to others isn't what is stored."""
        if self.cells and self.reference.knows_cells(outcome):
            if not any(known.cells == outcome.cells and known.effects == outcome.effects
                       for known in self.reference.outcomes):
                yield Violation("disagreement", "%s, while the calls made outside are those of no order that ends so: %s" % (
                    " and ".join("%s is %s" % (cell.text, readable(value))
                                 for cell, value in zip(self.cells, outcome.cells)),
                    ", ".join(outcome.effects)))

    def _doubled(self, outcome: Outcome) -> Iterator[Violation]:
        for effect, count in _repeated(outcome.effects):
            most = self.reference.most_effects[effect]
            if count > most > 0:
                yield Violation("duplicate-work", "%s is called %s; one call after the other, %s"
                                % (effect, times(count), times(most)))
                break
        for value, count in _repeated([value for _group, status, value in outcome.results
                                       if status == "returned" and value is not None]):
            most = self.reference.most_results[value]
            if count > most > 0:
                yield Violation("results", "%d calls return %s; one after the other, at most %d"
                                % (count, readable(value), most))
                break

    def _difference(self, outcome: Outcome, reference: Reference) -> str:
        """The cell that shows it best, with what it is and could be."""
        for number, cell in enumerate(self.cells):
            allowed = {known.cells[number] for known in reference.outcomes}
            now = outcome.cells[number]
            if now not in allowed:
                return "%s is %s; one call after the other, it is %s" % (
                    cell.text, readable(now), " or ".join(sorted(map(readable, allowed))))
        return "%s have values that no order of the calls gives together" % " and ".join(
            cell.text for cell in self.cells)


def _repeated(items: Sequence[Any]) -> List[Tuple[Any, int]]:
    """What is there more than once, and how often."""
    if len(set(items)) == len(items):
        return []
    return [(item, count) for item, count in Counter(items).items() if count > 1]


def _cancelled(execution: Any) -> bool:
    return any(kind == "cancel" for kind, _ in execution.trace)


def is_crash(error: BaseException) -> bool:
    """Whether an error is one of the interpreter, and not the code's own way to say no."""
    return type(error).__module__ in ("builtins", "asyncio.exceptions") and not isinstance(
        error, (asyncio.TimeoutError, asyncio.CancelledError, PermissionError, builtins.TimeoutError))


def times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, "%d times" % count)


def name_of(task: asyncio.Task) -> str:
    coro = task.get_coro()
    return getattr(coro, "__qualname__", None) or task.get_name()


def orders(scenario: Scenario, numbers: Sequence[int]) -> List[Tuple[int, ...]]:
    """The orders of these calls that can differ: interchangeable calls keep theirs."""
    groups = scenario.groups
    found: List[Tuple[int, ...]] = []
    seen: Set[tuple] = set()
    for order in itertools.permutations(numbers):
        shape = tuple(groups[number] for number in order)
        if shape not in seen:
            seen.add(shape)
            found.append(order)
    return found
