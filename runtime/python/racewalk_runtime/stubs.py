"""Stand-ins for what a call would reach outside: each awaited operation ends when the explorer says so.

A `Stub` may be called, awaited, entered, iterated over and asked for any attribute. What a call gives is a `Reply`: it
serves as a plain value when it isn't awaited. All calls are noted: they are the effects that schedules are compared by.
"""
from __future__ import annotations

import copy
import re
import types
import zlib
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

from . import keys, state
from .loop import ExplorerLoop

#: Predicates that are false of a thing in good order; all others are true.
NEGATIVE = re.compile(r"expired|stale|closed|closing|empty|full|done|cancelled|canceled|dirty|locked|error|failed|"
                      r"missing|deleted|disabled|broken|timed_out|blocked|banned|revoked")
PREDICATE = re.compile(r"^(is|has|was|in|can|should|needs|at)_|^(expired|stale|closed|empty|full|locked|disabled)$")

#: Verbs of operations on a store. What follows the verb names what is stored: get_balance belongs to set_balance.
VERBS = re.compile(
    r"^(?P<read>h?get|load|read|fetch|find|lookup|select|query)(?=_|$)|"
    r"^(?P<write>h?set|setex|save|put|write|store|update|insert|upsert|replace)(?=_|$)|"
    r"^(?P<delete>h?del|delete|remove|unset|discard)(?=_|$)|"
    r"^(?P<add>incr|incrby|increment)(?=_|$)|^(?P<test>exists|contains|has)(?=_|$)")


class World(state.StandIn):
    """What all stubs of a run share; `reset` between schedules."""

    def __init__(self, loop: ExplorerLoop, policy: str = "pure", absent: Any = None) -> None:
        self.loop = loop
        self.policy = policy
        #: What a store answers for a key that it doesn't have.
        self.absent = absent
        self.results: Dict[str, Callable[..., Any]] = {}
        #: Operations that are ordinary functions: their calls give the result itself.
        self.plain_functions: set = set()
        self.errors: Dict[str, tuple] = {}
        #: Error types that any awaited operation may fail with.
        self.any_error: tuple = ()
        self.awaited: set = set()
        #: While modules are loaded, what is called with nothing but a function or class is a decorator.
        self.loading = False
        self._touched: List["Stub"] = []
        #: Calls that reached outside in this schedule, as text.
        self.effects: List[str] = []
        #: How often each operation was called in this schedule.
        self.counts: Dict[str, int] = {}
        #: The operations that were called in any schedule.
        self.called: set = set()
        self.store: Dict[tuple, Any] = {}

    def reset(self) -> None:
        self.effects = []
        self.counts = {}
        if self.store:
            self.store = {}
        for stub in self._touched:
            object.__getattribute__(stub, "_set").clear()
        self._touched.clear()

    def note(self, path: str, args: tuple) -> str:
        """Something was called; answers with the call as text."""
        text = "%s(%s)" % (path, _text_of(args))
        self.effects.append(text)
        self.counts[path] = self.counts.get(path, 0) + 1
        self.called.add(path)
        return text

    def touched(self, stub: "Stub") -> None:
        self._touched.append(stub)

    def facts(self) -> tuple:
        """The part of a state's key that the stubs are."""
        return tuple(sorted(self.effects))

    def lookup(self, table: Dict[str, Any], path: str) -> Any:
        """By the whole path, or by its last parts: `fetch` and `client.fetch` both name `self.client.fetch`."""
        rest = path
        while rest:
            if rest in table:
                return table[rest]
            rest = rest.partition(".")[2]
        return None

    def errors_of(self, path: str) -> tuple:
        return (self.lookup(self.errors, path) if self.errors else None) or self.any_error

    def answer(self, path: str, text: str, given: tuple, version: Optional[int]) -> Any:
        """The result of one operation; `text` is the call as text."""
        if self.results:
            result = self.lookup(self.results, path)
            if result is not None:
                return result(*given)
        if self.policy == "store":
            found = self._from_store(path, given)
            if found is not NO_STORE:
                return found
        return Value(self, path if version is not None else text, version)

    def _from_store(self, path: str, args: tuple) -> Any:
        owner, _, name = path.rpartition(".")
        verb = VERBS.match(name)
        if verb is None:
            return NO_STORE
        what, rest = verb.lastgroup, name[verb.end():]
        place = (owner, rest)
        args = tuple(map(_key_of, args))
        if what == "write":
            if not args:
                return NO_STORE
            key, value = _split(name, args)
            self.store[place + key] = copy.deepcopy(value) if isinstance(value, (dict, list, set)) else value
            return None
        if what == "delete":
            return self.store.pop(place + args, None)
        if what == "test":
            return place + args in self.store
        if what == "add":
            amount = args[1] if len(args) > 1 and isinstance(args[1], int) else 1
            self.store[place + args[:1]] = total = int(self.store.get(place + args[:1]) or 0) + amount
            return total
        found = self.store.get(place + args, self.absent)
        return copy.deepcopy(found) if isinstance(found, (dict, list, set)) else found


NO_STORE = object()


def _split(name: str, args: tuple) -> Tuple[tuple, Any]:
    """Key and value of a write: the value is the last argument, but for the time to live that `set` may be given."""
    if len(args) > 2 and not name.startswith("h"):
        return (args[:1], args[2]) if name.startswith("setex") else (args[:1], args[1])
    return args[:-1], args[-1]


def _key_of(value: Any) -> Any:
    return value if not isinstance(value, (Stub, Value)) else plain(value)


class Stub(state.StandIn):
    """Any object outside."""

    def __init__(self, world: World, path: str) -> None:
        self.__dict__.update(_world=world, _path=path, _known={}, _set={})

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if name in self._set:
            return self._set[name]
        known = self._known.get(name)
        if known is None:
            known = self._known[name] = Stub(self._world, "%s.%s" % (self._path, name) if self._path else name)
        return known

    def __setattr__(self, name: str, value: Any) -> None:
        if not self._set:
            self._world.touched(self)
        self._set[name] = value

    def __call__(self, *args: Any, **options: Any) -> Any:
        if self._world.loading and _decorates(args, options):
            return args[0]
        reply = Reply(self._world, self._path, args, options)
        return reply._result() if self._path in self._world.plain_functions else reply

    def __repr__(self) -> str:
        return "<%s>" % self._path

    def __bool__(self) -> bool:
        return True

    def __getitem__(self, key: Any) -> Any:
        return Value(self._world, "%s[%r]" % (self._path, plain(key)), None)

    def __setitem__(self, key: Any, value: Any) -> None:
        self._world.note(self._path + ".__setitem__", (plain(key), plain(value)))

    def __fspath__(self) -> str:
        return _file_name(self._path)

    def __iter__(self) -> Iterator[Any]:
        return iter([Value(self._world, self._path + "[0]", None)])

    def __aiter__(self) -> Any:
        return Reply(self._world, self._path, (), {}).__aiter__()

    def __await__(self) -> Any:
        return Reply(self._world, self._path, (), {}).__await__()

    def __enter__(self) -> "Stub":
        return self

    def __exit__(self, *_problem: Any) -> None:
        """An error within goes on."""

    async def __aenter__(self) -> "Stub":
        await Reply(self._world, self._path + ".__aenter__", (), {})
        return self

    async def __aexit__(self, *_problem: Any) -> None:
        """An error within goes on."""

    def __deepcopy__(self, _memo: dict) -> "Stub":
        return self


class Value(state.StandIn):
    """A result about which nothing is known but where it came from. It stands for whatever the code takes it for."""

    def __init__(self, world: World, path: str, version: Optional[int]) -> None:
        self.__dict__.update(_world=world, _path=path, _version=version, _set={})

    def _number(self) -> int:
        if self._version is not None:
            return self._version
        return zlib.crc32(self._path.encode()) % 97 + 1

    def _identity(self) -> tuple:
        return (self._path, self._version)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if name in self._set:
            return self._set[name]
        if PREDICATE.match(name):
            return _Predicate(not NEGATIVE.search(name))
        path = "%s.%s" % (self._path, name)
        return Value(self._world, path, self._version)

    def __setattr__(self, name: str, value: Any) -> None:
        self._set[name] = value

    def __call__(self, *args: Any, **options: Any) -> Any:
        if self._world.loading and _decorates(args, options):
            return args[0]
        return Reply(self._world, self._path, args, options)

    def __repr__(self) -> str:
        return "<%s>" % (self._path if self._version is None else "%s #%d" % self._identity())

    __str__ = __repr__

    def __fspath__(self) -> str:
        return _file_name(self._path)

    def __hash__(self) -> int:
        return hash(self._identity())

    def __eq__(self, other: Any) -> bool:
        if isinstance(other, Value):
            return self._identity() == other._identity()
        return isinstance(other, (int, float)) and self._number() == other

    def __bool__(self) -> bool:
        return True

    def __getitem__(self, key: Any) -> "Value":
        return Value(self._world, "%s[%r]" % (self._path, plain(key)), self._version)

    def __iter__(self) -> Iterator["Value"]:
        return iter([self[0]])

    def __len__(self) -> int:
        return 1

    def __contains__(self, _item: Any) -> bool:
        return False

    def get(self, key: Any = None, *default: Any, **options: Any) -> "Value":
        if options:  # no mapping, then
            return Reply(self._world, self._path + ".get", (key,) + default, options)
        return self[key]

    def items(self) -> List[tuple]:
        return [("key", self["key"])]

    def keys(self) -> List[str]:
        return ["key"]

    def values(self) -> List["Value"]:
        return [self["key"]]

    def __index__(self) -> int:
        return self._number()

    __int__ = __index__

    def __float__(self) -> float:
        return float(self._number())

    def __round__(self, *_digits: Any) -> int:
        return self._number()

    def __neg__(self) -> int:
        return -self._number()

    def __enter__(self) -> "Value":
        return self

    def __exit__(self, *_problem: Any) -> None:
        """An error within goes on."""

    async def __aenter__(self) -> "Value":
        return self

    async def __aexit__(self, *_problem: Any) -> None:
        """An error within goes on."""

    def __aiter__(self) -> Any:
        return Reply(self._world, self._path, (), {}).__aiter__()

    def __await__(self) -> Any:
        return Reply(self._world, self._path, (), {}).__await__()

    def __copy__(self) -> "Value":
        return self

    def __deepcopy__(self, _memo: dict) -> "Value":
        return self


def _arithmetic(name: str) -> Callable[[Value, Any], Any]:
    def operate(self: Value, other: Any) -> Any:
        if isinstance(other, Value):
            other = other._number()
        if isinstance(other, str):
            return getattr(repr(self), name)(other)
        return getattr(float(self._number()) if isinstance(other, float) else self._number(), name)(other)

    operate.__name__ = name
    return operate


for _name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow"):
    setattr(Value, "__%s__" % _name, _arithmetic("__%s__" % _name))
    setattr(Value, "__r%s__" % _name, _arithmetic("__r%s__" % _name))
for _name in ("lt", "le", "gt", "ge"):
    setattr(Value, "__%s__" % _name, _arithmetic("__%s__" % _name))


class _Predicate:
    """`value.is_expired`, asked as an attribute or called."""

    def __init__(self, answer: bool) -> None:
        self._answer = answer

    def __bool__(self) -> bool:
        return self._answer

    def __call__(self, *_args: Any, **_options: Any) -> bool:
        return self._answer


class Reply(Value):
    """What a stub's call gives: awaited, it takes until the explorer completes it; unawaited, it is the value."""

    def __init__(self, world: World, path: str, args: tuple, options: Dict[str, Any]) -> None:
        noted = tuple(map(plain, args))
        if options:
            noted += tuple((name, plain(value)) for name, value in sorted(options.items()))
        text = world.note(path, noted)
        version = world.counts[path] if world.policy == "versioned" else None
        self.__dict__.update(_world=world, _path=text, _version=version, _set={}, _called=path, _given=args)

    def __await__(self) -> Any:
        return self._park(self._result).__await__()

    def _park(self, result: Callable[[], Any]) -> Any:
        world = self._world
        world.awaited.add(self._called)
        return world.loop.expect(self._path, result, world.errors_of(self._called))

    def _result(self) -> Any:
        return self._world.answer(self._called, self._path, self._given, self._version)

    async def __aenter__(self) -> Any:
        return await self

    def __enter__(self) -> Any:
        return self._result()

    async def __aiter__(self) -> Any:
        for number in range(2):
            await self._park(lambda: None)
            yield self[number]


def _file_name(path: str) -> str:
    """What a stand-in is as a path: nothing is there."""
    return "stand-in-%d" % zlib.crc32(path.encode())


def _decorates(args: tuple, options: Dict[str, Any]) -> bool:
    return len(args) == 1 and not options and isinstance(args[0], (types.FunctionType, type))


def plain(value: Any) -> Any:
    """A value as something that can be compared, sorted by its text, and printed."""
    if value is None or isinstance(value, (str, int, float, bool, bytes)):
        return value
    if isinstance(value, (list, tuple)):
        return tuple(map(plain, value))
    if isinstance(value, dict):
        return tuple(sorted(((plain(key), plain(item)) for key, item in value.items()), key=repr))
    if isinstance(value, (Stub, Value)):
        return repr(value)
    return type(value).__name__


def _text_of(args: tuple) -> str:
    return ", ".join(map(repr, args))


def _write_stub(walk: keys.Walk, stub: Stub) -> None:
    walk.open("stub", id(stub))
    if stub._set:
        walk.visit(stub._set)


def _write_value(walk: keys.Walk, value: Value) -> None:
    walk.open(value._path, value._version or 0)
    if value._set:
        walk.visit(value._set)


keys.WRITERS[Stub] = _write_stub
keys.WRITERS[Value] = keys.WRITERS[Reply] = _write_value
keys.WRITERS[World] = lambda walk, world: walk.visit(world.store)
state.DESCRIBERS[Stub] = state.DESCRIBERS[Value] = state.DESCRIBERS[Reply] = repr
