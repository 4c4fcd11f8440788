"""Loading a project's modules for the sake of what they define.

While they load, event loops that they start at module level don't start, and packages that aren't installed are
replaced by stubs. Nothing reaches the network.
"""
from __future__ import annotations

import asyncio
import contextlib
import importlib
import importlib.abc
import importlib.machinery
import importlib.metadata
import importlib.util
import os
import sys
import tempfile
import traceback
import types
import typing
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence, Tuple

from . import determinism, keys, state
from .loop import Denied
from .stubs import Stub, World


class NotRunnable(Exception):
    """The project's code cannot be brought to run here; the text says why."""


class Project:
    """The modules under a root directory, loaded on demand."""

    def __init__(self, root: str, extra: Sequence[str], world: World) -> None:
        self.root = os.path.realpath(root)
        if not os.path.isdir(self.root):
            raise NotRunnable("%s is not a directory" % root)
        #: Where imports are looked for: the given places and the root, which may be a `src` layout.
        self.places = [os.path.realpath(os.path.join(self.root, place)) for place in extra] + [self.root]
        if os.path.isdir(os.path.join(self.root, "src")):
            self.places.append(os.path.join(self.root, "src"))
        determinism.GUARD.places = (self.root, os.path.realpath(tempfile.gettempdir()))
        self._world = world
        self._finder = _MissingPackages(world)
        self._before = set(sys.modules)
        self._ours: Dict[str, bool] = {}
        sys.path[:0] = [place for place in self.places if place not in sys.path]
        sys.dont_write_bytecode = True

    def missing(self) -> List[str]:
        """The packages that were replaced by stubs."""
        return sorted(self._finder.replaced)

    def is_ours(self, name: str) -> bool:
        """Whether a module belongs to the project, by where its file is."""
        known = self._ours.get(name)
        if known is None:
            if name not in sys.modules:
                return False
            file = getattr(sys.modules[name], "__file__", None)
            known = self._ours[name] = bool(file) and self.has_file(file)
        return known

    def has_file(self, path: str) -> bool:
        """Whether a file is one of the project's."""
        if path.startswith("<"):
            return False  # no file: `<frozen importlib._bootstrap>`, `<string>`
        path = os.path.realpath(path)
        return path.startswith(self.root + os.sep) and "site-packages" not in path[len(self.root):]

    def relative(self, path: str) -> str:
        """The path of a file of the project from its root; other paths as they are."""
        return os.path.relpath(os.path.realpath(path), self.root) if self.has_file(path) else path

    def loaded(self, name: str) -> bool:
        """Whether a module was loaded for the project's sake."""
        return name not in self._before or self.is_ours(name)

    def modules(self) -> List[types.ModuleType]:
        """The project's modules that are loaded."""
        found = [module for name, module in list(sys.modules.items()) if module is not None and self.is_ours(name)]
        return [module for module in found if isinstance(module, types.ModuleType)]

    def resolve(self, name: str) -> "Resolved":
        """`MODULE:QUALIFIED.NAME`, where the module may also be a file under the root."""
        module_name, _, path = name.partition(":")
        module = self.load(module_name)
        owner: Any = None
        value: Any = module
        for part in path.split("."):
            owner = value
            try:
                value = getattr(value, part)
            except AttributeError:
                raise NotRunnable("%s has no %s" % (module_name, path)) from None
        return Resolved(module, owner, path.rpartition(".")[2], value)

    def load(self, name: str) -> types.ModuleType:
        """The module, loaded; `NotRunnable` when it cannot be."""
        if name.endswith(".py"):
            name = self._module_of(name)
        with self._loading():
            try:
                return importlib.import_module(name)
            except Denied as error:
                raise NotRunnable("loading %s: %s" % (name, error)) from error
            except (Exception, SystemExit) as error:
                raise NotRunnable("loading %s: %s%s" % (name, _brief(error), self.place_of(error))) from error

    def _module_of(self, file: str) -> str:
        """The name under which a file of the project is imported: up to the highest directory with `__init__.py`."""
        path = os.path.realpath(os.path.join(self.root, file))
        if not os.path.isfile(path):
            raise NotRunnable("%s is not there" % file)
        parts = [os.path.splitext(os.path.basename(path))[0]]
        directory = os.path.dirname(path)
        while directory.startswith(self.root) and os.path.exists(os.path.join(directory, "__init__.py")):
            parts.insert(0, os.path.basename(directory))
            directory = os.path.dirname(directory)
        if parts[-1] == "__init__" and len(parts) > 1:
            parts.pop()
        if directory not in sys.path:
            sys.path.insert(0, directory)
        name = ".".join(parts)
        if name in sys.modules and not self.is_ours(name):
            return self._load_apart(name, path)
        return name

    def _load_apart(self, name: str, path: str) -> str:
        """A file whose name is that of a module which is loaded already: it gets a name of its own."""
        name = "project_" + name
        if name not in sys.modules:
            spec = importlib.util.spec_from_file_location(name, path)
            assert spec is not None and spec.loader is not None
            module = importlib.util.module_from_spec(spec)
            sys.modules[name] = module
            with self._loading():
                spec.loader.exec_module(module)
        return name

    def place_of(self, error: BaseException) -> str:
        """The line of the project that an error comes from, in brackets; empty if there is none."""
        for frame in reversed(traceback.extract_tb(error.__traceback__)):
            if self.has_file(frame.filename):
                return " (%s:%s)" % (self.relative(frame.filename), frame.lineno)
        return ""

    def lines_of(self, error: BaseException) -> List[Dict[str, Any]]:
        """The project's lines that an error came through, outermost first."""
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if self.has_file(frame.filename)]
        return [{"path": self.relative(frame.filename), "line": frame.lineno} for frame in frames]

    @contextlib.contextmanager
    def _loading(self) -> Iterator[None]:
        sys.meta_path.append(self._finder)
        self._world.loading = True
        started = {name: getattr(asyncio, name) for name in ("run", "new_event_loop")}
        loop_methods = ("run_until_complete", "run_forever")
        methods = {name: getattr(asyncio.BaseEventLoop, name) for name in loop_methods}
        version = importlib.metadata.version
        importlib.metadata.version = self._version_of(version)  # type: ignore[assignment]
        asyncio.run = _never_run  # type: ignore[assignment]
        for name in loop_methods:
            setattr(asyncio.BaseEventLoop, name, _never_run_method)
        try:
            with determinism.guarded(files=True):
                yield
        finally:
            importlib.metadata.version = version  # type: ignore[assignment]
            asyncio.run = started["run"]
            for name, method in methods.items():
                setattr(asyncio.BaseEventLoop, name, method)
            self._world.loading = False
            sys.meta_path.remove(self._finder)


    @staticmethod
    def _version_of(real: Callable[[str], str]) -> Callable[[str], str]:
        """`importlib.metadata.version`, which knows packages that aren't installed, too."""
        def version(name: str) -> str:
            try:
                return real(name)
            except importlib.metadata.PackageNotFoundError:
                return "0.0.0"

        return version


class Resolved:
    """A name of the project, found: `owner.attribute` is `value`."""

    __slots__ = ("module", "owner", "attribute", "value")

    def __init__(self, module: types.ModuleType, owner: Any, attribute: str, value: Any) -> None:
        self.module = module
        self.owner = owner
        self.attribute = attribute
        self.value = value


def _never_run(main: Any = None, **_options: Any) -> None:
    """Stands in for `asyncio.run` while modules load."""
    if asyncio.iscoroutine(main):
        main.close()


def _never_run_method(_loop: Any, main: Any = None) -> None:
    _never_run(main)


def _brief(error: BaseException) -> str:
    return "%s: %s" % (type(error).__name__, error) if str(error) else type(error).__name__


# -- packages that aren't installed -----------------------------------------------------------------------------------
class _MissingPackages(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """The last finder: whatever nobody else finds becomes a module of stubs."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.replaced: Dict[str, None] = {}

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Optional[importlib.machinery.ModuleSpec]:
        parent = name.rpartition(".")[0]
        top = name.partition(".")[0]
        inside = parent and not isinstance(sys.modules.get(parent), _MissingModule)
        if inside or top in _STANDARD or top.startswith("_"):
            return None
        self.replaced.setdefault(top)
        return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        module = _MissingModule(spec.name)
        vars(module)["_world"] = self._world
        return module

    def exec_module(self, module: types.ModuleType) -> None:
        """There is nothing to run."""


#: Modules of the standard library of some other version or platform: their absence is for the code to handle.
_STANDARD = frozenset(getattr(sys, "stdlib_module_names", ())) | frozenset(sys.builtin_module_names) | frozenset(
    ("tomllib", "winreg", "msvcrt", "winloop", "uvloop", "distutils", "imp", "asyncore", "sitecustomize",
     "usercustomize", "compression", "annotationlib"))


class _MissingModule(types.ModuleType):
    """Has every name."""

    def __getattr__(self, name: str) -> Any:
        if name == "__version__":
            return "0.0.0"
        if name.startswith("__"):
            raise AttributeError(name)
        value: Any
        if self.__name__ == "typing_extensions" and hasattr(typing, name):
            value = getattr(typing, name)
        elif name.endswith(("Error", "Exception", "Timeout", "Cancelled")):
            value = type(name, (Exception,), {"__module__": self.__name__})
        else:
            value = MissingName(vars(self)["_world"], "%s.%s" % (self.__name__, name))
        setattr(self, name, value)
        return value


class MissingName(Stub):
    """A name of a package that isn't installed: it may be called, subclassed, subscripted, and used in annotations."""

    def __mro_entries__(self, _bases: tuple) -> Tuple[type, ...]:
        Permissive._stand_in = self
        return (Permissive,)

    def __getitem__(self, _key: Any) -> "MissingName":
        return self  # type arguments

    def __instancecheck__(self, _instance: Any) -> bool:
        return False

    def __or__(self, _other: Any) -> "MissingName":
        return self

    __ror__ = __add__ = __or__

    def __radd__(self, other: Any) -> Any:
        return other

    def __get_pydantic_core_schema__(self, _source: Any, _handler: Any) -> Any:
        """As the type of a field of pydantic's it stands for any value."""
        from pydantic_core import core_schema
        return core_schema.any_schema()


class Permissive:
    """The base class in place of one that isn't there: keyword arguments become attributes, and public members that nobody has
    defined are stand-ins."""

    _stand_in: Any = None

    def __init_subclass__(cls, **_options: Any) -> None:
        super().__init_subclass__()

    def __init__(self, *_args: Any, **fields: Any) -> None:
        for name, value in fields.items():
            setattr(self, name, value)

    def __class_getitem__(cls, _key: Any) -> type:
        return cls

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return Stub(Permissive._stand_in._world, "%s.%s" % (type(self).__name__, name))


keys.WRITERS[MissingName] = keys.WRITERS[Stub]
state.DESCRIBERS[MissingName] = repr
