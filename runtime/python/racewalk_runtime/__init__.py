"""Explores the schedules of asyncio code: which of them go wrong, shown and replayed.

`python -m racewalk_runtime PLAN` proves a finding from a plan; `explore`, `overlap` and `fake` are for one's own tests.
"""
from .exploring import NotExplored, ScheduleError, explore, fake, overlap

__version__ = "0.1.0"
__all__ = ["NotExplored", "ScheduleError", "explore", "fake", "overlap"]
