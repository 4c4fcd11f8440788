"""Source text for values that calls are made with, so that a generated test can make them again."""
from __future__ import annotations

import asyncio
import enum
from typing import Any, Dict, List

from . import construct
from .stubs import Stub


class CannotWrite(Exception):
    """A value for which there is no source text; the text names it."""


class Writer:
    """Writes expressions; objects that calls share become variables of `build`."""

    def __init__(self, harness: Any) -> None:
        self._harness = harness
        self._names: Dict[int, str] = {}
        #: Statements that make the shared objects, in order.
        self.statements: List[str] = []
        self.uses_fakes = False

    def shared(self, name: str, value: Any) -> str:
        """The variable in which an object stands, or the text of a plain value."""
        if value is None or isinstance(value, (str, int, float, bool, bytes)):
            return repr(value)
        known = self._names.get(id(value))
        if known is None:
            text = self.text(name, value)
            known = name
            number = 2
            while known in self._names.values():
                known = "%s_%d" % (name, number)
                number += 1
            self._names[id(value)] = known
            self.statements.append("%s = %s" % (known, text))
        return known

    def text(self, name: str, value: Any) -> str:
        """An expression that makes such a value."""
        if value is None or isinstance(value, (str, int, float, bool, bytes)):
            return repr(value)
        made = self._harness.builder.recipe_of(value)
        if made is not None:
            return self._made(made)
        if isinstance(value, enum.Enum):
            return "%s.%s" % (self.name_of(type(value)), value.name)
        if isinstance(value, Stub):
            self.uses_fakes = True
            return "Fake(outside, %r)" % value._path
        if isinstance(value, (list, tuple, set)):
            return self._collection(name, value)
        if isinstance(value, dict):
            return "{%s}" % ", ".join("%s: %s" % (self.text(name, key), self.text(name, item))
                                      for key, item in value.items())
        if type(value) in (asyncio.Queue, asyncio.Lock, asyncio.Event, asyncio.Condition):
            return "asyncio.%s()" % type(value).__name__
        if isinstance(value, asyncio.Semaphore):
            return "asyncio.%s(%d)" % (type(value).__name__, value._value)
        raise CannotWrite("%s is a %s, for which a test cannot be written" % (name, type(value).__qualname__))

    def _made(self, made: construct.Recipe) -> str:
        if made.text is not None:
            return made.text
        args = ", ".join("%s=%s" % (name, self.shared(name, value)) for name, value in made.args.items())
        return "%s(%s)" % (self.name_of(made.kind), args)

    def _collection(self, name: str, value: Any) -> str:
        items = ", ".join(self.text(name, item) for item in value)
        if isinstance(value, list):
            return "[%s]" % items
        if isinstance(value, set):
            return "{%s}" % items if items else "set()"
        return "(%s,)" % items if items else "()"

    def name_of(self, kind: type) -> str:
        return "modules[%r].%s" % (kind.__module__, kind.__qualname__)


