"""`python -m racewalk_runtime PLAN`: reads a plan, prints a verdict."""
from __future__ import annotations

import argparse
import json
import sys
from typing import List, Optional

from . import plan
from .importing import NotRunnable
from .prove import Prover


def main(arguments: Optional[List[str]] = None) -> int:
    parser = argparse.ArgumentParser(prog="racewalk_runtime")
    parser.add_argument("plan")
    options = parser.parse_args(arguments)
    try:
        verdict = Prover(plan.load(options.plan)).run()
    except NotRunnable as reason:
        verdict = {"version": 1, "verdict": "not-runnable", "message": str(reason)}
    print(json.dumps(verdict, indent=1))
    return 0
