"""`python -m racewalk_runtime PLAN`: reads a plan, prints a verdict as JSON.

The exit status is 0 whatever the verdict is, and 2 when the plan cannot be read.
"""
from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import traceback
from typing import Any, Dict, List, Optional, Sequence

from . import confine, fixcheck, plan, testgen, trace
from .importing import NotRunnable
from .prove import REPLAYS, Prover
from .scenario import STORE


def main(arguments: Optional[List[str]] = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        harness_plan = plan.load(options.plan)
    except (plan.PlanError, OSError) as reason:
        print("%s: %s" % (options.plan, reason), file=sys.stderr)
        return 2
    if options.root is not None:
        harness_plan.root = options.root
    elif not os.path.isabs(harness_plan.root):
        harness_plan.root = os.path.join(os.path.dirname(os.path.abspath(options.plan)), harness_plan.root)
    confined = confine.confine() if options.confine else None
    with contextlib.redirect_stdout(sys.stderr):  # what the project prints must not get into the verdict
        verdict = _verdict(harness_plan, options)
    if confined is not None:
        verdict["confined"] = confined
    print(json.dumps(verdict, indent=1))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="racewalk_runtime", description="Explores the schedules of asyncio code.")
    parser.add_argument("plan", help="the harness plan, JSON; see PLAN.md")
    parser.add_argument("--root", help="the project's directory, in place of the plan's")
    parser.add_argument("--write-test", metavar="VARIANT=PATH", action="append", default=[],
                        type=_pair(testgen.VARIANTS),
                        help="write a test when a defect was proved: %s" % ", ".join(testgen.VARIANTS))
    parser.add_argument("--calls", type=int, default=1000, help="calls of a stress test (default: 1000)")
    parser.add_argument("--trace", metavar="FORMAT=PATH", action="append", default=[], type=_pair(trace.FORMATS),
                        help="write who touched which shared object: %s" % ", ".join(trace.FORMATS))
    parser.add_argument("--replays", type=int, default=REPLAYS, metavar="N",
                        help="how often a failing schedule is replayed on the stock loop (default: %d)" % REPLAYS)
    parser.add_argument("--against", metavar="DIR", help="a changed version of the project: is it a fix?")
    parser.add_argument("--confine", action="store_true",
                        help="give up the network, and limit memory and processor time, as far as the system lets it")
    parser.add_argument("--compare", type=json.loads, help=argparse.SUPPRESS)
    return parser


def _pair(names: Sequence[str]) -> Any:
    def parse(text: str) -> List[str]:
        name, separator, path = text.partition("=")
        if name not in names or not separator or not path:
            raise argparse.ArgumentTypeError("NAME=PATH is expected, with one of %s" % ", ".join(names))
        return [name, path]

    return parse


def _verdict(harness_plan: plan.Plan, options: argparse.Namespace) -> Dict[str, Any]:
    try:
        if options.compare is not None:
            harness_plan.finding.lines = []  # those of the other version
            harness_plan.finding.cells = [cell for cell in options.compare["cells"] if cell != STORE]
        prover = Prover(harness_plan, options.replays)
        verdict = prover.run()
        if options.compare is not None:
            verdict["sequential_table"] = prover.sequential_table()
            verdict["replay"] = prover.fails_again([tuple(item) for item in options.compare["schedule"]])
        if prover.witness is not None:
            _extras(prover, verdict, options)
        return verdict
    except NotRunnable as reason:
        return {"version": 1, "verdict": "not-runnable", "message": str(reason)}
    except Exception as error:  # the project's objects run code of their own wherever they are looked at
        traceback.print_exc()
        return {"version": 1, "verdict": "not-runnable", "message": "%s: %s" % (type(error).__name__, error)}


def _extras(prover: Prover, verdict: Dict[str, Any], options: argparse.Namespace) -> None:
    for form, path in options.trace:
        _write(path, trace.render(verdict["timeline"], form))
    if options.against is not None:
        verdict["fix"] = fixcheck.check(prover, os.path.abspath(options.plan), options.against, verdict)
    written = []
    for variant, path in options.write_test:
        places = prover.harness.project.places
        roots = [os.path.relpath(place, os.path.dirname(os.path.abspath(path))) for place in places]
        against = None
        if options.against is not None and verdict["fix"]["verdict"] == "fixed":
            changed = os.path.realpath(options.against)
            against = [os.path.join(changed, os.path.relpath(place, prover.harness.project.root)) for place in places]
        test = testgen.make(prover, prover.witness, variant, roots, against, options.calls)
        if test.text is not None:
            _write(path, test.text)
        written.append({"variant": variant, "path": path if test.text else None, "problem": test.problem})
    if written:
        verdict["tests"] = written


def _write(path: str, text: str) -> None:
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
