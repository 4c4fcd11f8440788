"""Walks over the objects that calls share: locks and semaphores, and tasks that somebody holds."""
from __future__ import annotations

import asyncio
import types
from typing import Any, Dict, Iterator, Sequence, Set, Tuple

from .keys import slots_of
from .state import StandIn

#: Objects that one walk looks at.
LARGEST = 5_000


def permits_in(shared: Dict[str, Any]) -> Dict[str, int]:
    """How many permits are free, by the path at which a lock or semaphore is found."""
    found: Dict[str, int] = {}
    for path, item in walk([shared]):
        if isinstance(item, (asyncio.Lock, asyncio.Condition)):
            found[path] = 0 if item.locked() else 1
        elif isinstance(item, asyncio.Semaphore):
            found[path] = item._value
    return found


def walk(roots: Sequence[Any]) -> Iterator[Tuple[str, Any]]:
    """Objects that roots lead to through attributes and containers, each once, with a path to it."""
    seen: Set[int] = set()
    waiting = [("", root) for root in reversed(roots)]
    for _ in range(LARGEST):
        if not waiting:
            return
        path, value = waiting.pop()
        if id(value) in seen or isinstance(value, NOT_WALKED):
            continue
        seen.add(id(value))
        yield path, value
        waiting.extend(_parts(path, value))


NOT_WALKED = (str, bytes, int, float, type(None), type, types.ModuleType, types.FunctionType, types.MethodType, StandIn)


def _parts(path: str, value: Any) -> Iterator[Tuple[str, Any]]:
    if isinstance(value, dict):
        for key, item in list(value.items()):
            yield "%s[%r]" % (path, key) if path else str(key), item
    elif isinstance(value, (list, tuple, set, frozenset)):
        for number, item in enumerate(list(value)):
            yield "%s[%d]" % (path, number), item
    if isinstance(value, (asyncio.Lock, asyncio.Semaphore, asyncio.Future, asyncio.AbstractEventLoop)):
        return
    attributes = getattr(value, "__dict__", None)
    if type(attributes) is dict:
        for name, item in list(attributes.items()):
            yield "%s.%s" % (path, name), item
    for name in slots_of(type(value)):
        item = getattr(value, name, None)
        if item is not None:
            yield "%s.%s" % (path, name), item


def held_tasks(shared: Dict[str, Any]) -> Set[int]:
    """The identities of the tasks that shared objects refer to."""
    return {id(item) for _path, item in walk([shared]) if isinstance(item, asyncio.Task)}
