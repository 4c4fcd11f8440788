"""The harness plan: what is run, against which stand-ins, and what the finding is about. PLAN.md has its fields."""
from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional, Tuple, Union


class PlanError(ValueError):
    """The plan says something that isn't in PLAN.md."""


#: What can be wrong with a schedule, in the order in which it is told.
KINDS = ("deadlock", "permit-leak", "exception", "state", "disagreement", "results", "duplicate-work",
         "task-outlives-call", "exception-lost", "never-awaited", "swallowed-cancellation")

_EVERYTHING_BUT = tuple(kind for kind in KINDS if kind != "swallowed-cancellation")

#: Which kinds count for a finding of a rule. Other rules, and plans without a rule, let every kind count that needs no
#: knowledge of what the code is meant to do.
KINDS_OF_RULE: Dict[str, Tuple[str, ...]] = {
    "lost-update": ("state", "disagreement", "results", "exception", "duplicate-work"),
    "check-then-act": ("state", "disagreement", "results", "exception", "duplicate-work"),
    "shared-default": ("state", "disagreement", "results", "exception", "duplicate-work"),
    "inconsistent-lock": ("state", "disagreement", "results", "exception", "duplicate-work"),
    "stale-write": ("state", "disagreement"),
    "iterate-across-await": ("exception", "state", "disagreement", "results"),
    "misplaced-context": ("state", "disagreement", "results"),
    "lost-wakeup": ("deadlock",),
    "stampede": ("duplicate-work", "state", "results"),
    "permit-leak": ("permit-leak", "deadlock"),
    "self-deadlock": ("deadlock",),
    "lock-order": ("deadlock",),
    "swallowed-cancellation": ("swallowed-cancellation", "deadlock"),
    "floating-task": ("task-outlives-call", "exception-lost"),
    "missing-await": ("never-awaited",),
    "fail-fast-leak": ("task-outlives-call", "exception-lost"),
    "orphaned-losers": ("task-outlives-call", "exception-lost"),
}

#: Rules whose defects show only when something fails, or is cancelled.
NEEDS_FAULT = ("permit-leak", "fail-fast-leak")
NEEDS_CANCEL = ("permit-leak", "swallowed-cancellation")


@dataclass
class Finding:
    """What the static side reported."""

    rule: Optional[str] = None
    path: Optional[str] = None
    lines: List[int] = field(default_factory=list)
    cells: List[str] = field(default_factory=list)


@dataclass
class Target:
    """A callable, and how it is called."""

    call: str
    times: int = 1
    args: Dict[str, Any] = field(default_factory=dict)
    receiver: Optional[Dict[str, Any]] = None


@dataclass
class StubSpec:
    """A callable that is replaced, and what it gives."""

    call: str
    result: Any = None
    has_result: bool = False
    fails: List[str] = field(default_factory=list)
    plain: bool = False


@dataclass
class Limits:
    """How far the search goes; see `schedule.Bounds`."""

    calls: List[int] = field(default_factory=lambda: [2, 3])
    early: List[Optional[int]] = field(default_factory=lambda: [1, None])
    faults: Optional[int] = None
    cancels: Optional[int] = None
    steps: int = 400


@dataclass
class Plan:
    """See PLAN.md."""

    root: str = "."
    path: List[str] = field(default_factory=list)
    finding: Finding = field(default_factory=Finding)
    targets: List[Target] = field(default_factory=list)
    stubs: List[StubSpec] = field(default_factory=list)
    errors: List[str] = field(default_factory=list)
    restore: List[str] = field(default_factory=list)
    policy: Optional[str] = None
    absent: Any = None
    oracles: List[str] = field(default_factory=list)
    bounds: Limits = field(default_factory=Limits)
    budget: float = 2.0
    seed: int = 0

    def kinds(self) -> Tuple[str, ...]:
        """The kinds of violation that count."""
        if self.oracles:
            return tuple(self.oracles)
        return KINDS_OF_RULE.get(self.rule, _EVERYTHING_BUT)

    @property
    def rule(self) -> str:
        """The rule's name without its family: `share/lost-update` is `lost-update`."""
        return (self.finding.rule or "").rpartition("/")[2]


def load(path: str) -> Plan:
    """Reads a plan; `PlanError` names what is wrong with it."""
    with open(path, encoding="utf-8") as file:
        try:
            data = json.load(file)
        except ValueError as error:
            raise PlanError("not JSON: %s" % error) from None
    return parse(data)


def parse(data: Any) -> Plan:
    """A plan from JSON data."""
    if not isinstance(data, dict):
        raise PlanError("a plan is an object")
    data = dict(data)
    if data.pop("version", 1) != 1:
        raise PlanError("version: this runtime reads version 1")
    plan = _object(Plan, data, "")
    plan.finding = _object(Finding, plan.finding, "finding")
    plan.bounds = _object(Limits, plan.bounds, "bounds")
    plan.targets = [_target(item, "targets[%d]" % number) for number, item in enumerate(plan.targets)]
    plan.stubs = [_stub(item, "stubs[%d]" % number) for number, item in enumerate(plan.stubs)]
    _check(plan)
    return plan


def _object(kind: type, data: Any, where: str) -> Any:
    if isinstance(data, kind):
        return data
    if not isinstance(data, dict):
        raise PlanError("%s: an object is expected" % where)
    fields = {item.name: item for item in dataclasses.fields(kind)}
    for name, value in data.items():
        if name not in fields:
            raise PlanError("%s: unknown field" % (where + "." + name if where else name))
        if not _fits(value, str(fields[name].type)):
            raise PlanError("%s: %s is expected" % (where + "." + name if where else name, fields[name].type))
    return kind(**data)


def _fits(value: Any, declared: str) -> bool:
    """Whether JSON data is of a field's declared type, at its outermost level."""
    if declared.startswith("Optional["):
        return value is None or _fits(value, declared[len("Optional["):-1])
    expected: Dict[str, Union[type, Tuple[type, ...]]] = {
        "str": str, "int": int, "float": (int, float), "bool": bool, "List": list, "Dict": dict,
    }
    wanted = expected.get(declared.partition("[")[0])
    return wanted is None or (isinstance(value, wanted) and (wanted is not int or not isinstance(value, bool)))


def _target(data: Any, where: str) -> Target:
    target = Target(call=data) if isinstance(data, str) else _object(Target, data, where)
    if ":" not in target.call:
        raise PlanError("%s: MODULE:NAME is expected" % where)
    return target


def _stub(data: Any, where: str) -> StubSpec:
    if isinstance(data, str):
        return StubSpec(call=data)
    if isinstance(data, dict) and "result" in data:
        data = dict(data, has_result=True)
    return _object(StubSpec, data, where)


def _check(plan: Plan) -> None:
    if not plan.targets:
        raise PlanError("targets: at least one is needed")
    for kind in plan.oracles:
        if kind not in KINDS:
            raise PlanError("oracles: %r is none of %s" % (kind, ", ".join(KINDS)))
    if plan.policy not in (None, "pure", "versioned", "store"):
        raise PlanError("policy: pure, versioned or store is expected")
    limits = plan.bounds
    if not limits.calls or any(not isinstance(count, int) or not 1 <= count <= 6 for count in limits.calls):
        raise PlanError("bounds.calls: numbers from 1 to 6 are expected")
    for count in limits.early:
        if count is not None and (not isinstance(count, int) or count < 0):
            raise PlanError("bounds.early: numbers or null are expected")
