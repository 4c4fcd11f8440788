"""From a plan to a verdict."""
from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import platform
import sys
from time import perf_counter  # the real one: inside `exploring`, the module's clocks are virtual
from typing import Any, Dict, Iterable, Iterator, List, NamedTuple, Optional, Sequence, Set, Tuple

from . import replay, timeline
from .cells import Cell
from .determinism import controlled
from .harness import DEFAULT_ERROR, Harness, hearing_warnings
from .loop import REFUSED
from .objects import permits_in
from .oracles import Judge, Reference, Violation, observe, orders
from .plan import NEEDS_CANCEL, NEEDS_FAULT, Plan
from .scenario import STORE, Scenario
from .schedule import Bounds, Decision, Execution, tidy_up
from .search import DepthFirst, Script, minimise
from .state import describe, readable
from .stubs import VERBS

#: How often a failing schedule must fail again on the stock event loop.
REPLAYS = 3

#: Schedules between two garbage collections; in between the collector is off.
COLLECT_EVERY = 1024

#: The part of the budget that finding out what one-after-the-other comes to may take.
REFERENCE_SHARE = 0.35

#: Kinds that one call alone can show.
ALONE = ("task-outlives-call", "exception-lost", "never-awaited", "swallowed-cancellation")

#: Kinds that are about tasks that a call starts.
OF_TASKS = ("task-outlives-call", "exception-lost")

#: Kinds that are looked for when something fails or is cancelled.
UNDER_DISTURBANCE = ("permit-leak", "deadlock", "swallowed-cancellation", "task-outlives-call", "exception-lost")


#: Kinds that are differences from what one call after the other comes to.
COMPARED = ("state", "disagreement", "results", "duplicate-work", "exception")


class Inconclusive(Exception):
    """The run didn't exercise the finding. `field` is the part of the plan that would help."""

    def __init__(self, why: str, field: Optional[str] = None, **more: Any) -> None:
        super().__init__(why)
        self.field = field
        #: What programs may want to know besides.
        self.more = more


class Phase(NamedTuple):
    """One search that was made."""

    calls: int
    variant: str
    policy: str
    bounds: Bounds
    schedules: int
    pruned: int
    cut: int
    opaque: int
    exhausted: bool
    seconds: float

    def to_json(self) -> Dict[str, Any]:
        return dict(self.bounds.to_json(), calls=self.calls, arguments=self.variant, policy=self.policy,
                    schedules=self.schedules, pruned=self.pruned, cut=self.cut, unpruned_states=self.opaque,
                    exhaustive=self.exhausted, seconds=round(self.seconds, 4))


class Witness(NamedTuple):
    """A schedule that goes wrong."""

    scenario: Scenario
    judge: Judge
    trace: List[Decision]
    violations: List[Violation]
    bounds: Bounds
    #: How many schedules had been run when it was met, itself included.
    number: int


class Prover:
    """One run over one plan."""

    def __init__(self, plan: Plan, replays: int = REPLAYS) -> None:
        REFUSED.clear()
        self.plan = plan
        self._replays = replays
        self.kinds = plan.kinds()
        self.phases: List[Phase] = []
        self.schedules = 0
        self.completed = 0
        #: Whether some call started a task.
        self._any_child = False
        self._deadline = 0.0
        #: The calls that were made, as text.
        self._called: Dict[str, None] = {}
        #: Differences in state that nobody said was what the finding is about.
        self._doubts: List[Violation] = []
        #: The failing schedule, when there is one.
        self.witness: Optional[Witness] = None
        self._lines: set = set()
        self.harness = Harness(plan)
        #: What is to be searched (calls, arguments, stand-ins, disturbances), and what was, to the end.
        self._planned: set = set()
        self._whole: set = set()
        #: Whether the last phase ran all schedules, and forbade no early arrival that a later one allows.
        self._was_whole = False

    # -- the whole ------------------------------------------------------------------------------------------------
    def run(self) -> Dict[str, Any]:
        """The verdict, as JSON data. The stand-ins stay in place until `close`."""
        self._deadline = perf_counter() + self.plan.budget
        try:
            witness = self.search()
            if witness is not None:
                return self._proved(witness)
            self._check_exercised()
        except Inconclusive as reason:
            return self._inconclusive(reason)
        return self._nothing_found()

    def close(self) -> None:
        """Gives the project's modules back as they were."""
        self.harness.close()

    def search(self) -> Optional[Witness]:
        """Phase by phase, from the smallest to the largest; collections of several elements come last."""
        with self.exploring():
            later: List[Tuple[Scenario, Judge, str]] = []
            for count in self._call_counts():
                scenarios = list(self._scenarios(count))
                later.extend(entry for entry in scenarios if entry[0].variant == "many" and count > 1)
                witness = self._widening([entry for entry in scenarios if entry not in later])
                if witness is not None:
                    return witness
            return self._widening(later)

    def _widening(self, scenarios: Sequence[Tuple[Scenario, Judge, str]]) -> Optional[Witness]:
        """First with few arrivals while the loop is busy, then with any number."""
        for early in self.plan.bounds.early:
            for scenario, judge, policy in scenarios:
                for bounds in self._bounds(early):
                    what = (scenario.count, scenario.variant, id(scenario), policy, bounds.faults, bounds.cancels)
                    self._planned.add(what)
                    if what in self._whole or perf_counter() >= self._deadline:
                        continue
                    witness = self._phase(scenario, judge, policy, bounds)
                    if witness is not None:
                        return witness
                    if self._was_whole:
                        self._whole.add(what)
        return None

    def _call_counts(self) -> List[int]:
        counts = list(self.plan.bounds.calls)
        if any(kind in ALONE for kind in self.kinds) and self.plan.rule and 1 not in counts:
            counts.insert(0, 1)
        return counts

    def _scenarios(self, count: int) -> Iterator[Tuple[Scenario, Judge, str]]:
        """Each way of making the calls, with what it is judged by, under each policy of the stand-ins that makes sense.
        """
        try:
            yield from self._workable(count)
        except Inconclusive as reason:
            if reason.field != "args" or not self.harness.builder.guessed or self.harness.builder.only_stubs:
                raise
            self.harness.builder.only_stubs = True  # what was guessed from names was wrong
            try:
                yield from self._workable(count)
            except Inconclusive:
                raise reason from None

    def _workable(self, count: int) -> Iterator[Tuple[Scenario, Judge, str]]:
        failure: Optional[Inconclusive] = None
        any_works = False
        for scenario in self.harness.scenarios(count):
            try:
                yield from self._judged(scenario)
                any_works = True
            except Inconclusive as reason:
                failure = failure or reason
        if failure is not None and not any_works:
            raise failure

    def _judged(self, scenario: Scenario) -> Iterator[Tuple[Scenario, Judge, str]]:
        world = self.harness.world
        policies = [(self.plan.policy or "pure", self.plan.absent)]
        judge = self._judge(scenario, policies[0])
        yield scenario, judge, policies[0][0]
        if self.plan.policy is None and _is_store(world.called):
            absents: Tuple[Any, ...] = (None, 100, {})
            for absent in absents:
                try:
                    judge = self._judge(scenario, ("store", absent))
                except Inconclusive:
                    continue
                yield scenario, judge, "store"
                break
        world.policy, world.absent = policies[0]

    def _judge(self, scenario: Scenario, policy: Tuple[str, Any]) -> Judge:
        self.harness.world.policy, self.harness.world.absent = policy
        cells = list(scenario.cells)
        guessed = not cells and policy[0] != "store" and self._is_about_state()
        if guessed:
            cells = scenario.everything()
        if policy[0] == "store":
            cells.append(Cell(STORE, STORE, ()))
        reference = self.sequential(scenario, cells)
        if not reference.returned:
            self._refuse_vacuous(scenario, reference)
        judge = Judge(scenario, self.kinds, cells, reference, policy)
        judge.cells_are_guessed = guessed
        judge.without = functools.lru_cache(maxsize=None)(
            lambda numbers: self._without(scenario, cells, numbers))  # type: ignore[assignment]
        return judge

    def _is_about_state(self) -> bool:
        """Whether what counts is what the calls leave, and not just how often they work."""
        return "state" in self.kinds and self.plan.rule not in ("stampede", "shared-default")

    def _without(self, scenario: Scenario, cells: Sequence[Cell], numbers: Sequence[int]) -> Reference:
        """What some of the calls come to, one after the other; the schedule that has just ended is over."""
        tidy_up(self.harness.loop)
        return self.sequential(scenario, cells, numbers)

    def _refuse_vacuous(self, scenario: Scenario, reference: Reference) -> None:
        self._refuse_io()
        if reference.error is not None:
            error = reference.error
            where = self.harness.project.place_of(error)
            guessed = sorted(set(self.harness.builder.guessed))
            hint = "args" if guessed else "receiver" if scenario.receivers else "args"
            made_up = "; made up: %s" % ", ".join(guessed) if guessed else ""
            raise Inconclusive("every call raises by itself: %s: %s%s%s"
                               % (type(error).__name__, error, where, made_up), hint,
                               raised=self.harness.project.lines_of(error))
        if reference.finished:
            raise Inconclusive("no call returns by itself", "args")

    def _refuse_io(self) -> None:
        """Code that was kept from reaching outside hasn't done what it does, even if it swallowed the error."""
        if not REFUSED:
            return
        what, frames = REFUSED[0]
        project = self.harness.project
        ours = [frame for frame in frames if project.has_file(frame.filename)]
        where = " (%s:%s: %s)" % (project.relative(ours[-1].filename), ours[-1].lineno, ours[-1].line) if ours else ""
        outside = [{"path": project.relative(frame.filename), "line": frame.lineno} for frame in ours]
        raise Inconclusive("the call reaches outside: %s%s; name it in stubs" % (what, where), "stubs",
                           outside=outside)

    # -- one after the other --------------------------------------------------------------------------------------
    def sequential(self, scenario: Scenario, cells: Sequence[Cell],
                   numbers: Optional[Sequence[int]] = None) -> Reference:
        """All outcomes of the calls, or some of them, run one after the other."""
        reference = Reference()
        until = perf_counter() + max(0.05, (self._deadline - perf_counter()) * REFERENCE_SHARE)
        for order in orders(scenario, range(scenario.count) if numbers is None else numbers):
            search = DepthFirst(scenario.key)
            name = " then ".join(scenario.labels[number] for number in order)
            for number in range(1_000_000):
                execution = self._execute(scenario, search, Bounds(steps=self.plan.bounds.steps), order, number == 0)
                if execution.status == "done":
                    permits = permits_in(scenario.shared_objects()) if self._permits_count() else {}
                    reference.add(observe(scenario, cells, execution), name, execution, permits)
                reference.complete = reference.complete and execution.status != "cut"
                tidy_up(self.harness.loop)
                if not search.advance():
                    break
                if perf_counter() > until:
                    reference.complete = False
                    break
        return reference

    def _permits_count(self) -> bool:
        return "permit-leak" in self.kinds or "deadlock" in self.kinds

    def _execute(self, scenario: Scenario, chooser: Any, bounds: Bounds, order: Optional[Sequence[int]] = None,
                 traced: bool = False) -> Execution:
        calls = scenario.begin()
        if order is not None:
            calls = [calls[number] for number in order]
        execution = Execution(self.harness.loop, calls, chooser, bounds, order is not None, scenario.held_tasks)
        if isinstance(chooser, DepthFirst):
            chooser.begin()
        if traced and self.plan.finding.lines:
            with timeline.covering(self._lines, self.harness.project, self.plan.finding.path):
                return execution.run()
        return execution.run()

    # -- overlapping ----------------------------------------------------------------------------------------------
    def _bounds(self, early: Optional[int]) -> List[Bounds]:
        """Undisturbed schedules, those with one failure, those with one cancellation; the likeliest first."""
        limits, rule = self.plan.bounds, self.plan.rule
        possible = any(kind in UNDER_DISTURBANCE for kind in self.kinds)
        faults = limits.faults if limits.faults is not None else int(possible and (not rule or rule in NEEDS_FAULT))
        cancels = limits.cancels if limits.cancels is not None else int(possible and (not rule or rule in NEEDS_CANCEL))
        disturbed = []
        if faults:
            disturbed.append(Bounds(early, faults, 0, limits.steps))
        if cancels:
            disturbed.append(Bounds(early, 0, cancels, limits.steps))
        plain = [Bounds(early, 0, 0, limits.steps)]
        return disturbed + plain if rule in NEEDS_FAULT + NEEDS_CANCEL else plain + disturbed

    def _phase(self, scenario: Scenario, judge: Judge, policy: str, bounds: Bounds) -> Optional[Witness]:
        if not bounds.faults:
            return self._explore(scenario, judge, policy, bounds)
        whole = True
        for name in self.plan.errors or [DEFAULT_ERROR] + self.harness.handled_errors()[:2]:
            self.harness.world.any_error = (self.harness.error(name),)
            witness = self._explore(scenario, judge, policy, bounds)
            if witness is not None:
                return witness
            whole = whole and self._was_whole
        self._was_whole = whole
        return None

    def _explore(self, scenario: Scenario, judge: Judge, policy: str, bounds: Bounds) -> Optional[Witness]:
        """All schedules within the bounds, until one goes wrong or time is up."""
        started = now = perf_counter()
        self.harness.world.policy, self.harness.world.absent = judge.policy
        self._called.update(dict.fromkeys(map(call_text, self.describe_calls(scenario))))
        search = DepthFirst(scenario.key)
        schedules = pruned = cut = 0
        loop = self.harness.loop
        witness: Optional[Witness] = None
        suppressed = False
        while now < self._deadline and witness is None:
            execution = self._execute(scenario, search, bounds, traced=schedules < 8)
            self._any_child = self._any_child or len(loop.tasks) > len(execution.tasks)
            if execution.status == "done":
                schedules += 1
                self.schedules += 1
                self.completed += not execution.pending()
                violations = judge.judge(execution)
                if violations:
                    witness = Witness(scenario, judge, list(execution.trace), violations, bounds, self.schedules)
                    witness = self._minimal(witness, execution.choices)
            else:
                pruned += execution.status == "pruned"
                cut += execution.status == "cut"
            suppressed = suppressed or execution.suppressed
            tidy_up(loop)
            if (schedules + pruned) % COLLECT_EVERY == 0:
                gc.collect()
            now = perf_counter()
            if not search.advance():
                break
        self._doubts.extend(judge.doubts[:1])
        self.phases.append(Phase(scenario.count, scenario.variant, policy, bounds, schedules, pruned, cut,
                                 search.opaque, search.exhausted and not cut, now - started))
        widest = bounds.early == self.plan.bounds.early[-1]
        judged = judge.reference.complete or not any(kind in COMPARED for kind in self.kinds)
        self._was_whole = search.exhausted and not cut and judged and (widest or not suppressed)
        return witness

    def _minimal(self, witness: Witness, choices: Sequence[int]) -> Witness:
        kind = witness.violations[0].kind
        tidy_up(self.harness.loop)

        def still_fails(script: List[Decision]) -> Optional[List[Decision]]:
            execution = self._execute(witness.scenario, Script(script), witness.bounds)
            found = witness.judge.judge(execution) if execution.status == "done" else []
            tidy_up(self.harness.loop)
            return execution.trace if any(violation.kind == kind for violation in found) else None

        trace = minimise(witness.trace, still_fails, choices)
        execution = self._execute(witness.scenario, Script(trace), witness.bounds)
        violations = witness.judge.judge(execution)
        if not violations:
            return witness  # something outside the schedule decides, which the replays will show
        return witness._replace(trace=list(execution.trace), violations=violations)

    # -- for the check of a fix -----------------------------------------------------------------------------------
    def sequential_table(self) -> Dict[str, List[Dict[str, Any]]]:
        """What two calls that don't overlap come to, for each way of making them. Private cells are left out."""
        table: Dict[str, List[Dict[str, Any]]] = {}
        self._deadline = perf_counter() + self.plan.budget
        with self.exploring(), contextlib.suppress(Inconclusive):
            for scenario, judge, policy in self._scenarios(2):
                outcomes = []
                for outcome in sequential_outcomes(judge):
                    cells = {name: value for name, value in outcome["cells"].items() if "._" not in name}
                    known = {"cells": cells, "results": outcome["results"], "effects": outcome["effects"]}
                    if known not in outcomes:
                        outcomes.append(known)
                table["%s arguments, %s stand-ins" % (scenario.variant, policy)] = outcomes
        return table

    def fails_again(self, trace: List[Decision]) -> Optional[str]:
        """Follows a schedule of another version as far as possible; what is wrong with it here, if anything."""
        count = sum(1 for kind, _ in trace if kind == "start")
        faults = sum(1 for kind, _ in trace if kind == "fail")
        cancels = sum(1 for kind, _ in trace if kind == "cancel")
        self._deadline = perf_counter() + self.plan.budget
        with self.exploring(), contextlib.suppress(Inconclusive):
            for scenario, judge, _policy in self._scenarios(count):
                execution = self._execute(scenario, Script(trace), Bounds(None, faults, cancels))
                violations = judge.judge(execution) if execution.status == "done" else []
                tidy_up(self.harness.loop)
                if violations:
                    return violations[0].message
        return None

    @contextlib.contextmanager
    def exploring(self) -> Iterator[None]:
        """The explorer's loop runs, clocks are virtual, the garbage collector waits."""
        loop = self.harness.loop
        hooks = sys.get_asyncgen_hooks()
        collecting = gc.isenabled()
        gc.disable()
        sys.set_asyncgen_hooks(firstiter=loop.asyncgen_seen, finalizer=loop.asyncgen_dropped)
        asyncio._set_running_loop(loop)  # type: ignore[attr-defined]
        try:
            with controlled(loop, self.harness.project.modules()), hearing_warnings(self.harness):
                yield
        finally:
            asyncio._set_running_loop(None)  # type: ignore[attr-defined]
            sys.set_asyncgen_hooks(*hooks)
            if collecting:
                gc.enable()

    # -- verdicts -------------------------------------------------------------------------------------------------
    def _check_exercised(self) -> None:
        """A run that didn't exercise the finding is no pass."""
        plan = self.plan
        self._refuse_io()
        if not self.completed and (self.schedules or perf_counter() < self._deadline):
            raise Inconclusive("no schedule came to its end: each call waits for something that no call of the plan "
                               "provides", "targets")
        unreached = timeline.unreached(self._lines, self.harness.project, plan.finding)
        if unreached:
            raise Inconclusive("line %s of %s was never reached" % (
                ", ".join(map(str, unreached)), plan.finding.path), "args")
        waited = self.harness.world.awaited | self.harness.world.plain_functions
        if plan.finding.lines and not self._any_child and all(kind in OF_TASKS for kind in self.kinds):
            raise Inconclusive("no call started a task on this event loop, which is what the finding is about", "args")
        for path in self.harness.named_stubs:
            if not any(name == path or name.endswith("." + path) for name in waited):
                raise Inconclusive("the stub %s was never awaited" % path, "stubs")
        if self._doubts:
            raise Inconclusive("%s; whether that is wrong depends on what the finding is about"
                               % self._doubts[0].message, "finding.cells")
        least = 1 if all(kind in ALONE for kind in self.kinds) else min(2, max(self.plan.bounds.calls))
        if not any(self._is_whole(phase.calls) for phase in self.phases if phase.calls >= least):
            raise Inconclusive("the budget of %g s is not enough for all schedules of two calls; %d were run, none "
                               "went wrong" % (plan.budget, self.schedules), "budget")

    def _common(self, verdict: str) -> Dict[str, Any]:
        return {"version": 1, "verdict": verdict, "python": platform.python_version(),
                "schedules": self.schedules, "explored": [phase.to_json() for phase in self.phases],
                "missing_packages": self.harness.project.missing()}

    def _inconclusive(self, reason: Inconclusive) -> Dict[str, Any]:
        return dict(self._common("inconclusive"), message=str(reason), hint=reason.field, **reason.more)

    def _nothing_found(self) -> Dict[str, Any]:
        """The message names what was run to the end, and what wasn't."""
        counts = sorted({phase.calls for phase in self.phases})
        whole = [count for count in counts if self._is_whole(count)]
        message = "no schedule of %s goes wrong" % _calls(max(whole))
        rest = sum(phase.schedules for phase in self.phases if not phase.exhausted)
        if max(counts) not in whole or rest:
            message += "; of larger ones, the %d that the budget allowed don't either" % rest
        return dict(self._common("no-violation"), message=message, called=list(self._called), exhaustive_calls=max(whole),
                    exhaustive=all(phase.exhausted for phase in self.phases))

    def _is_whole(self, count: int) -> bool:
        """Whether all schedules of this many calls were run, made-up collections of several elements aside."""
        planned = {what for what in self._planned if what[0] == count and (what[1] != "many" or count == 1)}
        return bool(planned) and planned <= self._whole

    def _proved(self, witness: Witness) -> Dict[str, Any]:
        outcomes = self.replays(witness, self._replays)
        if not all(outcomes):
            raise Inconclusive("a failing schedule was found, but on the stock event loop it failed only %d of %d "
                               "times: something outside the schedule decides"
                               % (sum(outcomes), self._replays), "stubs")
        self.witness = witness
        first = witness.violations[0]
        story = timeline.tell(self, witness)
        return dict(
            self._common("proved"), kind=first.kind, message=first.message,
            violations=[violation._asdict() for violation in witness.violations],
            calls=self.describe_calls(witness.scenario), schedule=[list(decision) for decision in witness.trace],
            bounds=dict(witness.bounds.to_json(), calls=witness.scenario.count), first_failing=witness.number,
            replayed=len(outcomes), cells=[cell.text for cell in witness.judge.cells],
            sequential=sequential_outcomes(witness.judge), timeline=story)

    def describe_calls(self, scenario: Scenario) -> List[Dict[str, Any]]:
        return [{"call": label, "target": entry.target.call, "function": entry.name,
                 "arguments": {name: readable_value(value) for name, value in arguments.items()}}
                for label, entry, arguments in zip(scenario.labels, scenario.entries, scenario.arguments)]

    def replays(self, witness: Witness, count: int) -> List[bool]:
        """Whether the schedule goes wrong in the same way on the stock loop, time after time."""
        kind = witness.violations[0].kind
        found = []
        self.harness.world.policy, self.harness.world.absent = witness.judge.policy
        with hearing_warnings(self.harness):
            for _ in range(count):
                violations, unmet = replay.replay(witness.scenario, witness.trace, witness.judge.judge)
                found.append(not unmet and any(violation.kind == kind for violation in violations))
        return found


def _calls(count: int) -> str:
    return "one call" if count == 1 else "%d overlapping calls" % count


def call_text(call: Dict[str, Any]) -> str:
    """A call for people."""
    arguments = ", ".join("%s=%s" % item for item in call["arguments"].items())
    return "%s(%s)" % (call["target"].rpartition(":")[2], arguments)


def sequential_outcomes(judge: Judge) -> List[Dict[str, Any]]:
    """What one-after-the-other comes to, for people and for comparison."""
    found = []
    for outcome, order in judge.reference.outcomes.items():
        found.append({"order": order,
                      "cells": {cell.text: readable(value) for cell, value in zip(judge.cells, outcome.cells)},
                      "results": [_result_text(result) for result in outcome.results],
                      "effects": list(outcome.effects)})
    return found


def _result_text(result: tuple) -> str:
    _group, status, value = result
    return "%s %s" % (status, value if status == "raised" else readable(value)) if status in ("returned", "raised") \
        else status


def readable_value(value: Any) -> str:
    """A value for people."""
    return readable(describe(value))


def _is_store(operations: Iterable[str]) -> bool:
    """Whether something is both read from and written to among stand-ins' operations, as with a store."""
    reads: Set[str] = set()
    writes: Set[str] = set()
    for path in operations:
        owner, _, name = path.rpartition(".")
        verb = VERBS.match(name)
        if verb is not None:
            (writes if verb.lastgroup == "write" else reads).add(owner)
    return bool(reads & writes)
