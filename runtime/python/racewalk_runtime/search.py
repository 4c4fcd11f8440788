"""Choosers: who decides what the environment does next, and the searches built on them."""
from __future__ import annotations

from typing import Any, Callable, List, Optional, Sequence, Set

from .schedule import PRUNE, RUN, Decision, Execution

#: Schedules that are run before keys are made: most small searches are over by then, and a key costs about as much as a
#: schedule. Long schedules have keys from the start, so that loops which wait for each other are seen to go round.
KEYLESS_SCHEDULES = 16
KEYLESS_DECISIONS = 60

#: States remembered in one search. Beyond that nothing new is pruned: slower, never wrong.
MOST_STATES = 500_000


class DepthFirst:
    """All schedules, one after the other, without those that pass through a state whose future is known."""

    def __init__(self, key: Callable[[Sequence[Decision], Execution], Optional[bytes]]) -> None:
        self._key = key
        self._prefix: List[int] = []
        self._widths: List[int] = []
        self._position = 0
        self._visited: Set[bytes] = set()
        self._schedules = 0
        #: States without a key, where nothing could be pruned.
        self.opaque = 0
        self.exhausted = False

    def begin(self) -> None:
        self._position = 0
        self._schedules += 1

    def choose(self, options: Sequence[Decision], execution: Execution) -> int:
        position = self._position
        self._position += 1
        if position < len(self._prefix):
            return self._prefix[position]
        if self._schedules > KEYLESS_SCHEDULES or len(execution.trace) > KEYLESS_DECISIONS:
            key = self._key(options, execution)
            if key is None:
                self.opaque += 1
            elif key in self._visited:
                self._position = position
                return PRUNE
            elif len(self._visited) < MOST_STATES:
                self._visited.add(key)
        self._prefix.append(0)
        self._widths.append(len(options))
        return 0

    def advance(self) -> bool:
        """Goes to the next schedule; False when there is none."""
        prefix, widths = self._prefix, self._widths
        del prefix[self._position:], widths[self._position:]
        while prefix and prefix[-1] + 1 >= widths[-1]:
            prefix.pop()
            widths.pop()
        if not prefix:
            self.exhausted = True
            return False
        prefix[-1] += 1
        return True


class Script:
    """Follows given decisions. One that is not possible is left out; after the last one, the most usual is taken."""

    def __init__(self, decisions: Sequence[Decision]) -> None:
        self._decisions = list(decisions)
        self._next = 0
        #: Decisions that were not possible when their turn came.
        self.unmet: List[Decision] = []

    def choose(self, options: Sequence[Decision], execution: Execution) -> int:
        done = execution.trace
        if self._next <= len(done) and not self.unmet:
            self._next = len(done)  # forced decisions are part of the script, too
        while self._next < len(self._decisions):
            wanted = self._decisions[self._next]
            self._next += 1
            if wanted in options:
                return options.index(wanted)
            if wanted != RUN:
                self.unmet.append(wanted)
        return usual(options)


def usual(options: Sequence[Decision]) -> int:
    """The position of what happens when nothing is special: arrivals, then the loop works, replies come in order."""
    for kind in ("start", "run", "io", "timer"):
        for position, option in enumerate(options):
            if option[0] == kind:
                return position
    return 0


def minimise(trace: List[Decision], still_fails: Callable[[List[Decision]], Optional[List[Decision]]],
             choices: Sequence[int]) -> List[Decision]:
    """A shorter or more usual schedule with the same outcome.

    Each choice in turn is left out, and the decisions after it are followed as far as they are possible.
    `still_fails` runs a script, and answers with the schedule that came of it if it fails in the same way.
    """
    best = trace
    for position in reversed(list(choices)):
        if position < len(best):
            candidate = still_fails(best[:position] + best[position + 1:])
            if candidate is not None and cost(candidate) < cost(best):
                best = candidate
    return best


def cost(trace: Sequence[Decision]) -> Any:
    """Rare things first: fewer faults and cancellations, fewer arrivals while the loop is busy, fewer decisions."""
    rare = sum(1 for kind, _ in trace if kind in ("fail", "cancel"))
    return (rare, len(trace))
