"""Whether a changed version of the code is a fix: no schedule goes wrong, and alone the calls do what they did."""
from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any, Dict, List

from .prove import Prover

#: Seconds that the changed version may take beyond the plan's budget.
PATIENCE = 60.0


def check(prover: Prover, plan_path: str, directory: str, verdict: Dict[str, Any]) -> Dict[str, Any]:
    """Explores the changed version in a process of its own, and compares it with the code that `verdict` is about."""
    before = prover.sequential_table()
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join([package, os.environ.get("PYTHONPATH", "")]))
    command = [sys.executable, "-m", __package__, plan_path, "--root", directory, "--compare",
               json.dumps({"schedule": verdict["schedule"], "cells": verdict["cells"]})]
    try:
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False,
                              timeout=prover.plan.budget * 2 + PATIENCE)
        answer = json.loads(done.stdout)
    except (subprocess.TimeoutExpired, ValueError):
        return {"verdict": "inconclusive", "message": "the changed version gave no answer"}
    return judge(before, answer)


def judge(before: Dict[str, Any], answer: Dict[str, Any]) -> Dict[str, Any]:
    """From the sequential outcomes of the code as it was, and the verdict on the changed version."""
    verdict = answer.get("verdict")
    if verdict == "proved":
        return {"verdict": "still-wrong", "message": answer["message"], "kind": answer["kind"],
                "schedule": answer["schedule"]}
    if verdict != "no-violation":
        return {"verdict": "inconclusive", "message": answer.get("message", "")}
    if answer.get("replay"):
        return {"verdict": "still-wrong", "message": answer["replay"]}
    changed = differences(before, answer["sequential_table"])
    if changed:
        return {"verdict": "changed-behaviour", "message": changed[0]}
    return {"verdict": "fixed", "message": answer["message"], "exhaustive_calls": answer["exhaustive_calls"]}


def differences(before: Dict[str, Any], after: Dict[str, Any]) -> List[str]:
    """What calls that don't overlap give now and gave before, where it isn't the same."""
    found = []
    for name, outcomes in before.items():
        now = after.get(name)
        if now is None:
            found.append("%s: the changed version cannot be run in this way" % name)
            continue
        gone = [outcome for outcome in outcomes if outcome not in now]
        new = [outcome for outcome in now if outcome not in outcomes]
        if gone or new:
            found.append("%s: one call after the other gave %s, and gives %s" % (name, gone, new))
    return found
