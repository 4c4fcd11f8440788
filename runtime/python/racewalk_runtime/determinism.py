"""What makes a schedule repeatable: a virtual clock, seeded randomness, and no way out of the process."""
from __future__ import annotations

import contextlib
import datetime
import errno
import os
import random
import sys
import time
import types
import warnings
from typing import Any, Dict, Iterator, List, Optional, Tuple

from .loop import ExplorerLoop, refuse
from .scripted import START_TIME
from .state import START_WALL

#: Audit events that reach outside the process, by which the call is told.
_OUTSIDE = frozenset((
    "socket.connect", "socket.bind", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname", "subprocess.Popen",
    "os.system", "os.exec", "os.fork", "os.posix_spawn", "os.startfile", "urllib.Request", "smtplib.connect",
    "ftplib.connect",
))

#: Audit events that change files: refused while schedules are explored, since files cannot be put back.
_FILES = frozenset(("os.remove", "os.rename", "os.rmdir", "os.mkdir", "shutil.rmtree", "os.truncate"))


class Guard:
    """Refuses what would reach outside while it is active. Audit hooks stay for ever, so there is one for all."""

    def __init__(self) -> None:
        self.active = False
        #: Whether files may be changed, as modules do while they are loaded.
        self.files = False
        #: Beneath which directories they may be changed then.
        self.places: Tuple[str, ...] = ()
        self._installed = False

    def install(self) -> None:
        if not self._installed:
            self._installed = True
            sys.addaudithook(self._audit)

    def _audit(self, event: str, args: tuple) -> None:
        if not self.active:
            return
        if event in _OUTSIDE or (event == "sqlite3.connect" and args[0] not in (":memory:", b":memory:")):
            refuse(event)
        elif event in _FILES or (event == "open" and _writes(args)):
            if not self.files:
                refuse(event if event in _FILES else "open(%r) for writing" % (args[0],))
            elif not self._is_ours(args[0]):
                # What loads has a way to deal with a directory that it may not write to.
                raise PermissionError(errno.EACCES, "files outside the project aren't changed here", args[0])

    def _is_ours(self, path: Any) -> bool:
        if not isinstance(path, (str, bytes)):
            return True  # a file that is open already
        path = os.path.realpath(os.fsdecode(path))
        return any(path == place or path.startswith(place + os.sep) for place in self.places)


def _writes(args: tuple) -> bool:
    mode = args[1] if len(args) > 1 else None
    if isinstance(mode, str):
        writes = any(letter in mode for letter in "wax+")
    else:
        flags = args[2] if len(args) > 2 and isinstance(args[2], int) else 0
        writes = bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))
    return writes and isinstance(args[0], (str, bytes)) and os.fspath(args[0]) not in (os.devnull,)


GUARD = Guard()


class Clock:
    """The wall clock, and what the standard library derives from clocks, read from the loop."""

    def __init__(self) -> None:
        self.loop: Optional[Any] = None

    def wall(self) -> float:
        return START_WALL + (self.loop.time() - START_TIME)  # type: ignore[union-attr]

    def monotonic_ns(self) -> int:
        return int(self.loop.time() * 1e9)  # type: ignore[union-attr]

    def wall_ns(self) -> int:
        return int(self.wall() * 1e9)

    def sleep(self, seconds: float) -> None:
        """Blocks everything, as the real one does: the time passes, and nothing else happens."""
        if isinstance(self.loop, ExplorerLoop):
            self.loop.now += max(0.0, seconds)


CLOCK = Clock()


class _DatetimeMeta(type):
    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, _REAL_DATETIME)

    def __subclasscheck__(cls, subclass: Any) -> bool:
        return issubclass(subclass, _REAL_DATETIME)


_REAL_DATETIME = datetime.datetime


class VirtualDatetime(_REAL_DATETIME, metaclass=_DatetimeMeta):
    """`datetime.datetime` whose present is the loop's. Its values are ordinary datetimes."""

    def __new__(cls, *args: Any, **options: Any) -> Any:
        return _REAL_DATETIME(*args, **options)

    @classmethod
    def now(cls, tz: Any = None) -> Any:
        return _REAL_DATETIME.fromtimestamp(CLOCK.wall(), tz)

    @classmethod
    def utcnow(cls) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _REAL_DATETIME.utcfromtimestamp(CLOCK.wall())

    @classmethod
    def today(cls) -> Any:
        return cls.now()


def _replacements(loop: Any) -> Dict[Tuple[types.ModuleType, str], Any]:
    """What the standard library's clocks, and its source of chance, are while `loop` runs."""
    return {
        (time, "time"): CLOCK.wall, (time, "monotonic"): loop.time, (time, "perf_counter"): loop.time,
        (time, "time_ns"): CLOCK.wall_ns, (time, "monotonic_ns"): CLOCK.monotonic_ns,
        (time, "perf_counter_ns"): CLOCK.monotonic_ns, (time, "sleep"): CLOCK.sleep,
        (datetime, "datetime"): VirtualDatetime,
        (os, "urandom"): lambda size: bytes(random.getrandbits(8) for _ in range(size)),
    }


@contextlib.contextmanager
def guarded(files: bool) -> Iterator[None]:
    """Within it, nothing reaches outside; `files` says whether files may be changed."""
    GUARD.install()
    before = GUARD.active, GUARD.files
    GUARD.active, GUARD.files = True, files
    try:
        yield
    finally:
        GUARD.active, GUARD.files = before


@contextlib.contextmanager
def controlled(loop: Any, modules: List[types.ModuleType]) -> Iterator[None]:
    """Within it, `modules` and the standard library see the virtual clock, and nothing reaches outside."""
    before = CLOCK.loop
    CLOCK.loop = loop
    changed: List[Tuple[Any, str, Any]] = []
    try:
        for (module, name), virtual in _replacements(loop).items():
            real = getattr(module, name)
            changed.append((module, name, real))
            setattr(module, name, virtual)
            for user in modules:
                for alias in [alias for alias, value in vars(user).items() if value is real]:
                    changed.append((user, alias, real))
                    setattr(user, alias, virtual)
        with guarded(files=False):
            yield
    finally:
        for module, name, real in reversed(changed):
            setattr(module, name, real)
        CLOCK.loop = before
