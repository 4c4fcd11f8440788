"""A number of overlapping calls that can be started again and again from the same state."""
from __future__ import annotations

import inspect
import types
from typing import TYPE_CHECKING, Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Set

from . import cells, construct, keys, objects
from .cells import Cell
from .plan import Target
from .reach import underlying
from .schedule import Call, Decision, Execution
from .state import Checkpoint
from .stubs import Stub

if TYPE_CHECKING:
    from .harness import Harness

#: The cell that a store outside is.
STORE = "store"


class Entry(NamedTuple):
    """A resolved target: the function to call, and the class whose object it is called on."""

    target: Target
    module: types.ModuleType
    owner: Optional[type]
    name: str
    function: Callable[..., Any]


class Scenario:
    """A number of calls with their arguments, sharing one receiver and the objects among the arguments."""

    def __init__(self, harness: Harness, entries: Sequence[Entry], arguments: Sequence[Dict[str, Any]],
                 variant: str) -> None:
        self.harness = harness
        self.entries = list(entries)
        self.variant = variant
        self.labels = [chr(ord("A") + number) for number in range(len(self.entries))]
        self._templates = list(arguments)
        self._build()
        self._groups = self._find_groups()
        self.cells = self._find_cells()

    @property
    def count(self) -> int:
        return len(self.entries)

    def _build(self) -> None:
        harness = self.harness
        #: By class: calls of the same class share one object.
        self.receivers: Dict[Optional[type], Any] = {}
        for entry in self.entries:
            if entry.owner is not None and entry.owner not in self.receivers:
                self.receivers[entry.owner] = harness.receiver(entry)
        shared: Dict[int, Dict[str, Any]] = {}
        self.arguments = []
        for number, entry in enumerate(self.entries):
            template = shared.setdefault(id(entry), self._templates[number])
            self.arguments.append(construct.vary(template, self.variant, number))
        self._functions = [
            getattr(self.receivers[entry.owner], entry.name) if entry.owner is not None else entry.function
            for entry in self.entries]
        #: What calls share that isn't a plain value.
        self._objects = list(self.receivers.values()) + [
            value for arguments in self.arguments for value in arguments.values() if type(value) not in keys.PLAIN]
        self._objects.append(harness.world)
        self._starters = [_starter(function, arguments) for function, arguments in zip(self._functions, self.arguments)]
        self._checkpoint = Checkpoint(list(self.receivers.values()) + self.arguments, harness.looked_into)

    def _find_groups(self) -> List[int]:
        groups: List[int] = []
        for number, entry in enumerate(self.entries):
            same = [other for other in range(number)
                    if self.entries[other] is entry and _same(self.arguments[other], self.arguments[number])]
            groups.append(groups[same[0]] if same else number)
        return groups

    @property
    def groups(self) -> List[int]:
        """For each call the number of the first call that is interchangeable with it."""
        return self._groups

    def begin(self) -> List[Call]:
        """Puts everything back; answers with the calls to start."""
        self.harness.reset()
        if self._checkpoint.complete:
            self._checkpoint.restore()
        else:
            self._rebuild()
        return list(map(Call, self.labels, self._starters, self._groups))

    def _rebuild(self) -> None:
        """Something among the receivers and arguments cannot be put back, so all are made anew."""
        self._templates = [self.harness.arguments(entry) for entry in self.entries]
        self._build()

    def rebuild(self) -> List[Call]:
        """For another event loop: nothing of the receivers and arguments is kept."""
        self.harness.reset()
        self._rebuild()
        return list(map(Call, self.labels, self._starters, self._groups))

    # -- what is compared -----------------------------------------------------------------------------------------
    def _find_cells(self) -> List[Cell]:
        plan = self.harness.plan
        names = plan.finding.cells or self.default_cells() + cells.torn(self._functions)
        return [cells.parse(name) for name in dict.fromkeys(names)]

    def default_cells(self) -> List[str]:
        """Parameters whose default is an object that all calls share."""
        found: List[str] = []
        for function in self._functions:
            for name, parameter in inspect.signature(function).parameters.items():
                if isinstance(parameter.default, (dict, list, set)):
                    found.append(name)
        return found

    def everything(self) -> List[Cell]:
        """All shared state, for a finding of a rule about state whose cells nobody could tell."""
        names = ["self"] if self.receivers else []
        names.extend(name for name, value in self.arguments[0].items() if not isinstance(value, (str, int, float)))
        for held in self.harness.globals:
            names.extend(name for name, value in held.current().items() if is_data(value))
        return [cells.parse(name) for name in names]

    def root(self, name: str) -> Any:
        """What a cell's root name stands for."""
        if name == STORE:
            return self.harness.world.store
        if name == "self" or name == "cls":
            return next(iter(self.receivers.values()), cells.MISSING)
        if ":" in name:
            return self.harness.project.resolve(name).value
        for arguments in self.arguments:
            if name in arguments:
                return arguments[name]
        for function, entry in zip(self._functions, self.entries):
            found = _named_in(function, entry, name)
            if found is not cells.MISSING:
                return found
        for held in self.harness.globals:
            current = held.current()
            if name in current:
                return current[name]
        return cells.MISSING

    def key(self, options: Sequence[Decision], execution: Execution) -> Optional[bytes]:
        """The key of the present state, for `search.DepthFirst`."""
        harness = self.harness
        facts = (tuple(options), execution.early, execution.faults, execution.cancels, len(harness.never_awaited),
                 len(harness.loop.problems), len(execution.outlived), harness.world.facts())
        roots = self._objects + harness.checkpoint.contents()
        for names in harness.globals:
            roots.extend(names.rebound())
        return keys.key_of(roots, facts, harness.loop)

    def shared_objects(self) -> Dict[str, Any]:
        """Where to look for locks, semaphores, and tasks that somebody holds; by name."""
        found: Dict[str, Any] = {"self": receiver for receiver in self.receivers.values()}
        for arguments in self.arguments:
            found.update(arguments)
        for names in self.harness.globals:
            found.update(names.current())
        found["other objects"] = self.harness.checkpoint.contents()
        return found

    def held_tasks(self) -> Set[int]:
        """The identities of tasks that something shared refers to."""
        return objects.held_tasks(self.shared_objects())


def _starter(function: Callable[..., Any], arguments: Dict[str, Any]) -> Callable[[], Any]:
    """What gives the coroutine of a call, for a coroutine function, an asynchronous generator, or anything else."""
    if inspect.isasyncgenfunction(inspect.unwrap(function)):
        return lambda: _exhaust(call(function, arguments))
    if not inspect.iscoroutinefunction(function):
        return lambda: _await_result(function, arguments)
    parameters = inspect.signature(function).parameters.values()
    if any(parameter.kind == parameter.POSITIONAL_ONLY for parameter in parameters):
        return lambda: call(function, arguments)
    return lambda: function(**arguments)


def call(function: Callable[..., Any], arguments: Dict[str, Any]) -> Any:
    """Calls by name, positional-only parameters aside."""
    try:
        return function(**arguments)
    except TypeError:
        positional = [name for name, parameter in inspect.signature(function).parameters.items()
                      if parameter.kind == parameter.POSITIONAL_ONLY]
        if not positional:
            raise
        rest = {name: value for name, value in arguments.items() if name not in positional}
        return function(*[arguments[name] for name in positional if name in arguments], **rest)


async def _exhaust(generator: Any) -> List[Any]:
    return [item async for item in generator]


async def _await_result(function: Callable[..., Any], arguments: Dict[str, Any]) -> Any:
    result = call(function, arguments)
    if isinstance(result, Stub) or not hasattr(result, "__await__"):
        return result
    return await result


def is_data(value: Any) -> bool:
    """Whether a module-level name stands for state, and not for code."""
    code = (type, types.ModuleType, types.FunctionType, types.BuiltinFunctionType, types.MethodType)
    return not isinstance(value, code) and not callable(value)


def _named_in(function: Callable[..., Any], entry: Entry, name: str) -> Any:
    """A name as a function sees it: what its closure keeps, its defaults, its module."""
    plain = underlying(function)
    for part in (function, plain):
        code = getattr(part, "__code__", None)
        closure = getattr(part, "__closure__", None)
        if code is not None and closure and name in code.co_freevars:
            return closure[code.co_freevars.index(name)].cell_contents
    try:
        parameter = inspect.signature(plain).parameters.get(name)
    except (TypeError, ValueError):
        parameter = None
    if parameter is not None and parameter.default is not parameter.empty:
        return parameter.default
    namespace = getattr(plain, "__globals__", vars(entry.module))
    return namespace.get(name, cells.MISSING)


def _same(one: Dict[str, Any], other: Dict[str, Any]) -> bool:
    return list(one) == list(other) and all(
        one[name] is other[name] or (type(one[name]) is type(other[name]) and isinstance(one[name], (str, int, float))
                                     and one[name] == other[name]) for name in one)
