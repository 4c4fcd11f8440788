"""Shared state between schedules: put back before each, and described after each so that outcomes can be compared."""
from __future__ import annotations

import asyncio
import collections
import datetime
import enum
import functools
import itertools
import logging
import types
from typing import Any, Callable, Dict, Iterable, List, Set, Tuple

from .keys import UNDERSTOOD, slots_of, written_in_python
from .scripted import START_TIME

#: Virtual wall-clock time at the start of each schedule, in seconds since the epoch (2030-01-01).
START_WALL = 1_893_456_000.0

#: A number this many seconds after one of the two starts is taken for a point in time.
_HORIZON = 10_000_000.0

#: Objects of one checkpoint. What lies beyond them is not put back, and the caller is told.
LARGEST = 20_000


class StandIn:
    """Base of objects of the runtime among the project's: they put themselves back."""


class Checkpoint:
    """The contents of everything mutable that some roots lead to, to be put back in place: identities stay."""

    def __init__(self, roots: Iterable[Any], looked_into: Callable[[str], bool]) -> None:
        #: Says of a module's name whether the attributes of its classes are looked into.
        self._looked_into = looked_into
        self._restorers: List[Callable[[], None]] = []
        self._seen: Set[int] = set()
        self._keep: List[Any] = []
        #: Whether everything could be looked into and noted.
        self.complete = True
        self._containers: List[Any] = []
        self._class_data: List[Tuple[type, Tuple[str, ...]]] = []
        self._walk(list(roots))

    def contents(self) -> List[Any]:
        """What is part of a state's key: the containers, and what class attributes are bound to now."""
        found = list(self._containers)
        for kind, names in self._class_data:
            found.extend(vars(kind).get(name) for name in names)
        return found

    def restore(self) -> None:
        for restore in self._restorers:
            restore()

    def _walk(self, found: List[Any]) -> None:
        while found:
            value = found.pop()
            if id(value) in self._seen or isinstance(value, (str, bytes, int, float, type(None))):
                continue
            if len(self._seen) > LARGEST:
                self.complete = False
                return
            self._seen.add(id(value))
            self._keep.append(value)
            found.extend(self._record(value))

    def _record(self, value: Any) -> List[Any]:
        """Notes how to put `value` back; answers with what it refers to."""
        if isinstance(value, StandIn):
            return []
        if isinstance(value, types.FunctionType):
            return self._function(value)
        if isinstance(value, type):
            return self._class(value)
        if isinstance(value, types.MethodType):
            return [value.__func__, value.__self__]
        if isinstance(value, functools.partial):
            return [value.func, value.args, value.keywords]
        if isinstance(value, (classmethod, staticmethod)):
            return [value.__func__]
        if isinstance(value, types.CellType):
            return self._cell(value)
        if hasattr(value, "cache_clear") and callable(value.cache_clear):
            self._restorers.append(value.cache_clear)
            return [getattr(value, "__wrapped__", None)]
        if isinstance(value, (types.ModuleType, logging.Logger, enum.Enum, asyncio.AbstractEventLoop)):
            return []
        return self._object(value)

    def _function(self, function: types.FunctionType) -> List[Any]:
        parts: List[Any] = list(function.__defaults__ or ())
        parts.extend((function.__kwdefaults__ or {}).values())
        parts.extend(function.__closure__ or ())
        if function.__dict__:
            parts.append(function.__dict__)
        return parts

    def _cell(self, cell: Any) -> List[Any]:
        try:
            content = cell.cell_contents
        except ValueError:
            return []

        def restore() -> None:
            cell.cell_contents = content

        self._restorers.append(restore)
        self._containers.append(cell)
        return [content]

    def _class(self, kind: type) -> List[Any]:
        if not self._looked_into(kind.__module__):
            return []
        code = (types.FunctionType, classmethod, staticmethod, property)
        saved = {name: item for name, item in vars(kind).items() if not name.startswith("__")}
        data = {name: item for name, item in saved.items() if not isinstance(item, code)}
        size = len(vars(kind))

        def restore() -> None:
            current = vars(kind)
            if len(current) != size:
                for name in [name for name in current if name not in saved and not name.startswith("__")]:
                    type.__delattr__(kind, name)
            for name, item in data.items():
                if current.get(name, saved) is not item:
                    type.__setattr__(kind, name, item)

        self._restorers.append(restore)
        if data:
            self._class_data.append((kind, tuple(data)))
        return list(saved.values()) + [base for base in kind.__bases__]

    def _object(self, value: Any) -> List[Any]:
        parts: List[Any] = []
        if isinstance(value, dict):
            self._contents(value, _copy_of_mapping(value), type(value).clear, type(value).update)
            parts.extend(value.keys())
            parts.extend(value.values())
        elif isinstance(value, list):
            self._contents(value, list(value), list.clear, list.extend)
            parts.extend(value)
        elif isinstance(value, collections.deque):
            self._contents(value, list(value), collections.deque.clear, collections.deque.extend)
            parts.extend(value)
        elif isinstance(value, set):
            self._contents(value, set(value), set.clear, set.update)
            parts.extend(value)
        elif isinstance(value, (tuple, frozenset)):
            parts.extend(value)
        attributes = getattr(value, "__dict__", None)
        if type(attributes) is dict:
            self._contents(attributes, _copy_of_mapping(attributes), dict.clear, dict.update)
            parts.extend(attributes.values())
            if self._looked_into(type(value).__module__):
                parts.append(type(value))
        names = slots_of(type(value))
        if names:
            parts.extend(self._slots(value, names))
        if not can_be_put_back(type(value)):
            self.complete = False
        return parts

    def _contents(self, value: Any, saved: Any, clear: Callable[..., Any], fill: Callable[..., Any]) -> None:
        counters = isinstance(saved, dict) and any(type(item) is itertools.count for item in saved.values())

        def restore() -> None:
            clear(value)
            fill(value, _with_fresh_counters(saved) if counters else saved)

        self._restorers.append(restore)
        self._containers.append(value)

    def _slots(self, value: Any, names: Iterable[str]) -> List[Any]:
        saved = {name: getattr(value, name) for name in names if hasattr(value, name)}

        def restore() -> None:
            for name in names:
                if name in saved:
                    object.__setattr__(value, name, saved[name])
                elif hasattr(value, name):
                    object.__delattr__(value, name)

        self._restorers.append(restore)
        self._containers.append(value)
        return list(saved.values())


@functools.lru_cache(maxsize=None)
def can_be_put_back(kind: type) -> bool:
    """Whether an object's attributes and contents are all there is to it."""
    if kind.__module__ in ("builtins", "datetime", "decimal", "re", "uuid", "itertools", "_thread", "weakref"):
        return kind not in (types.GeneratorType, types.CoroutineType, types.AsyncGeneratorType)
    return all(base in UNDERSTOOD or written_in_python(base) for base in kind.__mro__)


class Globals:
    """Module-level names, with what they are bound to; `stored` are those that functions bind anew."""

    def __init__(self, module: types.ModuleType, names: Iterable[str], stored: Iterable[str]) -> None:
        self._namespace = vars(module)
        self._names = sorted(names)
        self._saved = {name: self._namespace[name] for name in self._names if name in self._namespace}
        counters = {name for name, value in self._saved.items() if type(value) is itertools.count}
        self._rebound = sorted(counters.union(stored))

    def restore(self) -> None:
        namespace = self._namespace
        for name in self._rebound:
            if name in self._saved:
                namespace[name] = _fresh(self._saved[name])
            else:
                namespace.pop(name, None)

    def rebound(self) -> List[Any]:
        """What the names that functions bind are bound to now."""
        return [self._namespace.get(name) for name in self._rebound]

    def values(self) -> List[Any]:
        return list(self._saved.values())

    def current(self) -> Dict[str, Any]:
        return {name: self._namespace.get(name) for name in self._names}


def _copy_of_mapping(value: dict) -> dict:
    return dict(value)


def _fresh(value: Any) -> Any:
    """A counter cannot be set back, so it is replaced by one that begins where this one began."""
    if type(value) is itertools.count:
        start, _, step = repr(value)[len("count("):-1].partition(", ")
        return itertools.count(_number(start), _number(step or "1"))
    return value


def _with_fresh_counters(saved: dict) -> dict:
    return {key: _fresh(item) for key, item in saved.items()}


def _number(text: str) -> Any:
    return float(text) if "." in text or "e" in text else int(text)


# -- description ------------------------------------------------------------------------------------------------------
def is_time(value: float) -> bool:
    """Whether a number is a point in virtual time."""
    return 0 <= value - START_TIME < _HORIZON or 0 <= value - START_WALL < _HORIZON


def describe(value: Any) -> Any:
    """A value as plain, hashable data. Equal descriptions are what "the same outcome" means.

    Addresses, points in time and the order of dictionaries and sets don't count.
    """
    kind = type(value)
    if kind in (int, str, bool, bytes, type(None)):
        return value
    return _describe(value, {}, 0)


#: How deep values are described.
DEEPEST = 12


def _describe(value: Any, seen: Dict[int, int], depth: int) -> Any:
    kind = type(value)
    if kind in (int, str, bool, bytes, type(None), complex):
        return value
    if kind is float:
        return "<time>" if is_time(value) else round(value, 9)
    if isinstance(value, datetime.datetime):
        return "<time>"
    if depth > DEEPEST:
        return "…"
    if id(value) in seen:
        return "<same as %d>" % seen[id(value)]
    describer = DESCRIBERS.get(kind)
    if describer is not None:
        return describer(value)
    seen[id(value)] = len(seen)
    try:
        return _describe_parts(value, seen, depth + 1)
    finally:
        del seen[id(value)]


#: Types that describe themselves: other modules add theirs.
DESCRIBERS: Dict[type, Callable[[Any], Any]] = {}


def _describe_parts(value: Any, seen: Dict[int, int], depth: int) -> Any:
    kind = type(value)
    if kind not in _CONTAINERS:
        special = _describe_known(value, seen, depth)
        if special is not None:
            return special
    body = _describe_contents(value, seen, depth)
    if kind in _CONTAINERS:
        return body
    attributes = dict(getattr(value, "__dict__", None) or {})
    for name in slots_of(kind):
        if hasattr(value, name):
            attributes[name] = getattr(value, name)
    if not attributes:
        return body if body else "<%s>" % kind.__qualname__
    described = tuple(sorted((name, _describe(item, seen, depth)) for name, item in attributes.items()
                             if not isinstance(item, asyncio.AbstractEventLoop)))
    return (kind.__qualname__,) + ((body,) if body else ()) + described


#: Types that are nothing but their contents.
_CONTAINERS = frozenset((dict, list, tuple, set, frozenset, collections.deque))


def _describe_contents(value: Any, seen: Dict[int, int], depth: int) -> Any:
    """The description of an object as a container or a number; empty if it is neither."""
    if isinstance(value, dict):
        items = [(_describe(key, seen, depth), _describe(item, seen, depth)) for key, item in list(value.items())]
        return ("dict",) + tuple(sorted(items, key=repr) if len(items) > 1 else items)
    if isinstance(value, tuple):
        return ("tuple",) + tuple(_describe(item, seen, depth) for item in value)
    if isinstance(value, (list, collections.deque)):
        return ("list",) + tuple(_describe(item, seen, depth) for item in list(value))
    if isinstance(value, (set, frozenset)):
        return ("set",) + tuple(sorted((_describe(item, seen, depth) for item in list(value)), key=repr))
    return repr(value) if isinstance(value, (int, str, bytes, float)) else ()


def _describe_known(value: Any, seen: Dict[int, int], depth: int) -> Any:
    if isinstance(value, asyncio.Lock) or isinstance(value, asyncio.Condition):
        return "<%s %s>" % (type(value).__name__, "held" if value.locked() else "free")
    if isinstance(value, asyncio.Semaphore):
        return "<Semaphore %d>" % value._value
    if isinstance(value, asyncio.Event):
        return "<Event %s>" % ("set" if value.is_set() else "not set")
    if isinstance(value, asyncio.Queue):
        items = list(value._queue)  # type: ignore[attr-defined]
        return ("Queue",) + tuple(_describe(item, seen, depth) for item in items)
    if isinstance(value, asyncio.Future):
        return _describe_future(value, seen, depth)
    if isinstance(value, BaseException):
        return "%s: %s" % (type(value).__name__, value)
    if isinstance(value, enum.Enum):
        return str(value)
    if isinstance(value, (type, types.FunctionType, types.MethodType, types.BuiltinFunctionType)):
        return "<%s>" % getattr(value, "__qualname__", "function")
    if isinstance(value, types.ModuleType):
        return "<%s>" % value.__name__
    return None


def _describe_future(value: asyncio.Future, seen: Dict[int, int], depth: int) -> Any:
    if not value.done():
        return "<pending>"
    if value.cancelled():
        return "<cancelled>"
    error = value._exception  # type: ignore[attr-defined]
    if error is not None:
        return "<failed: %s: %s>" % (type(error).__name__, error)
    return ("<done>", _describe(value.result(), seen, depth))


def readable(description: Any) -> str:
    """A description as a person would write it."""
    if isinstance(description, str):
        return description if description.startswith("<") or description == "…" else repr(description)
    if not isinstance(description, tuple):
        return repr(description)
    if not description:
        return "()"
    name, parts = description[0], description[1:]
    if name == "dict":
        return "{%s}" % ", ".join("%s: %s" % (readable(key), readable(item)) for key, item in parts)
    if name in ("list", "tuple", "set"):
        left, right = {"list": "[]", "tuple": "()", "set": "{}"}[name]
        return left + ", ".join(map(readable, parts)) + right
    if name == "Queue":
        return "Queue[%s]" % ", ".join(map(readable, parts))
    if name == "<done>":
        return "<done: %s>" % readable(parts[0])
    fields = ["%s=%s" % (part[0], readable(part[1])) if _is_field(part) else readable(part) for part in parts]
    return "%s(%s)" % (name, ", ".join(fields))


def _is_field(part: Any) -> bool:
    return isinstance(part, tuple) and len(part) == 2 and isinstance(part[0], str)
