"""Keys of states: two schedules that reach equal keys go on alike, so that only one of them has to be followed.

A key covers everything that the future depends on: shared objects, each suspended coroutine with its position, local
variables and the values on its stack, the ready queue, what is awaited from outside, the effects so far. Objects are
numbered in the order in which the walk meets them, so that keys don't depend on addresses but do say which object is
the same as which. A state with something in it that cannot be looked into has no key, and is never pruned.
"""
from __future__ import annotations

import asyncio
import collections
import contextvars
import datetime
import decimal
import enum
import fractions
import functools
import gc
import hashlib
import itertools
import logging
import marshal
import pathlib
import re
import sys
import types
import uuid
import weakref
from typing import Any, Callable, Dict, Iterable, List, Optional

from .loop import ExplorerLoop

#: Tokens in one key; a larger state has none.
LARGEST = 20_000


class Opaque(Exception):
    """Something in the state cannot be looked into."""


class Walk:
    """One walk over a state, which writes tokens that `marshal` can store."""

    __slots__ = ("out", "seen", "owners")

    def __init__(self, owners: Dict[asyncio.Task, str]) -> None:
        self.out: List[Any] = []
        self.seen: Dict[int, int] = {}
        self.owners = owners

    def visit(self, value: Any) -> None:
        kind = type(value)
        if kind in PLAIN:
            self.out.append(value)
            return
        fresh = len(self.seen)
        number = self.seen.setdefault(id(value), fresh)
        if number != fresh:
            self.out.append((number,))
            return
        if len(self.out) > LARGEST:
            raise Opaque("the state is too large")
        writer = WRITERS.get(kind)
        if writer is None:
            writer = WRITERS[kind] = _writer_of(kind)
        writer(self, value)

    def visit_all(self, values: Iterable[Any]) -> None:
        for value in values:
            self.visit(value)

    def open(self, name: str, size: int = 0) -> None:
        self.out.append((name, size))


PLAIN = frozenset((int, str, bool, bytes, float, complex, type(None), type(Ellipsis)))

Writer = Callable[[Walk, Any], None]


def key_of(roots: Iterable[Any], facts: tuple, loop: ExplorerLoop) -> Optional[bytes]:
    """The key of the present state, or None if it has none. `facts` are plain values that belong to the state."""
    walk = Walk(loop.owners)
    out = walk.out
    out.append(facts)
    try:
        for root in roots:
            walk.visit(root)
        for task in loop.tasks:
            _write_task(walk, task)
        for handle in loop.ready:
            _write_handle(walk, handle)
        now = loop.now
        out.append(now if loop.clock_was_read else 0)
        for handle in sorted(loop.timers):
            if not handle.dead:
                out.append(round(handle.due - now, 9))
                _write_handle(walk, handle)
        for label, event in loop.events.items():
            out.append(label)
            walk.visit(event.future)
        return hashlib.blake2b(marshal.dumps(out, 2), digest_size=16).digest()
    except (Opaque, RecursionError, ValueError):
        return None


def _write_task(walk: Walk, task: asyncio.Task) -> None:
    walk.visit(task)
    if not task.done():
        waiter = task._fut_waiter  # type: ignore[attr-defined]
        walk.out.append(bool(task._must_cancel))  # type: ignore[attr-defined]
        walk.visit(task.get_coro())
        walk.visit(waiter)
        if waiter is not None:
            for _callback, context in waiter._callbacks or ():
                _write_context(walk, context)


def _write_handle(walk: Walk, handle: Any) -> None:
    if handle.dead:
        walk.out.append("dead")
        return
    walk.visit(handle.callback)
    walk.visit_all(handle.args)
    _write_context(walk, handle.context)


def _write_context(walk: Walk, context: contextvars.Context) -> None:
    if len(context) > 1:  # the runtime's own variable is always there
        for variable, value in context.items():
            walk.out.append(variable.name)
            walk.visit(value)


# -- writers by type ----------------------------------------------------------------------------------------------
def _sequence(name: str) -> Writer:
    def write(walk: Walk, value: Any) -> None:
        walk.open(name, len(value))
        walk.visit_all(value)

    return write


def _mapping(walk: Walk, value: dict) -> None:
    walk.open("dict", len(value))
    for key, item in value.items():
        walk.visit(key)
        walk.visit(item)


def _set(walk: Walk, value: Any) -> None:
    """Sets have no order of their own: only what can be ordered independently of addresses is accepted."""
    walk.open("set", len(value))
    if all(map(_is_plain, value)):
        walk.visit_all(sorted(value, key=lambda item: (type(item).__name__, repr(item))))
    elif len(value) <= 1:
        walk.visit_all(value)
    elif all(isinstance(item, asyncio.Task) for item in value):
        order = {task: number for number, task in enumerate(walk.owners)}
        walk.visit_all(sorted(value, key=lambda task: order.get(task, -1)))
    else:
        raise Opaque("a set of objects")


def _is_plain(value: Any) -> bool:
    return type(value) in PLAIN or (type(value) is tuple and all(map(_is_plain, value)))


def _future(walk: Walk, value: asyncio.Future) -> None:
    if not value.done():
        walk.open("future")
    elif value.cancelled():
        walk.open("cancelled")
    elif value._exception is not None:  # type: ignore[attr-defined]
        walk.open("failed", bool(value._log_traceback))  # type: ignore[attr-defined]
        walk.visit(value._exception)  # type: ignore[attr-defined]
    else:
        walk.open("result")
        walk.visit(value._result)  # type: ignore[attr-defined]


def _frame_owner(frame_attribute: str, name: str) -> Writer:
    """Coroutines and generators: position, and all values of the frame, those on its stack included.

    Which of the local variables are unbound isn't told, only how many: where that could differ at one position, so
    does something else that the code can see.
    """

    def write(walk: Walk, value: Any) -> None:
        frame = getattr(value, frame_attribute)
        if frame is None:
            walk.open(name + " ended")
            return
        code, out = frame.f_code, walk.out
        out.append((name, frame.f_lasti, id(code)))
        apart = (id(frame.f_globals), id(frame.f_builtins))
        for item in gc.get_referents(*_frame_holders(value, frame)):
            kind = type(item)
            if kind in PLAIN:
                out.append(item)
            elif kind in _FRAME_PARTS and (kind is not types.FunctionType or item.__code__ is code):
                continue
            elif id(item) not in apart:
                walk.visit(item)

    return write


#: Parts of a frame that its code determines; of functions only its own.
_FRAME_PARTS = frozenset((types.CodeType, types.FrameType, types.FunctionType))


def _frame_holders(value: Any, frame: Any) -> tuple:
    """Before Python 3.11 the frame refers to its values, since then the coroutine does."""
    return (value,) if sys.version_info >= (3, 11) else (frame,)


def _referents(walk: Walk, value: Any) -> None:
    walk.open(type(value).__name__)
    walk.visit_all(gc.get_referents(value))


def _reduced(walk: Walk, value: Any) -> None:
    """Iterators of the language: what they would be pickled as says where they are."""
    try:
        reduced = value.__reduce__()
    except TypeError:
        raise Opaque(type(value).__name__) from None
    walk.open(type(value).__name__)
    for item in reduced[1:]:
        if type(item) is tuple:
            walk.visit_all(item)
        else:
            walk.visit(item)


def _function(walk: Walk, value: types.FunctionType) -> None:
    walk.visit(value.__code__)
    walk.visit(value.__defaults__)
    walk.visit(value.__kwdefaults__)
    for cell in value.__closure__ or ():
        walk.visit(cell)
    if value.__dict__:
        walk.visit(value.__dict__)


def _cell(walk: Walk, value: Any) -> None:
    try:
        content = value.cell_contents
    except ValueError:
        walk.open("empty cell")
        return
    walk.open("cell")
    walk.visit(content)


def _method(walk: Walk, value: Any) -> None:
    walk.open("method")
    walk.out.append(value.__name__)
    walk.visit(value.__self__)


def _bound_method(walk: Walk, value: types.MethodType) -> None:
    walk.open("method")
    walk.visit(value.__func__)
    walk.visit(value.__self__)


def _partial(walk: Walk, value: functools.partial) -> None:
    walk.open("partial")
    walk.visit(value.func)
    walk.visit(value.args)
    walk.visit(value.keywords)


def _weak(walk: Walk, value: Any) -> None:
    walk.open("weak")
    walk.visit(value())


def _token(walk: Walk, value: contextvars.Token) -> None:
    walk.open("token")
    walk.out.append(value.var.name)
    old = value.old_value
    walk.visit(None if old is contextvars.Token.MISSING else old)


def _atom(walk: Walk, value: Any) -> None:
    """Never changes, and is the same object in all schedules of a run."""
    walk.open("atom", id(value))


def _by_repr(walk: Walk, value: Any) -> None:
    walk.open(repr(value))


def _exception(walk: Walk, value: BaseException) -> None:
    walk.open(type(value).__qualname__)
    walk.visit(value.args)
    for name, item in vars(value).items():
        if name != "__notes__":
            walk.out.append(name)
            walk.visit(item)


def _lock(walk: Walk, value: Any) -> None:
    walk.open("lock", bool(value.locked()))


def _instance(walk: Walk, value: Any) -> None:
    """An object of a class written in Python: its attributes, and what it holds as a container."""
    kind = type(value)
    walk.open(kind.__qualname__, id(kind))
    if isinstance(value, dict):
        _mapping(walk, value)
    elif isinstance(value, (list, tuple, collections.deque)):
        walk.visit_all(tuple(value))
    elif isinstance(value, (set, frozenset)):
        _set(walk, value)
    elif isinstance(value, (int, str, bytes, float)):
        walk.out.append(repr(value))
    attributes = getattr(value, "__dict__", None)
    if attributes:
        for name, item in attributes.items():
            walk.out.append(name)
            walk.visit(item)
    for name in slots_of(kind):
        try:
            item = object.__getattribute__(value, name)
        except AttributeError:
            continue
        walk.out.append(name)
        walk.visit(item)


@functools.lru_cache(maxsize=None)
def slots_of(kind: type) -> tuple:
    """The names of a class's slots, those of its bases included."""
    names: List[str] = []
    for base in kind.__mro__:
        slots = vars(base).get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else tuple(slots):
            if name not in ("__dict__", "__weakref__"):
                private = name.startswith("__") and not name.endswith("__")
                names.append("_%s%s" % (base.__name__.lstrip("_"), name) if private else name)
    return tuple(names)


def _opaque(_walk: Walk, value: Any) -> None:
    raise Opaque(type(value).__name__)


WRITERS: Dict[type, Writer] = {
    dict: _mapping, collections.OrderedDict: _mapping, collections.Counter: _mapping,
    list: _sequence("list"), tuple: _sequence("tuple"), collections.deque: _sequence("deque"),
    set: _set, frozenset: _set, bytearray: _by_repr, slice: _by_repr, range: _by_repr,
    types.CoroutineType: _frame_owner("cr_frame", "coroutine"),
    types.GeneratorType: _frame_owner("gi_frame", "generator"),
    types.AsyncGeneratorType: _frame_owner("ag_frame", "asyncgen"),
    types.FunctionType: _function, types.MethodType: _bound_method, types.CellType: _cell,
    types.BuiltinMethodType: _method, type("".__str__): _method, functools.partial: _partial,
    types.CodeType: _atom, types.ModuleType: _atom, type: _atom, property: _atom, object: _atom,
    types.MethodDescriptorType: _atom, types.WrapperDescriptorType: _atom, types.GetSetDescriptorType: _atom,
    types.MemberDescriptorType: _atom, types.ClassMethodDescriptorType: _atom, type(NotImplemented): _atom,
    weakref.ref: _weak, contextvars.Token: _token, contextvars.ContextVar: _atom,
    datetime.datetime: _by_repr, datetime.date: _by_repr, datetime.time: _by_repr, datetime.timedelta: _by_repr,
    datetime.timezone: _by_repr, decimal.Decimal: _by_repr, fractions.Fraction: _by_repr, uuid.UUID: _by_repr,
    itertools.count: _by_repr, re.Pattern: _atom, logging.Logger: _atom, ExplorerLoop: _atom,
}
for _sample in (iter([]), iter(()), iter({}), iter({}.keys()), iter({}.values()), iter({}.items()), iter(set()),
                iter(range(0)), iter(""), iter(b""), enumerate(()), zip(), map(str, ()), filter(None, ()),
                reversed([])):
    WRITERS[type(_sample)] = _reduced
for _sample in ({}.keys(), {}.values(), {}.items()):
    WRITERS[type(_sample)] = _referents

#: Types of the interpreter that only pass on what they refer to.
TRANSPARENT = frozenset(("FutureIter", "coroutine_wrapper", "async_generator_asend", "async_generator_athrow",
                         "async_generator_wrapped_value", "anext_awaitable",
                         "TaskStepMethWrapper", "TaskWakeupMethWrapper"))


def _writer_of(kind: type) -> Writer:
    """For a type met for the first time."""
    if kind.__name__ in TRANSPARENT:
        return _referents
    if issubclass(kind, asyncio.Future):
        return _future
    if issubclass(kind, (type, enum.Enum, logging.Logger, types.ModuleType, contextvars.Context)):
        return _atom
    if issubclass(kind, pathlib.PurePath):
        return _by_repr
    if issubclass(kind, BaseException):
        return _exception
    if kind.__module__ == "_thread":
        return _lock if hasattr(kind, "locked") else _opaque
    if kind is collections.defaultdict:
        return _mapping
    understood = all(base in UNDERSTOOD or written_in_python(base) for base in kind.__mro__)
    return _instance if understood else _opaque


def written_in_python(kind: type) -> bool:
    """Whether a `class` statement made it: its attributes are then all it has. Types of C show their descriptors."""
    slots = slots_of(kind)
    for name, item in vars(kind).items():
        if isinstance(item, (types.MethodDescriptorType, types.WrapperDescriptorType, types.BuiltinMethodType)):
            return False
        if isinstance(item, types.GetSetDescriptorType) and name not in ("__dict__", "__weakref__"):
            return False
        if isinstance(item, types.MemberDescriptorType) and name not in slots:
            return False
    return True


#: Built-in bases whose contents `_instance` writes.
UNDERSTOOD = frozenset((object, dict, list, tuple, set, frozenset, collections.deque, collections.OrderedDict,
                        collections.defaultdict, int, str, bytes, float))
