"""From a plan to calls that can be started again and again from the same state."""
from __future__ import annotations

import ast
import asyncio
import builtins
import contextlib
import functools
import inspect
import itertools
import random
import sys
import sysconfig
import types
import warnings
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

from . import cells, construct
from .importing import NotRunnable, Project, Resolved
from .loop import ExplorerLoop
from .plan import Plan, StubSpec, Target
from .reach import Reach, underlying
from .scenario import Entry, Scenario
from .state import Checkpoint
from .stubs import Stub, World, plain

#: Error that an awaited operation fails with when the plan names none.
DEFAULT_ERROR = "ConnectionError"


class Harness:
    """The project's code, loaded, with stand-ins in place. One for a run."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.loop = ExplorerLoop()
        self.world = World(self.loop, plan.policy or "pure", plan.absent)
        asyncio.set_event_loop(self.loop)
        self.project = Project(plan.root, plan.path, self.world)
        self.entries = [entry for target in plan.targets for entry in self._entries(target)]
        self.builder = construct.Builder(self.project, self.world)
        self.named_stubs: List[str] = []
        self._replaced: List[Tuple[Any, str, Any]] = []
        #: Functions of the project whose calls are noted.
        self.observed: List[str] = []
        for spec in plan.stubs:
            self._stub(spec)
        self._observe_leaves()
        reach = Reach(self.project, self._starts())
        self.functions = reach.functions
        self.globals = reach.globals()
        self._roots = reach.roots
        self._stdlib = sysconfig.get_paths()["stdlib"]
        self.checkpoint = Checkpoint(
            self._roots + [value for names in self.globals for value in names.values()], self.looked_into)
        self._uses_chance = any(_uses_chance(module) for module in self._third_party())
        #: Warnings of this schedule about coroutines that were never awaited.
        self.never_awaited: List[str] = []

    # -- targets --------------------------------------------------------------------------------------------------
    def _entries(self, target: Target) -> List[Entry]:
        found = self.project.resolve(target.call)
        if isinstance(found.value, type):
            return self._methods(target, found)
        if not callable(found.value):
            raise NotRunnable("%s cannot be called" % target.call)
        owner = found.owner if isinstance(found.owner, type) else None
        if owner is not None:
            if isinstance(inspect.getattr_static(owner, found.attribute), (staticmethod, classmethod)):
                owner = None
        return [Entry(target, found.module, owner, found.attribute, found.value)]

    def _methods(self, target: Target, found: Resolved) -> List[Entry]:
        """A class stands for its public coroutine methods."""
        kind = found.value
        names = [name for name, item in vars(kind).items()
                 if inspect.iscoroutinefunction(item) and not name.startswith("_")]
        if not names:
            raise NotRunnable("%s has no public coroutine methods" % target.call)
        return [Entry(target, found.module, kind, name, getattr(kind, name)) for name in names]

    def _starts(self) -> List[Any]:
        starts: List[Any] = [entry.function for entry in self.entries]
        starts.extend(entry.owner for entry in self.entries if entry.owner is not None)
        used: List[Any] = [[target.args, target.receiver] for target in self.plan.targets]
        used.extend(spec.result for spec in self.plan.stubs)
        names = self.plan.restore + list(_references(used))
        starts.extend(self.project.resolve(name).value for name in names)
        return starts

    def looked_into(self, module: str) -> bool:
        """Classes of the standard library have no state of their own."""
        file = getattr(sys.modules.get(module), "__file__", None)
        if not file or module.partition(".")[0] == __package__:
            return False
        return self.project.is_ours(module) or "site-packages" in file or not file.startswith(self._stdlib)

    def _third_party(self) -> List[types.ModuleType]:
        """The modules that aren't of the standard library."""
        return [module for name, module in list(sys.modules.items())
                if isinstance(module, types.ModuleType) and self.project.loaded(name) and self.looked_into(name)]

    # -- stand-ins ------------------------------------------------------------------------------------------------
    def _stub(self, spec: StubSpec) -> None:
        path = spec.call.rpartition(":")[2]
        if spec.fails:
            self.world.errors[path] = tuple(self.error(name) for name in spec.fails)
        self.named_stubs.append(path)
        if ":" not in spec.call:
            if spec.has_result:
                self.world.results[path] = self._result(spec.result, self.entries[0].module)
            return
        found = self.project.resolve(spec.call)
        if spec.has_result:
            self.world.results[path] = self._result(spec.result, found.module)
        original = found.value
        if spec.plain or (isinstance(original, types.FunctionType) and not is_asynchronous(original)):
            self.world.plain_functions.add(path)
        self._replace(found.owner, found.attribute, Stub(self.world, path))

    def _replace(self, owner: Any, name: str, value: Any) -> None:
        self._replaced.append((owner, name, vars(owner)[name] if name in vars(owner) else getattr(owner, name)))
        setattr(owner, name, value)

    def close(self) -> None:
        """Takes the stand-ins away again."""
        for owner, name, value in reversed(self._replaced):
            setattr(owner, name, value)
        self._replaced.clear()

    def _observe_leaves(self) -> None:
        """Coroutine functions that touch nothing shared stand for work done elsewhere: their calls are effects."""
        targets = [underlying(entry.function) for entry in self.entries]
        for function in Reach(self.project, self._starts()).functions:
            module = sys.modules.get(function.__module__)
            if function not in targets and is_leaf(function) and vars(module).get(function.__name__) is function:
                self._replace(module, function.__name__, self._observed(function))
                self.observed.append("%s:%s" % (function.__module__, function.__name__))

    def _observed(self, function: types.FunctionType) -> Callable[..., Any]:
        world = self.world

        @functools.wraps(function)
        def observed(*args: Any, **options: Any) -> Any:
            world.note(function.__name__, plain(args) + plain(sorted(options.items())))
            return function(*args, **options)

        return observed

    def _result(self, spec: Any, module: types.ModuleType) -> Callable[..., Any]:
        value = self.builder.from_plan(spec, "result", vars(module))
        if isinstance(spec, dict) and "expr" in spec and callable(value):
            return value
        return lambda *_args: value

    def error(self, name: str) -> Callable[[], BaseException]:
        """A factory of the error that a name stands for in the targets' modules."""
        kind: Any = None
        if ":" in name:
            kind = self.project.resolve(name).value
        else:
            for namespace in [vars(entry.module) for entry in self.entries] + [vars(builtins), vars(asyncio)]:
                kind = _lookup(namespace, name)
                if kind is not None:
                    break
        if not (isinstance(kind, type) and issubclass(kind, BaseException)):
            raise NotRunnable("errors: %s is no exception type" % name)

        def make() -> BaseException:
            try:
                return kind("injected by racewalk")
            except TypeError:
                return kind()

        make.__name__ = kind.__name__
        return make

    def handled_errors(self) -> List[str]:
        """The types that `except` clauses of the functions name, broad ones left out."""
        found: Dict[str, None] = {}
        for function in self.functions:
            tree = cells.definition_of(function)
            for node in ast.walk(tree) if tree is not None else ():
                if isinstance(node, ast.ExceptHandler) and node.type is not None:
                    items = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
                    for item in items:
                        name = _dotted(item)
                        if name and not name.endswith(("Exception", "CancelledError", "TimeoutError")):
                            found.setdefault(name)
        return [name for name in found if self._is_error(name)]

    def _is_error(self, name: str) -> bool:
        try:
            self.error(name)
        except NotRunnable:
            return False
        return True

    # -- schedules ------------------------------------------------------------------------------------------------
    def reset(self) -> None:
        """Back to the state before the first schedule."""
        self.loop.reset()
        for names in self.globals:
            names.restore()
        self.checkpoint.restore()
        self.world.reset()
        self.never_awaited.clear()
        if self._uses_chance:
            random.seed(self.plan.seed)

    def note_warning(self, message: Any, category: type, filename: str, lineno: int, *_rest: Any) -> None:
        """For `warnings.showwarning`."""
        if issubclass(category, RuntimeWarning) and "was never awaited" in str(message):
            self.never_awaited.append(str(message))

    def scenarios(self, count: int) -> Iterator["Scenario"]:
        """The ways of making `count` overlapping calls."""
        groups = [[entry] for entry in self.entries] + [list(pair) for pair in itertools.combinations(self.entries, 2)]
        if any(entry.target.times > 1 for entry in self.entries) or len(self.plan.targets) > 1:
            groups = [[entry for entry in self.entries for _ in range(entry.target.times)]]
        for entries in groups if count > 1 else groups[:len(self.entries)]:
            chosen = [entries[number % len(entries)] for number in range(max(count, len(entries)))]
            arguments = [self.arguments(entry) for entry in chosen]
            for variant in construct.variants_of(arguments):
                yield Scenario(self, chosen, arguments, variant)

    def arguments(self, entry: Entry) -> Dict[str, Any]:
        given = {name: self.builder.from_plan(value, name, vars(entry.module))
                 for name, value in entry.target.args.items()}
        self.builder.largest = construct.largest_number(entry.function, entry.owner, vars(entry.module))
        try:
            return self.builder.arguments(entry.function, given)
        except (TypeError, ValueError) as error:
            raise NotRunnable("%s: its parameters cannot be told: %s" % (entry.target.call, error))

    def underlying(self, entry: Entry) -> Any:
        """The function of an entry as it was written."""
        return underlying(entry.function)

    def receiver(self, entry: Entry) -> Any:
        """The object that a method is called on, made anew."""
        spec = entry.target.receiver
        namespace = vars(entry.module)
        if spec is None:
            return self.builder.instance(entry.owner, "self", {}, 0)
        if {"ref", "expr", "new", "stub"} & set(spec):
            return self.builder.from_plan(spec, "self", namespace)
        given = {name: self.builder.from_plan(value, name, namespace) for name, value in spec.items()}
        return self.builder.instance(entry.owner, "self", given, 0)


def is_asynchronous(function: Callable[..., Any]) -> bool:
    """Whether calling it gives something to await, enter or iterate over asynchronously, as far as can be told."""
    plain = underlying(function)
    if inspect.iscoroutinefunction(plain) or inspect.isasyncgenfunction(plain):
        return True
    tree = cells.definition_of(plain)
    returns = [node.value for node in ast.walk(tree) if isinstance(node, ast.Return)] if tree is not None else []
    return tree is None or any(isinstance(value, ast.Call) for value in returns)


def is_leaf(function: types.FunctionType) -> bool:
    """Whether a module-level coroutine function uses nothing but its arguments, modules and functions elsewhere."""
    code = function.__code__
    if not inspect.iscoroutinefunction(function) or code.co_freevars or "." in function.__qualname__:
        return False
    used = [function.__globals__[name] for name in code.co_names if name in function.__globals__]
    return all(isinstance(value, (types.ModuleType, types.BuiltinFunctionType)) or
               getattr(value, "__module__", function.__module__) != function.__module__ for value in used)


def _references(spec: Any) -> Iterator[str]:
    """The objects of the project that values of a plan name."""
    if isinstance(spec, dict):
        if isinstance(spec.get("ref"), str):
            yield spec["ref"]
        spec = list(spec.values())
    if isinstance(spec, list):
        for item in spec:
            yield from _references(item)


def _uses_chance(module: types.ModuleType) -> bool:
    return any(getattr(value, "__module__", None) in CHANCE or getattr(value, "__name__", None) in CHANCE
               for value in list(vars(module).values()) if not isinstance(value, Stub))


#: Modules that draw from `random`, or from what is replaced by it.
CHANCE = ("random", "uuid", "secrets")


def _lookup(namespace: Dict[str, Any], dotted: str) -> Any:
    head, *rest = dotted.split(".")
    value = namespace.get(head)
    for part in rest:
        value = getattr(value, part, None)
    return value


def _dotted(node: Any) -> Optional[str]:
    parts: List[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id] + parts[::-1]) if isinstance(node, ast.Name) else None


@contextlib.contextmanager
def hearing_warnings(harness: Harness) -> Iterator[None]:
    """Within it, warnings go to the harness."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.filterwarnings("always", message=".*was never awaited", category=RuntimeWarning)
        warnings.showwarning = harness.note_warning  # type: ignore[assignment]
        yield
