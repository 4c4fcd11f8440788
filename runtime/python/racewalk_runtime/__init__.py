"""Explores the schedules of asyncio code: which of them go wrong, shown and replayed."""
__version__ = "0.1.0"
