"""Arguments and receivers: from the plan, else from defaults, annotations and names."""
from __future__ import annotations

import asyncio
import collections.abc
import dataclasses
import datetime
import decimal
import enum
import inspect
import pathlib
import re
import typing
import uuid
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

from .importing import NotRunnable, Project
from .stubs import Stub, World

#: How deep objects that need objects are constructed.
DEEPEST = 4

MANY = re.compile(r"(?:^|_)(\w*ids|keys|urls|items|symbols|names|jobs|tasks|rows|users|paths|requests|"
                  r"messages|events|values)$")
NUMBER = re.compile(r"^(n|i|k|x|y)$|(?:^|_)(amount|count|number|size|limit|capacity|price|qty|quantity|delta|step|max|"
                    r"min|rate|timeout|delay|seconds|ttl|interval|period|retries|attempts|workers|balance|total|value|"
                    r"version|port|page|offset|index|age|score|points|level|tokens|permits|maxsize|width|weight)$")
TEXT = re.compile(r"(?:^|_)(key|id|name|user|url|path|text|item|sku|symbol|code|email|account|topic|channel|title|"
                  r"query|sql|message|line|job|token|src|dst|source|destination|from_|to|host|address|"
                  r"country|city|tag|label)$")


class Choice(NamedTuple):
    """A value that can differ from call to call; `alternatives` are interchangeable in kind.

    `given` says that the plan has one for each call, which is then not varied.
    """

    alternatives: Tuple[Any, ...]
    given: bool = False


class Several(NamedTuple):
    """A collection that was made up: of one element while calls overlap, of two otherwise."""

    kind: Any
    elements: Tuple[Any, ...]

    def made(self, variant: str, number: int) -> Any:
        if variant == "many":
            chosen = self.elements if number % 2 == 0 else self.elements[::-1]
        else:
            chosen = (self.elements[number % len(self.elements)],) if variant == "different" else self.elements[:1]
        return self.kind(chosen)


class Amount(NamedTuple):
    """A number that was made up: one, or as many as there are of anything."""

    small: Any
    large: Any


class Recipe(NamedTuple):
    """How an object was made: from a class with arguments, or by an expression."""

    kind: Any
    args: Dict[str, Any]
    text: Optional[str] = None


class Builder:
    """Makes the values that calls are made with. One is made for each way of varying arguments."""

    def __init__(self, project: Project, world: World) -> None:
        self._project = project
        self._world = world
        self._hints: Dict[Any, Dict[str, Any]] = {}
        #: Whether parameters that nothing is known about are all stand-ins, whatever their names.
        self.only_stubs = False
        #: The largest number that the code of the present target starts out with; 1 when there is none.
        self.largest = 1
        self._recipes: Dict[int, Tuple[Any, Recipe]] = {}
        #: What was made up without any hint, for messages: parameter names.
        self.guessed: List[str] = []

    def recipe_of(self, value: Any) -> Optional[Recipe]:
        """How `value` was made, if it was made here."""
        known = self._recipes.get(id(value))
        return known[1] if known is not None else None

    def _remember(self, value: Any, recipe: Recipe) -> Any:
        if len(self._recipes) > 1000:  # objects of earlier schedules
            self._recipes.clear()
        self._recipes[id(value)] = (value, recipe)
        return value

    # -- from the plan ------------------------------------------------------------------------------------------------
    def from_plan(self, spec: Any, path: str, namespace: Dict[str, Any]) -> Any:
        """A value written in a plan: JSON, or an object with one of the keys that PLAN.md lists."""
        if isinstance(spec, list):
            return [self.from_plan(item, path, namespace) for item in spec]
        if not isinstance(spec, dict):
            return spec
        if "each" in spec:
            return Choice(tuple(self.from_plan(item, path, namespace) for item in spec["each"]), given=True)
        if "stub" in spec:
            return Stub(self._world, spec["stub"])
        if "ref" in spec:
            name = spec["ref"].rpartition(":")[2]
            found = self._project.resolve(spec["ref"])
            text = "modules[%r].%s" % (found.module.__name__, name)
            return self._remember(found.value, Recipe(None, {}, text))
        if "expr" in spec:
            text = "eval(%r, vars(modules[%r]))" % (spec["expr"], namespace["__name__"])
            return self._remember(eval(spec["expr"], namespace), Recipe(None, {}, text))
        if "new" in spec:
            kind = self._project.resolve(spec["new"]).value
            given = {name: self.from_plan(item, name, namespace) for name, item in spec.get("args", {}).items()}
            return self.instance(kind, path, given, 0)
        return {key: self.from_plan(item, path, namespace) for key, item in spec.items()}

    # -- made up ------------------------------------------------------------------------------------------------------
    def arguments(self, function: Callable[..., Any], given: Dict[str, Any], depth: int = 0) -> Dict[str, Any]:
        """By parameter name; `Choice`s among them. Parameters with a default keep it, if it is a value."""
        found: Dict[str, Any] = {}
        hints = self._hints_of(function)
        for position, parameter in enumerate(inspect.signature(function).parameters.values()):
            if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
                continue
            if parameter.name in given:
                found[parameter.name] = given[parameter.name]
                continue
            if position == 0 and parameter.name == "self":
                continue
            annotation = hints.get(parameter.name, parameter.annotation)
            is_off = parameter.default is None and depth > 0 and _is_asynchronous_callback(annotation)
            if parameter.default is parameter.empty or is_off or _is_marker(parameter.default, annotation):
                found[parameter.name] = self._by_annotation(annotation, parameter.name, depth)
        unknown = set(given) - set(inspect.signature(function).parameters)
        if unknown and not any(parameter.kind == parameter.VAR_KEYWORD
                               for parameter in inspect.signature(function).parameters.values()):
            raise NotRunnable("args: %s has no parameter %s" % (_name_of(function), ", ".join(sorted(unknown))))
        found.update({name: given[name] for name in unknown})
        return found

    def _hints_of(self, function: Callable[..., Any]) -> Dict[str, Any]:
        key = getattr(function, "__func__", function)
        known = self._hints.get(key)
        if known is None:
            try:
                known = typing.get_type_hints(key)
            except Exception:  # annotations may name what exists for type checkers only
                known = {}
            self._hints[key] = known
        return known

    def instance(self, kind: Any, path: str, given: Dict[str, Any], depth: int) -> Any:
        """An object of a class of the project."""
        if inspect.isabstract(kind):
            raise NotRunnable("receiver: %s is abstract" % kind.__qualname__)
        args = self._init_arguments(kind, given, depth)
        given = {name: first(value) for name, value in args.items()}
        try:
            return self._remember(kind(**given), Recipe(kind, given))
        except NotRunnable:
            raise
        except Exception as error:
            raise NotRunnable("receiver: %s() raised %s: %s" % (kind.__qualname__, type(error).__name__, error))

    def _init_arguments(self, kind: Any, given: Dict[str, Any], depth: int) -> Dict[str, Any]:
        if kind.__init__ is object.__init__:
            return dict(given)
        return self.arguments(kind.__init__, given, depth + 1)

    def _by_annotation(self, annotation: Any, name: str, depth: int) -> Any:
        if annotation is inspect.Parameter.empty or annotation is Any or isinstance(annotation, str):
            return self._by_name(name, annotation if isinstance(annotation, str) else "")
        origin = typing.get_origin(annotation)
        if _is_asynchronous_callback(annotation):
            return Stub(self._world, name)
        if origin is typing.Union or type(annotation).__name__ == "UnionType":
            options = [item for item in typing.get_args(annotation) if item is not type(None)]
            return self._by_annotation(options[0], name, depth) if options else None
        if origin in _WRAPPERS and typing.get_args(annotation):
            return self._by_annotation(typing.get_args(annotation)[0], name, depth)
        if str(origin) == "typing.Literal" or origin is getattr(typing, "Literal", object()):
            return Choice(typing.get_args(annotation))
        kind = origin or annotation
        if kind in _SCALARS:
            return self._scalar(kind, name)
        if kind in (list, set, frozenset, tuple, collections.abc.Sequence, collections.abc.Iterable,
                    collections.abc.Collection, collections.abc.Set):
            return self._container(kind, annotation, name, depth)
        if kind in (dict, collections.abc.Mapping, collections.abc.MutableMapping):
            return {}
        if kind in _PRIMITIVES:
            return _PRIMITIVES[kind]()
        if isinstance(kind, type):
            return self._of_class(kind, name, depth)
        return Stub(self._world, name)

    def _of_class(self, kind: type, name: str, depth: int) -> Any:
        if issubclass(kind, enum.Enum):
            return Choice(tuple(kind))
        if issubclass(kind, asyncio.Queue):
            return kind()
        ours = self._project.is_ours(kind.__module__)
        protocol = getattr(kind, "_is_protocol", False)
        if not ours or protocol or inspect.isabstract(kind) or depth >= DEEPEST:
            return Stub(self._world, name)
        if dataclasses.is_dataclass(kind) or self._is_small(kind):
            alternatives = tuple(self._numbered(kind, name, depth, number) for number in range(2))
            return Choice(alternatives)
        return self.instance(kind, name, {}, depth)

    def _is_small(self, kind: type) -> bool:
        """Whether a class only holds values: two of it may differ."""
        return not any(inspect.iscoroutinefunction(item) for item in vars(kind).values())

    def _numbered(self, kind: type, name: str, depth: int, number: int) -> Any:
        args = {key: nth(value, number) for key, value in self._init_arguments(kind, {}, depth).items()}
        try:
            return self._remember(kind(**args), Recipe(kind, args))
        except Exception:
            return Stub(self._world, name)

    def _container(self, kind: Any, annotation: Any, name: str, depth: int) -> Any:
        inner = typing.get_args(annotation)
        element = self._by_annotation(inner[0] if inner else str, name.rstrip("s") or name, depth)
        elements = (nth(element, 0), nth(element, 1)) if isinstance(element, Choice) else (element, element)
        return Several({set: set, frozenset: frozenset, tuple: tuple}.get(kind, list), elements)

    def _scalar(self, kind: type, name: str) -> Any:
        if kind is str:
            return Choice((name + "-1", name + "-2", name + "-3"))
        if kind is bool:
            return True
        if kind is int:
            return Choice((1, 2, 3)) if not NUMBER.search(name) else self._amount(int)
        if kind is bytes:
            return b"x"
        return self._amount(kind)

    def _amount(self, kind: Any) -> Any:
        return Amount(kind(1), kind(self.largest)) if self.largest > 1 else kind(1)

    def _by_name(self, name: str, annotation: str) -> Any:
        """Without an annotation that can be used, by what parameters of this name usually are."""
        for text, kind in (("int", int), ("str", str), ("float", float), ("bool", bool), ("bytes", bytes)):
            if annotation == text:
                return self._scalar(kind, name)
        if annotation.startswith(("list", "List", "Sequence", "Iterable")):
            return Several(list, (name + "-1", name + "-2"))
        if annotation.startswith(("dict", "Dict", "Mapping")):
            return {}
        bare = name.lower()
        if bare == "queue" or bare.endswith("_queue") or "Queue" in annotation:
            return asyncio.Queue()
        if bare in ("sem", "semaphore") or bare.endswith(("_sem", "_semaphore")) or "Semaphore" in annotation:
            return asyncio.Semaphore(1)
        if bare == "lock" or bare.endswith("_lock") or annotation.endswith("Lock"):
            return asyncio.Lock()
        self.guessed.append(name)
        if annotation or self.only_stubs:
            return Stub(self._world, name)
        if MANY.search(bare):
            return Several(list, (name + "-1", name + "-2"))
        if NUMBER.search(bare):
            return self._amount(int)
        if TEXT.search(bare):
            return Choice((name + "-1", name + "-2", name + "-3"))
        return Stub(self._world, name)


def largest_number(function: Callable[..., Any], owner: Any, namespace: Dict[str, Any]) -> Any:
    """The largest number that a function, its object's constructor or its module's variables start out with."""
    found: List[Any] = [1]
    for code in [getattr(item, "__code__", None) for item in (inspect.unwrap(function), getattr(owner, "__init__", None))]:
        found.extend(code.co_consts if code is not None else ())
    found.extend(getattr(getattr(owner, "__init__", None), "__defaults__", None) or ())
    for value in list(namespace.values()):
        found.extend(value.values() if type(value) is dict else [value])
    return max(number for number in found if type(number) in (int, float) and number <= LARGEST)


#: Larger numbers are no amounts of anything.
LARGEST = 1_000_000

_SCALARS = (str, int, float, bool, bytes, complex, decimal.Decimal)
_WRAPPERS = tuple(getattr(typing, name) for name in ("Annotated", "Final", "ClassVar", "Required", "NotRequired")
                  if hasattr(typing, name))
_PRIMITIVES: Dict[Any, Callable[[], Any]] = {
    asyncio.Lock: asyncio.Lock, asyncio.Event: asyncio.Event, asyncio.Condition: asyncio.Condition,
    asyncio.Semaphore: lambda: asyncio.Semaphore(1), asyncio.BoundedSemaphore: lambda: asyncio.BoundedSemaphore(1),
    asyncio.Queue: asyncio.Queue, datetime.timedelta: lambda: datetime.timedelta(seconds=1),
    datetime.datetime: lambda: datetime.datetime(2030, 1, 1), datetime.date: lambda: datetime.date(2030, 1, 1),
    uuid.UUID: lambda: uuid.UUID(int=1), pathlib.Path: lambda: pathlib.Path("file"), object: object, type(None): int,
}


def first(value: Any) -> Any:
    return nth(value, 0)


def nth(value: Any, number: int) -> Any:
    """The value for the call with this number."""
    if isinstance(value, Choice):
        return value.alternatives[number % len(value.alternatives)]
    if isinstance(value, Several):
        return value.made("many", 0)
    if isinstance(value, Amount):
        return value.small
    return value


def _is_marker(default: Any, annotation: Any) -> bool:
    """Whether a default only tells a framework where to take the value from: it is no value of the declared type."""
    return callable(default) and isinstance(annotation, type) and not isinstance(default, annotation)


def _is_asynchronous_callback(annotation: Any) -> bool:
    """Whether a type is that of functions to await. An object that is made without one may be unable to do anything."""
    if typing.get_origin(annotation) is collections.abc.Callable:
        gives = typing.get_args(annotation)[-1]
        return typing.get_origin(gives) in (collections.abc.Awaitable, collections.abc.Coroutine)
    return any(map(_is_asynchronous_callback, typing.get_args(annotation)))


def _name_of(function: Callable[..., Any]) -> str:
    return getattr(function, "__qualname__", repr(function))


def is_varied(value: Any) -> bool:
    """Whether a value differs from call to call as the variant says."""
    return isinstance(value, Choice) and not value.given


#: How calls' arguments differ from each other. "same": not at all. "keyed": the first argument that can differ is the
#: same, the others differ. "crossed": arguments of one kind change places. "different": all differ. "many": collections
#: that were made up have two elements, in turned order in every other call. "large": numbers that were made up are as large as
#: anything that the code starts out with, so that there is enough for one call and not for two.
VARIANTS = ("same", "keyed", "crossed", "different")


def variants_of(arguments: Sequence[Dict[str, Any]]) -> List[str]:
    """The ways in which these calls' arguments can be varied, without those that come to the same."""
    several = any(isinstance(value, Several) for args in arguments for value in args.values())
    amounts = any(isinstance(value, Amount) for args in arguments for value in args.values())
    if len(arguments) == 1:
        return ["many" if several else "same"]
    choices = max((sum(is_varied(value) for value in args.values()) for args in arguments), default=0)
    found = ["same"]
    if choices > 1:
        found = list(VARIANTS)
    elif choices == 1 or several:
        found = ["same", "different"]
    return found + ["large"] * amounts + ["many"] * several


def vary(arguments: Dict[str, Any], variant: str, number: int) -> Dict[str, Any]:
    """The arguments of the call with this number."""
    choices = [name for name, value in arguments.items() if is_varied(value)]
    found = {name: value for name, value in arguments.items() if name not in choices}
    for name, value in found.items():
        if isinstance(value, Several):
            found[name] = value.made(variant, number)
        elif isinstance(value, Amount):
            found[name] = value.large if variant == "large" else value.small
        elif isinstance(value, Choice):
            found[name] = nth(value, number)
    for position, name in enumerate(choices):
        found[name] = nth(arguments[name], _index(variant, position, number))
    if variant == "crossed":
        _cross(found, arguments, choices, number)
    return {name: found[name] for name in arguments}


def _index(variant: str, position: int, number: int) -> int:
    if variant == "different" or (variant == "keyed" and position > 0):
        return number
    return 0


def _cross(found: Dict[str, Any], arguments: Dict[str, Any], choices: List[str], number: int) -> None:
    """The first two choices of one kind take the same two values, in turned order in every other call."""
    for position, one in enumerate(choices):
        for other in choices[position + 1:]:
            if type(nth(arguments[one], 0)) is type(nth(arguments[other], 0)):
                pair = (nth(arguments[one], 0), nth(arguments[other], 0))
                if pair[0] == pair[1]:
                    pair = (nth(arguments[one], 0), nth(arguments[one], 1))
                found[one], found[other] = pair if number % 2 == 0 else pair[::-1]
                return
