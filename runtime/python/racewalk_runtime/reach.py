"""What functions of the project can touch, read from their code: modules' names, other functions, classes."""
from __future__ import annotations

import dis
import inspect
import sys
import types
from typing import Any, Callable, Dict, Iterable, List, Set, Tuple

from .importing import Project
from .state import Globals


class Reach:
    """The closure over names: functions used by functions, methods of classes used, objects bound at module level."""

    def __init__(self, project: Project, starts: Iterable[Any]) -> None:
        self._project = project
        self._seen: Set[int] = set()
        self._names: Dict[str, Tuple[types.ModuleType, Set[str]]] = {}
        self._stored: Dict[str, Set[str]] = {}
        #: Functions of the project that may run.
        self.functions: List[types.FunctionType] = []
        #: Objects that lead to what they may change.
        self.roots: List[Any] = []
        found = list(starts)
        while found:
            value = found.pop()
            if id(value) not in self._seen:
                self._seen.add(id(value))
                found.extend(self._follow(value))

    def globals(self) -> List[Globals]:
        """The module-level names that are used."""
        return [Globals(module, names, self._stored.get(name, ())) for name, (module, names) in self._names.items()]

    def _follow(self, value: Any) -> List[Any]:
        project = self._project
        if isinstance(value, types.MethodType):
            return [value.__func__, value.__self__]
        if isinstance(value, (classmethod, staticmethod)):
            return [value.__func__]
        if isinstance(value, property):
            return [part for part in (value.fget, value.fset) if part is not None]
        if isinstance(value, types.FunctionType):
            self.roots.append(value)
            cells = [cell.cell_contents for cell in value.__closure__ or () if _is_filled(cell)]
            functions = [item for item in cells if callable(item)]
            wrapped = [value.__wrapped__] if hasattr(value, "__wrapped__") else []
            if project.is_ours(value.__globals__.get("__name__", "")):
                self.functions.append(value)
                return functions + wrapped + self._names_in(value.__code__, value.__globals__)
            return functions + wrapped
        if isinstance(value, type):
            if not project.is_ours(value.__module__):
                return []
            self.roots.append(value)
            return list(vars(value).values()) + list(value.__bases__)
        if isinstance(value, types.ModuleType):
            return []
        self.roots.append(value)
        inner = getattr(value, "__wrapped__", None) if not isinstance(value, (str, int)) else None
        return [type(value)] + ([inner] if isinstance(inner, types.FunctionType) else [])

    def _names_in(self, code: types.CodeType, namespace: Dict[str, Any]) -> List[Any]:
        module = sys.modules.get(namespace.get("__name__", ""))
        if module is None:
            return []
        found: List[Any] = []
        for part in nested_code(code):
            names = set(part.co_names)
            stored = _stored(part)
            self._stored.setdefault(module.__name__, set()).update(stored)
            used = {name for name in names if name in namespace} | stored
            self._names.setdefault(module.__name__, (module, set()))[1].update(used)
            for name in used:
                value = namespace.get(name)
                found.append(value)
                if isinstance(value, types.ModuleType) and self._project.is_ours(value.__name__):
                    inner = {name for name in names if name in vars(value)}
                    self._names.setdefault(value.__name__, (value, set()))[1].update(inner)
                    found.extend(vars(value)[name] for name in inner)
        return found


def _is_filled(cell: Any) -> bool:
    try:
        cell.cell_contents
    except ValueError:
        return False
    return True


def nested_code(code: types.CodeType) -> List[types.CodeType]:
    """A code object and those inside it."""
    found = [code]
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            found.extend(nested_code(constant))
    return found


def _stored(code: types.CodeType) -> Set[str]:
    return {instruction.argval for instruction in dis.get_instructions(code)
            if instruction.opname in ("STORE_GLOBAL", "DELETE_GLOBAL")}


def underlying(function: Callable[..., Any]) -> Any:
    """The function as it was written, without its decorators."""
    return inspect.unwrap(getattr(function, "__func__", function))
