"""`python -m racewalk_runtime.instrument FILE LABEL CELL…`: a diff that makes a file log who touches a state, and when.

The file is read and not run. Each inserted line ends with a mark; applying the diff in reverse takes them all away. Accesses are
logged in statements that stand on lines of their own; the head of a loop is logged when the loop is entered.
"""
from __future__ import annotations

import ast
import difflib
import sys
from typing import Any, Iterator, List, NamedTuple, Optional, Sequence, Set, Union

from . import cells

MARK = "  # racewalk"

#: What the changed file needs: standard library only, Python 3.8 or newer.
SUPPORT = '''
def _racewalk_log(line, cell, look, old=None):
    import asyncio, sys, threading
    try:
        value = repr(look())
    except Exception as error:
        value = "<%s>" % type(error).__name__
    try:
        task = asyncio.current_task()
    except RuntimeError:
        task = None
    name = task.get_name() if task is not None else threading.current_thread().name
    told = "is %s" % value if old is None else "%s -> %s" % (old, value) if old != value else "stays %s" % value
    print("racewalk: %s:%d %s: %s %s" % (@label@, line, name, cell, told), file=sys.stderr)
    return value
'''

Function = Union[ast.FunctionDef, ast.AsyncFunctionDef]


class Insertion(NamedTuple):
    """Text that goes before a line, counted from 1."""

    line: int
    text: str


def diff(source: str, label: str, wanted: Sequence[str]) -> str:
    """A unified diff; empty when no statement touches any of the cells."""
    tree = ast.parse(source)
    lines = source.splitlines(keepends=True)
    inserted: List[Insertion] = []
    for text in wanted:
        cell = cells.parse(text)
        for function, statement in _statements(tree):
            place = _place_in(cell, function)
            if place is not None:
                inserted.extend(_logging(statement, place, lines))
    if not inserted:
        return ""
    support = [line + MARK + "\n" if line else MARK.strip() + "\n"
               for line in SUPPORT.replace("@label@", repr(label)).strip("\n").split("\n")]
    top = _first_line(tree)
    changed = lines[:top] + support
    for number, line in enumerate(lines[top:], top + 1):
        changed.extend(item.text for item in inserted if item.line == number)
        changed.append(line if line.endswith("\n") or number < len(lines) else line + "\n")
    changed.extend(item.text for item in inserted if item.line == len(lines) + 1)
    return "".join(_ended(line) for line in difflib.unified_diff(lines, changed, "a/" + label, "b/" + label))


def _ended(line: str) -> str:
    return line if line.endswith("\n") else line + "\n\\ No newline at end of file\n"


def _first_line(tree: ast.Module) -> int:
    """How many lines stand before what may stand anywhere: the docstring, and imports from the future."""
    last = 0
    for statement in tree.body:
        is_text = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
        is_future = isinstance(statement, ast.ImportFrom) and statement.module == "__future__"
        if not (is_text or is_future):
            break
        last = statement.end_lineno or last
    return last


def _statements(tree: ast.Module) -> Iterator[Any]:
    """Each statement in a function, with that function."""
    def walk(body: Sequence[ast.stmt], function: Optional[Function]) -> Iterator[Any]:
        for statement in body:
            inner = function
            if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
                inner = statement
            elif function is not None and not isinstance(statement, ast.ClassDef):
                yield function, statement
            for name in ("body", "orelse", "finalbody"):
                yield from walk(_block(statement, name), inner)
            for handler in getattr(statement, "handlers", []) + getattr(statement, "cases", []):
                yield from walk(handler.body, inner)

    return walk(tree.body, None)


def _block(statement: ast.stmt, name: str) -> Sequence[ast.stmt]:
    block = getattr(statement, name, None)
    return block if isinstance(block, list) else []


class Place(NamedTuple):
    """A cell as one function writes it: the name that it starts with, the member, and an expression for all of it."""

    root: str
    member: Optional[str]
    text: str


def _place_in(cell: cells.Cell, function: Function) -> Optional[Place]:
    """The cell in the words of a function: its receiver may have another name, and a local may hide the name."""
    arguments = [item.arg for item in function.args.args]
    member = cell.steps[0][1] if cell.steps and cell.steps[0][0] == "attribute" else None
    root = cell.root.rpartition(":")[2]
    if root == "self":
        if not arguments or member is None:
            return None
        root = arguments[0]
    elif root not in arguments and root in _bound(function):
        return None
    return Place(root, member, root if member is None else "%s.%s" % (root, member))


def _bound(function: Function) -> Set[str]:
    """The names that are a function's own."""
    declared: Set[str] = set()
    stored: Set[str] = set()
    for node in ast.walk(function):
        if isinstance(node, (ast.Global, ast.Nonlocal)):
            declared.update(node.names)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            stored.add(node.id)
    return stored - declared


def _own_parts(statement: ast.stmt) -> Iterator[ast.AST]:
    """The nodes of a statement, those of the statements inside it left out."""
    waiting: List[ast.AST] = [statement]
    while waiting:
        node = waiting.pop()
        yield node
        inner = [item for item in ast.iter_child_nodes(node) if not isinstance(item, (ast.stmt, ast.ExceptHandler, ast.Lambda))]
        waiting.extend(item for item in inner if type(item).__name__ != "match_case")


def _touches(statement: ast.stmt, place: Place) -> bool:
    for node in _own_parts(statement):
        if place.member is None:
            if isinstance(node, ast.Name) and node.id == place.root:
                return True
        elif isinstance(node, ast.Attribute) and node.attr == place.member:
            if isinstance(node.value, ast.Name) and node.value.id == place.root:
                return True
    return False


def _logging(statement: ast.stmt, place: Place, lines: Sequence[str]) -> Iterator[Insertion]:
    line = lines[statement.lineno - 1]
    indent = line[:statement.col_offset]
    if indent.strip() or line[statement.col_offset:].startswith("elif") or not _touches(statement, place):
        return  # nothing can stand before it: it doesn't begin its line, or goes on with another statement
    call = "_racewalk_log(%d, %r, lambda: %s" % (statement.lineno, place.text, place.text)
    simple = not hasattr(statement, "body")
    leaves = isinstance(statement, (ast.Return, ast.Raise, ast.Break, ast.Continue))
    kept = "_racewalk_old = " if simple and not leaves else ""
    yield Insertion(statement.lineno, "%s%s%s)%s\n" % (indent, kept, call, MARK))
    if kept:
        yield Insertion((statement.end_lineno or statement.lineno) + 1, "%s%s, _racewalk_old)%s\n" % (indent, call, MARK))


def main(arguments: Sequence[str]) -> int:
    """Prints the diff; 1 when there is none."""
    file, label, *wanted = arguments
    with open(file, encoding="utf-8", newline="") as opened:
        changed = diff(opened.read(), label, wanted)
    sys.stdout.write(changed)
    return 0 if changed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
