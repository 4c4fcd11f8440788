"""Replays of a schedule on the stock event loop."""
from __future__ import annotations

import asyncio
from typing import Any, Callable, Dict, List, Sequence, Set, Tuple

from .determinism import controlled
from .loop import ExplorerLoop
from .scenario import Scenario
from .schedule import Decision, being_cancelled
from .scripted import CALL, ScriptedLoop


class StockLoop(ScriptedLoop):
    """Notes what the oracles ask for, as `ExplorerLoop` and `schedule.Execution` do."""

    def __init__(self, script: Sequence[Decision], held: Callable[[], Set[int]]) -> None:
        super().__init__(script, {})
        self._held = held
        self.owners: Dict[asyncio.Task, str] = {}
        self.problems: List[dict] = []
        self.outlived: List[Tuple[str, asyncio.Task]] = []
        self._returned: set = set()

    def create_task(self, coro: Any, **options: Any) -> Any:
        task = super().create_task(coro, **options)
        task._log_destroy_pending = False  # type: ignore[attr-defined]
        self.owners[task] = CALL.get()
        return task

    def call_exception_handler(self, context: Dict[str, Any]) -> None:
        self.problems.append(context)

    def _run_once(self) -> None:
        super()._run_once()
        for label, root in self.tasks.items():
            if root.done() and label not in self._returned:
                self._returned.add(label)
                alive = [task for task, owner in self.owners.items() if owner == label and task is not root
                         and not task.done() and not being_cancelled(task)]
                held = self._held() if alive else set()
                self.outlived.extend((label, task) for task in alive if id(task) not in held)


class StockRun:
    """What `schedule.Execution` is for the explorer: the run that the oracles judge."""

    def __init__(self, loop: StockLoop, trace: Sequence[Decision]) -> None:
        self.loop = loop
        self.trace = list(trace)
        self.tasks = loop.tasks
        self.outlived = loop.outlived
        self.disturbed = any(kind in ("fail", "cancel") for kind, _ in trace)

    def pending(self) -> List[str]:
        return [label for label, task in self.tasks.items() if not task.done()]


def replay(scenario: Scenario, trace: Sequence[Decision], judge: Any) -> Tuple[Any, List[Decision]]:
    """Runs the schedule once; answers with what `judge(run)` says of it, and the decisions that were not possible."""
    harness = scenario.harness
    loop = StockLoop(trace, scenario.held_tasks)
    explorer, harness.world.loop = harness.world.loop, loop  # type: ignore[assignment]
    asyncio.set_event_loop(loop)
    try:
        with controlled(loop, harness.project.modules()):
            asyncio._set_running_loop(loop)  # type: ignore[attr-defined]
            calls = scenario.rebuild()
            _move_primitives(scenario, explorer, loop)
            asyncio._set_running_loop(None)  # type: ignore[attr-defined]
            loop.calls = {call.label: call.start for call in calls}
            try:
                loop.run_forever()
            except SystemExit:  # the stock loop lets it through, and stops in the middle
                return [], [("run", "")]
            answer = judge(StockRun(loop, trace))
            unmet = list(loop.unmet)
            _end(loop)
        return answer, unmet
    finally:
        asyncio._set_running_loop(None)  # type: ignore[attr-defined]
        harness.world.loop = explorer
        asyncio.set_event_loop(explorer)
        loop.close()


def _move_primitives(scenario: Scenario, old: ExplorerLoop, new: StockLoop) -> None:
    """Before Python 3.10 a lock belongs to the loop under which it was made, which for a module's is the explorer's."""
    for container in scenario.harness.checkpoint.contents():
        if isinstance(container, dict) and container.get("_loop") is old:
            container["_loop"] = new


def _end(loop: StockLoop) -> None:
    """Cancels what is left, so that nothing outlives the loop."""
    for _ in range(3):
        alive = [task for task in loop.owners if not task.done()]
        if not alive:
            break
        for task in alive:
            task.cancel()
        loop.iterations = 0
        loop._stopping = False
        loop.run_forever()
    for task in loop.owners:
        if task.done() and not task.cancelled():
            task.exception()
