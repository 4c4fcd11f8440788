"""What happened in a schedule, line by line: who ran which line, and what became of the cells."""
from __future__ import annotations

import asyncio
import contextlib
import dis
import linecache
import os
import sys
import types
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence, Set

from .importing import Project
from .loop import ExplorerLoop
from .oracles import name_of
from .reach import nested_code
from .schedule import Decision, Execution, tidy_up
from .scripted import CALL, START_TIME
from .search import Script
from .state import describe, readable


@contextlib.contextmanager
def covering(lines: Set[int], project: Project, path: Optional[str]) -> Iterator[None]:
    """Within it, the lines of one file that run are collected."""

    def local(frame: types.FrameType, event: str, _arg: Any) -> Any:
        lines.add(frame.f_lineno)
        return local

    def trace(frame: types.FrameType, event: str, _arg: Any) -> Any:
        return local if same_file(frame.f_code.co_filename, project, path) else None

    with traced(trace):
        yield


@contextlib.contextmanager
def traced(function: Callable[..., Any]) -> Iterator[None]:
    """`sys.settrace` within it."""
    before = sys.gettrace()
    sys.settrace(function)
    try:
        yield
    finally:
        sys.settrace(before)


def same_file(filename: str, project: Project, path: Optional[str]) -> bool:
    """Whether a code object's file is the finding's; without a path, whether it is the project's."""
    if path is None:
        return project.has_file(filename)
    return os.path.realpath(filename) == os.path.realpath(os.path.join(project.root, path))


def unreached(lines: Set[int], project: Project, finding: Any) -> List[int]:
    """The finding's lines that hold code and never ran; all of them, when their file wasn't even loaded."""
    executable: Set[int] = set()
    modules = project.modules()
    if not any(same_file(getattr(module, "__file__", None) or "", project, finding.path) for module in modules):
        return list(finding.lines)
    for module in modules:
        for value in list(vars(module).values()):
            for code in _code_of(value):
                if same_file(code.co_filename, project, finding.path):
                    executable.update(line for _start, line in _starts(code))
    return [line for line in finding.lines if line in executable and line not in lines]


def _code_of(value: Any) -> Iterator[types.CodeType]:
    if isinstance(value, type):
        for item in list(vars(value).values()):
            if not isinstance(item, type):
                yield from _code_of(item)
        return
    function = getattr(value, "__func__", value)
    while function is not None:
        code = getattr(function, "__code__", None)
        if isinstance(code, types.CodeType):
            yield from nested_code(code)
        function = getattr(function, "__wrapped__", None)


def _starts(code: types.CodeType) -> Iterator[tuple]:
    return dis.findlinestarts(code)


def tell(prover: Any, witness: Any) -> List[Dict[str, Any]]:
    """The schedule as a list of steps, in JSON data."""
    recorder = Recorder(prover.harness, witness.scenario, witness.judge.cells)
    with prover.exploring():
        with recorder.recording():
            told = Told(prover.harness.loop, witness.scenario.begin(), Script(witness.trace), witness.bounds, False)
            told.recorder = recorder
            told.run()
        recorder.flush()
        tidy_up(prover.harness.loop)
    return recorder.steps


class Told(Execution):
    """An execution whose decisions are recorded."""

    recorder: "Recorder"

    def apply(self, decision: Decision) -> None:
        self.recorder.decided(decision)
        super().apply(decision)


class Recorder:
    """Collects steps while a schedule runs."""

    def __init__(self, harness: Any, scenario: Any, cells: Sequence[Any]) -> None:
        self._project: Project = harness.project
        self._loop: ExplorerLoop = harness.loop
        self._scenario = scenario
        self._cells = list(cells)
        self._values: Optional[List[str]] = None
        self._ours: Dict[types.CodeType, bool] = {}
        self.steps: List[Dict[str, Any]] = []
        self._open: Optional[Dict[str, Any]] = None

    @contextlib.contextmanager
    def recording(self) -> Iterator[None]:
        with traced(self._trace):
            yield

    def decided(self, decision: Decision) -> None:
        self.flush()
        kind, subject = decision
        if kind != "run":
            self.steps.append({"does": TEXTS[kind] % {"subject": subject.partition(":")[2] or subject,
                                                      "call": subject.partition(":")[0]},
                               "call": subject.partition(":")[0], "at": self._time()})

    def _time(self) -> float:
        return round(self._loop.now - START_TIME, 6)

    def _trace(self, frame: types.FrameType, event: str, _arg: Any) -> Any:
        code = frame.f_code
        ours = self._ours.get(code)
        if ours is None:
            ours = self._ours[code] = self._project.has_file(code.co_filename)
        if not ours or CALL.get() == "main":
            return None
        return self._line

    def _line(self, frame: types.FrameType, event: str, _arg: Any) -> Any:
        if event == "line":
            self.flush()
            code = frame.f_code
            task = _current_task(self._loop)
            self._open = {
                "call": CALL.get(), "task": name_of(task) if task is not None else "", "at": self._time(),
                "path": self._project.relative(code.co_filename), "line": frame.f_lineno,
                "symbol": getattr(code, "co_qualname", code.co_name),
                "source": linecache.getline(code.co_filename, frame.f_lineno).strip(),
            }
        elif event == "return":
            self.flush()
        return self._line

    def flush(self) -> None:
        """The line that ran last is through: what did it change?"""
        step, self._open = self._open, None
        now = [readable(describe(cell.value(self._scenario.root))) for cell in self._cells]
        before, self._values = self._values, now
        if step is None:
            return
        changes = [{"cell": cell.text, "before": old, "after": new}
                   for cell, old, new in zip(self._cells, before or now, now) if old != new]
        seen = {cell.text: value for cell, value in zip(self._cells, before or now) if _mentions(step["source"], cell)}
        if seen:
            step["sees"] = seen
        if changes:
            step["changes"] = changes
        self.steps.append(step)


TEXTS = {"start": "call %(subject)s arrives", "io": "%(subject)s completes for %(call)s",
         "fail": "%(subject)s fails for %(call)s", "timer": "time goes on to the next timer",
         "cancel": "call %(subject)s is cancelled"}


def _mentions(source: str, cell: Any) -> bool:
    name = cell.steps[0][1] if cell.steps and cell.steps[0][0] == "attribute" else cell.root.rpartition(":")[2]
    return str(name) in source


def _current_task(loop: Any) -> Optional[asyncio.Task]:
    try:
        return asyncio.current_task(loop)
    except RuntimeError:
        return None
