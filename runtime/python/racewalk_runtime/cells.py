"""The cells of a finding: the places whose contents two schedules are compared by.

A cell is written as in the source: `self.value`, `counter` (a module-level name, or a variable that a closure keeps),
`queue` (a parameter), `self.pool.size`, `sessions["ada"]`. `[*]` stands for all elements.
"""
from __future__ import annotations

import ast
import inspect
import re
import textwrap
from typing import Any, Callable, Dict, Iterable, List, NamedTuple, Optional, Set, Tuple

_STEP = re.compile(r"\.(?P<name>\w+)|\[(?P<key>\*|'[^']*'|\"[^\"]*\"|-?\d+)\]")


class Cell(NamedTuple):
    """A root name and the steps from there."""

    text: str
    root: str
    steps: Tuple[Tuple[str, Any], ...]

    def value(self, roots: Callable[[str], Any]) -> Any:
        """What stands in the cell now; `MISSING` if there is no such place."""
        value = roots(self.root)
        for kind, name in self.steps:
            try:
                value = getattr(value, name) if kind == "attribute" else value[name]
            except (AttributeError, LookupError, TypeError):
                return MISSING
        return value


class _Missing:
    def __repr__(self) -> str:
        return "<absent>"


MISSING = _Missing()


def parse(text: str) -> Cell:
    """A cell from its text. What isn't understood after the root is left out: the cell is then a larger place."""
    text = text.strip()
    root = re.match(r"[\w:.]*:\w+|\w+", text)
    if root is None:
        return Cell(text, text, ())
    steps: List[Tuple[str, Any]] = []
    position = root.end()
    while True:
        step = _STEP.match(text, position)
        if step is None or step.group("key") == "*":
            break
        if step.group("name"):
            steps.append(("attribute", step.group("name")))
        else:
            steps.append(("key", ast.literal_eval(step.group("key"))))
        position = step.end()
    return Cell(text, root.group(), tuple(steps))


# -- cells that a plan doesn't name -------------------------------------------------------------------------------
#: Methods that change their receiver and leave what was there before.
_ADDS = frozenset(("append", "appendleft", "add", "put", "put_nowait", "insert", "extend", "update", "setdefault",
                   "pop", "popleft", "popitem", "remove", "discard", "clear", "get_nowait", "increment", "incr"))


def torn(functions: Iterable[Callable[..., Any]]) -> List[str]:
    """Cells that some of the functions read before a suspension and write after it, in dependence on what was read.

    Read from the source, function by function, methods called on `self` included in their place. A write that replaces
    the contents depends on any earlier read; one that only adds (`append`) when the read decides whether it happens.
    """
    found: Dict[str, None] = {}
    for function in functions:
        tree = definition_of(function)
        if tree is not None:
            for name in _Tearing(tree, _helpers_of(function)).run():
                found.setdefault(name)
    return list(found)


def definition_of(function: Callable[..., Any]) -> Optional[ast.AST]:
    """The syntax tree of a function; None if its source isn't there."""
    try:
        source = textwrap.dedent(inspect.getsource(inspect.unwrap(function)))
        body = ast.parse(source).body
    except (OSError, TypeError, SyntaxError, ValueError):
        return None
    return body[0] if body and isinstance(body[0], (ast.FunctionDef, ast.AsyncFunctionDef)) else None


def _helpers_of(function: Callable[..., Any]) -> Dict[str, ast.AST]:
    """The other methods of the class, by name."""
    owner = getattr(function, "__self__", None)
    helpers: Dict[str, ast.AST] = {}
    if owner is not None:
        for name, item in inspect.getmembers(type(owner), inspect.isfunction):
            tree = definition_of(item) if not name.startswith("__") else None
            if tree is not None:
                helpers[name] = tree
    return helpers


class _Tearing(ast.NodeVisitor):
    """Walks a function in source order, which stands in for the order of execution."""

    def __init__(self, tree: Any, helpers: Dict[str, Any]) -> None:
        self._tree = tree
        self._helpers = helpers
        self._inside: List[str] = []
        self._params = {arg.arg for arg in _arguments(tree)}
        self._locals = _bound_names(tree) - self._params
        self._globals: Set[str] = {name for node in ast.walk(tree) if isinstance(node, (ast.Global, ast.Nonlocal))
                                   for name in node.names}
        self._time = 0
        self._read: Dict[str, int] = {}
        self._deciding: Dict[str, int] = {}
        self._torn: Dict[str, None] = {}

    def run(self) -> List[str]:
        for statement in self._tree.body:
            self.visit(statement)
        return list(self._torn)

    # Suspensions
    def visit_Await(self, node: ast.Await) -> None:
        called = node.value
        if isinstance(called, ast.Call):
            self._call(called, awaited=True)
        else:
            self.generic_visit(node)
            self._time += 1

    def visit_AsyncWith(self, node: Any) -> None:
        self._time += 1
        self.generic_visit(node)
        self._time += 1

    def visit_AsyncFor(self, node: Any) -> None:
        self._time += 1
        self.generic_visit(node)

    def visit_Try(self, node: Any) -> None:
        """What handlers write undoes what the body did: it isn't part of what could be torn."""
        for statement in node.body + node.orelse:
            self.visit(statement)
        known = dict(self._torn)
        for handler in node.handlers:
            self.visit(handler)
        self._torn = known
        for statement in node.finalbody:
            self.visit(statement)

    # Decisions
    def visit_If(self, node: Any) -> None:
        before = dict(self._read)
        self._read = {}
        self.visit(node.test)
        asked = dict(self._read)
        self._read = dict(before, **{name: min(time, before.get(name, time)) for name, time in asked.items()})
        outer = dict(self._deciding)
        for name, time in asked.items():
            self._deciding.setdefault(name, time)
        for statement in node.body:
            self.visit(statement)
        leaves = bool(node.body) and isinstance(node.body[-1], (ast.Return, ast.Raise, ast.Continue, ast.Break))
        for statement in node.orelse:
            self.visit(statement)
        if not leaves:
            self._deciding = outer

    def visit_While(self, node: Any) -> None:
        self.visit_If(node)

    # Reads and writes
    def visit_Assign(self, node: Any) -> None:
        self.visit(node.value)
        for target in node.targets:
            self._store(target)

    def visit_AnnAssign(self, node: Any) -> None:
        if node.value is not None:
            self.visit(node.value)
            self._store(node.target)

    def visit_AugAssign(self, node: Any) -> None:
        name = self._name_of(node.target)
        if name:
            self._note_read(name)
        self.visit(node.value)
        if name and (_suspends(node.value) or name in self._deciding):
            self._write(name, replaces=_suspends(node.value))

    def visit_Delete(self, node: Any) -> None:
        for target in node.targets:
            name = self._name_of(target)
            if name:
                self._write(name, replaces=False)

    def _store(self, target: Any) -> None:
        if isinstance(target, (ast.Tuple, ast.List)):
            for item in target.elts:
                self._store(item)
            return
        name = self._name_of(target)
        if name:
            self._write(name, replaces=True)

    def visit_Call(self, node: ast.Call) -> None:
        self._call(node, awaited=False)

    def _call(self, node: ast.Call, awaited: bool) -> None:
        for item in list(node.args) + [keyword.value for keyword in node.keywords]:
            self.visit(item)
        function = node.func
        helper = self._helper(function)
        if isinstance(function, ast.Attribute):
            name = self._name_of(function.value)
            if name and helper is None:
                if function.attr in _ADDS:
                    self._write(name, replaces=False)
                else:
                    self._note_read(name)
            elif not name:
                self.visit(function.value)
        if helper is not None:
            self._enter(function.attr, helper)  # type: ignore[attr-defined]
        if awaited:
            self._time += 1

    def _helper(self, function: Any) -> Any:
        own = isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name)
        if own and function.value.id == "self" and function.attr not in self._inside:
            return self._helpers.get(function.attr)
        return None

    def _enter(self, name: str, helper: Any) -> None:
        self._inside.append(name)
        outer_locals, self._locals = self._locals, _bound_names(helper) | {arg.arg for arg in _arguments(helper)}
        self._locals.discard("self")
        for statement in helper.body:
            self.visit(statement)
        self._locals = outer_locals
        self._inside.pop()

    def visit_Attribute(self, node: ast.Attribute) -> None:
        name = self._name_of(node)
        if name:
            self._note_read(name)
        else:
            self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> None:
        name = self._name_of(node)
        if name:
            self._note_read(name)

    def visit_Subscript(self, node: Any) -> None:
        self.visit(node.slice)
        self.visit(node.value)

    # Functions inside run when they are called, which isn't followed.
    def visit_FunctionDef(self, node: Any) -> None:
        """Not entered."""

    visit_AsyncFunctionDef = visit_Lambda = visit_FunctionDef  # type: ignore[assignment]

    def _note_read(self, name: str) -> None:
        self._read.setdefault(name, self._time)

    def _write(self, name: str, replaces: bool) -> None:
        since = self._read.get(name) if replaces else self._deciding.get(name)
        if since is not None and since < self._time:
            self._torn.setdefault(name)

    def _name_of(self, node: Any) -> Optional[str]:
        """The shared place that an expression denotes, its elements included: `self.x[k]` is in `self.x`."""
        while isinstance(node, ast.Subscript):
            node = node.value
        parts: List[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
            while isinstance(node, ast.Subscript):
                node, parts = node.value, []
        if not isinstance(node, ast.Name):
            return None
        if node.id == "self":
            return "self." + parts[-1] if parts else None
        if node.id in self._locals and node.id not in self._globals:
            return None
        return node.id


def _arguments(tree: Any) -> List[ast.arg]:
    found = list(getattr(tree.args, "posonlyargs", [])) + list(tree.args.args) + list(tree.args.kwonlyargs)
    return found + [arg for arg in (tree.args.vararg, tree.args.kwarg) if arg is not None]


def _bound_names(tree: Any) -> Set[str]:
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)}
    return names | {node.name for node in ast.walk(tree) if isinstance(node, ast.ExceptHandler) and node.name}


def _suspends(node: ast.AST) -> bool:
    return any(isinstance(item, (ast.Await, ast.AsyncFor, ast.AsyncWith)) for item in ast.walk(node))
