"""For pytest: asynchronous tests marked `explore` run under the explorer, as with the decorator.

    @pytest.mark.explore(budget=5)
    async def test_transfer(): ...

`--explore-budget SECONDS` replaces the budget of all of them.
"""
from __future__ import annotations

import inspect
from typing import Any

from .exploring import explore

#: Options of the mark that the decorator takes.
_OPTIONS = ("budget", "early", "faults", "errors", "complete", "replay")


def pytest_addoption(parser: Any) -> None:
    group = parser.getgroup("racewalk")
    group.addoption("--explore-budget", type=float, default=None, metavar="SECONDS",
                    help="time for the schedules of each test marked explore")


def pytest_configure(config: Any) -> None:
    config.addinivalue_line("markers", "explore(budget, early, faults, errors, complete, replay): run this "
                                       "asynchronous test under all schedules within bounds")


def pytest_collection_modifyitems(config: Any, items: Any) -> None:
    for item in items:
        mark = item.get_closest_marker("explore")
        if mark is None or not inspect.iscoroutinefunction(getattr(item, "obj", None)):
            continue
        options = {name: value for name, value in mark.kwargs.items() if name in _OPTIONS}
        if config.getoption("--explore-budget") is not None:
            options["budget"] = config.getoption("--explore-budget")
        item.obj = explore(item.obj, **options)
