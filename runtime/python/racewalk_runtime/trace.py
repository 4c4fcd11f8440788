"""Who touched which shared object when: the timeline of a schedule as text, JSON, or a Perfetto trace."""
from __future__ import annotations

import json
from typing import Any, Dict, List

FORMATS = ("text", "json", "perfetto")


def accesses(timeline: List[Dict[str, Any]]) -> List[Dict[str, Any]]:
    """One entry for each cell that a step read or changed."""
    found = []
    for number, step in enumerate(timeline):
        place = {"step": number, "at": step["at"], "call": step["call"], "task": step.get("task", ""),
                 "path": step.get("path", ""), "line": step.get("line", 0)}
        changed = {change["cell"]: change for change in step.get("changes", ())}
        for cell, value in step.get("sees", {}).items():
            if cell not in changed:
                found.append(dict(place, object=cell, does="sees", value=value))
        for cell, change in changed.items():
            found.append(dict(place, object=cell, does="changes", before=change["before"], value=change["after"]))
    return found


def render(timeline: List[Dict[str, Any]], form: str) -> str:
    """The trace in one of `FORMATS`."""
    if form == "json":
        return json.dumps({"version": 1, "accesses": accesses(timeline)}, indent=1) + "\n"
    if form == "perfetto":
        return json.dumps(_perfetto(timeline)) + "\n"
    return "".join(_line(entry) for entry in accesses(timeline))


def _line(entry: Dict[str, Any]) -> str:
    what = "%s %s" % (entry["object"], entry["value"]) if entry["does"] == "sees" else "%s %s -> %s" % (
        entry["object"], entry["before"], entry["value"])
    return "%4d  %8.3fs  %-3s %-7s %s  (%s:%d)\n" % (
        entry["step"], entry["at"], entry["call"], entry["does"], what, entry["path"], entry["line"])


def _perfetto(timeline: List[Dict[str, Any]]) -> Dict[str, Any]:
    """Chrome's trace format, which Perfetto reads: a track for each call, a slice for each line that ran.

    A schedule has an order, and no durations: each step is shown as ten microseconds.
    """
    calls = sorted({step["call"] for step in timeline})
    events: List[Dict[str, Any]] = [
        {"ph": "M", "name": "thread_name", "pid": 1, "tid": number, "args": {"name": "call " + call}}
        for number, call in enumerate(calls, 1)]
    for number, step in enumerate(timeline):
        event = {"ph": "X", "pid": 1, "tid": calls.index(step["call"]) + 1, "ts": number * 10, "dur": 10,
                 "name": step.get("source") or step.get("does", ""),
                 "cat": "line" if "source" in step else "environment",
                 "args": {key: value for key, value in step.items() if key not in ("source", "does")}}
        events.append(event)
        for change in step.get("changes", ()):
            events.append({"ph": "i", "s": "p", "pid": 1, "tid": event["tid"], "ts": number * 10 + 9,
                           "name": "%s = %s" % (change["cell"], change["after"])})
    return {"traceEvents": events, "displayTimeUnit": "ns"}
