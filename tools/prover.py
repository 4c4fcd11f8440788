#!/usr/bin/env python3
"""Measures the Python runtime of the prover: on specimens, on packages from PyPI, and beside frontrun.

    tools/prover.py specimens DIR    verdict, schedules and time for each defect that DIR/expected.toml lists and the
                                     runtime can prove, its replays, generated tests, and fixed version
    tools/prover.py packages         caches and limiters from PyPI: known stampedes, and correct ones
    tools/prover.py speed            schedules a second, beside frontrun's fastest mode, on the same cases in one run
"""
import argparse
import ast
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

from _common import BENCH, ROOT, absolute, installed, say

RUNTIME = ROOT / "runtime" / "python"
CASES = RUNTIME / "tests" / "cases"

#: Rules whose findings the runtime can prove.
RULES = ("lost-update", "check-then-act", "stampede", "permit-leak", "shared-default", "swallowed-cancellation",
         "floating-task")

#: The bars: schedules until the first failing one, replays and test runs that must all agree, times frontrun's speed.
FIRST_FAILING, AGREEING, TIMES_FRONTRUN = 10, 20, 3.0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bench", type=absolute, default=BENCH,
                        help="where downloads go (default: .bench in the project)")
    parser.add_argument("--python", default=sys.executable, help="the Python that runs the code (default: this one)")
    commands = parser.add_subparsers(dest="command", required=True)
    specimens = commands.add_parser("specimens")
    specimens.add_argument("directory", type=absolute)
    commands.add_parser("packages")
    speed = commands.add_parser("speed")
    speed.add_argument("--seconds", type=float, default=2.0, help="for each case and mode (default: 2)")
    options = parser.parse_args()
    return {"specimens": prove_specimens, "packages": prove_packages, "speed": compare_speed}[options.command](options)


def run_runtime(python, plan, *arguments):
    """The verdict on a plan, and the seconds that it took."""
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "plan.json")
        pathlib.Path(path).write_text(json.dumps(plan))
        began = time.monotonic()
        done = subprocess.run([python, "-m", "racewalk_runtime", path, *map(str, arguments)], capture_output=True,
                              text=True, env=dict(os.environ, PYTHONPATH=str(RUNTIME)), timeout=300)
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout), time.monotonic() - began


# Specimens

def prove_specimens(options):
    """One line for each expected finding, and one for each fixed version."""
    if not (options.directory / "expected.toml").is_file():
        say(f"{options.directory} has no expected.toml: nothing to do")
        return 0
    import tomllib
    specimens = tomllib.loads((options.directory / "expected.toml").read_text())["specimen"]
    missed = 0
    for specimen in specimens:
        file = options.directory / specimen["path"]
        for expected in specimen.get("expect", []):
            target = expected["rule"] in RULES and file.suffix == ".py" and enclosing(file, expected["lines"])
            if target:
                missed += not specimen_is_proved(options, file, expected["rule"], target)
    return 1 if missed else 0


def enclosing(file, lines):
    """The qualified name of the innermost function around the first line that is in one."""
    functions = {}

    def walk(node, names):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                if not isinstance(child, ast.ClassDef):
                    functions[".".join(names + [child.name])] = range(child.lineno, child.end_lineno + 1)
                walk(child, names + [child.name])

    walk(ast.parse(file.read_text()), [])
    for line in lines:
        inside = [name for name, span in functions.items() if line in span]
        if inside:
            return inside[-1]
    return None


def specimen_is_proved(options, file, rule, target):
    plan = {"root": str(file.parent), "targets": [f"{file.name}:{target}"],
            "finding": {"rule": rule, "path": file.name}}
    with tempfile.TemporaryDirectory() as directory:
        test = pathlib.Path(directory) / "test_it.py"
        verdict, seconds = run_runtime(options.python, plan, "--replays", AGREEING, f"--write-test=regression={test}")
        proved = verdict["verdict"] == "proved"
        told = verdict["message"]
        if proved:
            told = (f"{verdict['kind']} at schedule {verdict['first_failing']}, "
                    f"replayed {verdict['replayed']} of {AGREEING}")
        print(f"{file.stem} {rule}: {verdict['verdict']}, {told}, {seconds:.2f} s")
        good = proved and verdict["first_failing"] <= FIRST_FAILING
        if proved:
            failures = runs_that_fail(options.python, test) if test.exists() else 0
            print(f"    its test fails in {failures} of {AGREEING} runs")
            good = good and failures == AGREEING
        for fixed in sorted(file.parent.glob(file.stem + "_fixed*.py")):
            good = fixed_is_clean(options, plan, fixed, target, test if proved else None, directory) and good
    return good


def runs_that_fail(python, test):
    code = ("import runpy, sys\nfor name, value in runpy.run_path(sys.argv[1]).items():\n"
            "    if name.startswith('test_'): value()")
    return sum(subprocess.run([python, "-c", code, str(test)], capture_output=True).returncode != 0
               for _ in range(AGREEING))


def fixed_is_clean(options, plan, fixed, target, test, directory):
    """The plan on the fixed version, whose function may be in a class of another name; and the test on it."""
    name = target.rpartition(".")[2]
    tree = ast.parse(fixed.read_text())
    owners = [node.name for node in tree.body if isinstance(node, ast.ClassDef) and name in
              [item.name for item in node.body if hasattr(item, "name")]]
    there = f"{owners[0]}.{name}" if owners else name
    verdict, seconds = run_runtime(options.python, dict(plan, targets=[f"{fixed.name}:{there}"],
                                                        finding=dict(plan["finding"], path=fixed.name)))
    line = f"    {fixed.stem}: {verdict['verdict']}, {verdict['message']}, {seconds:.2f} s"
    clean = verdict["verdict"] == "no-violation"
    if test is not None and test.exists() and ("." in target) == bool(owners):
        changed = pathlib.Path(directory) / fixed.stem
        changed.mkdir()
        alias = f"\n{target.partition('.')[0]} = {owners[0]}\n" if owners else ""
        (changed / plan["targets"][0].partition(":")[0]).write_text(fixed.read_text() + alias)
        moved = changed / "test_it.py"
        moved.write_text(re.sub(r"^ROOTS = .*$", f"ROOTS = [{str(changed)!r}]", test.read_text(), flags=re.MULTILINE))
        failures = runs_that_fail(options.python, moved)
        line += f", the test passes in {AGREEING - failures} of {AGREEING} runs"
        clean = clean and not failures
    print(line)
    return clean


# Packages

#: What is installed, the program, and the verdict that is right. `fetch` stands for what is cached or limited.
PACKAGES = {
    "aiocache.cached": (["aiocache"], "proved", """
        from aiocache import cached
        @cached()
        async def get(key: str):
            return await fetch(key)
        """),
    # Its lock is a lease: when the fetch takes longer than that, a second one begins.
    "aiocache.cached_stampede": (["aiocache"], "proved", """
        from aiocache import cached_stampede
        @cached_stampede(lease=2)
        async def get(key: str):
            return await fetch(key)
        """),
    "asyncache.cached": (["asyncache", "cachetools<6"], "proved", """
        from asyncache import cached
        @cached({})
        async def get(key: str):
            return await fetch(key)
        """),
    "cachetools_async.cached": (["cachetools-async"], "no-violation", """
        from cachetools_async import cached
        @cached({})
        async def get(key: str):
            return await fetch(key)
        """),
    "async_lru.alru_cache": (["async-lru"], "no-violation", """
        from async_lru import alru_cache
        @alru_cache(maxsize=32)
        async def get(key: str):
            return await fetch(key)
        """),
    "aiolimiter.AsyncLimiter": (["aiolimiter"], "no-violation", """
        from aiolimiter import AsyncLimiter
        limiter = AsyncLimiter(1, 60)
        async def get(key: str):
            async with limiter:
                return await fetch(key)
        """),
    "asyncio_throttle.Throttler": (["asyncio-throttle"], "no-violation", """
        from asyncio_throttle import Throttler
        throttler = Throttler(rate_limit=2, period=60)
        async def get(key: str):
            async with throttler:
                return await fetch(key)
        """),
    "aiobreaker.CircuitBreaker": (["aiobreaker"], "no-violation", """
        from aiobreaker import CircuitBreaker
        breaker = CircuitBreaker(fail_max=5)
        @breaker
        async def get(key: str):
            return await fetch(key)
        """),
}


def prove_packages(options):
    """Each package in an environment of its own, with the same plan for all."""
    wrong = 0
    for name, (requirements, right, program) in PACKAGES.items():
        try:
            python = installed(options.bench, "python", *requirements)
        except subprocess.CalledProcessError:
            print(f"{name}: cannot be installed here")
            continue
        with tempfile.TemporaryDirectory() as directory:
            lines = [line[8:] for line in program.strip("\n").splitlines()]
            lines.insert(1, "async def fetch(key):\n    raise NotImplementedError\n")
            pathlib.Path(directory, "app.py").write_text("\n".join(lines))
            plan = {"root": directory, "targets": ["app:get"], "stubs": ["app:fetch"], "finding": {"rule": "stampede"}}
            verdict, seconds = run_runtime(str(python), plan)
        agrees = verdict["verdict"] == right
        wrong += not agrees
        expected = "" if agrees else f" (expected {right})"
        print(f"{name}: {verdict['verdict']}{expected}: {verdict['message']}, {seconds:.2f} s")
    return 1 if wrong else 0


# Speed

#: Cases of the corpus that need one argument, which both tools are given as something that suspends.
COMPARED = {
    "defective/bank_audit": ("Bank", "deposit", {"amount": 1}),
    "correct/bank_audit": ("Bank", "deposit", {"amount": 1}),
    "defective/cache_ttl": ("Cache", "get", {"key": "k"}),
    "correct/cache_ttl": ("Cache", "get", {"key": "k"}),
    "defective/order_numbers": ("Orders", "place", {"item": "k"}),
    "correct/order_numbers": ("Orders", "place", {"item": "k"}),
}


def compare_speed(options):
    """Both tools in one process, by turns; a schedule of ours includes stand-ins, keys and oracles."""
    python = installed(options.bench, "python", "frontrun")
    ratios = []
    print("case, schedules a second: ours, frontrun random, frontrun DPOR, times the faster of these")
    for case, (owner, method, arguments) in COMPARED.items():
        job = {"case": str(CASES / case), "owner": owner, "method": method, "arguments": arguments,
               "seconds": options.seconds}
        done = subprocess.run([str(python), "-c", SPEED, json.dumps(job)], capture_output=True, text=True,
                              env=dict(os.environ, PYTHONPATH=str(RUNTIME)), timeout=300)
        if done.returncode:
            raise SystemExit(done.stderr)
        rates = json.loads(done.stdout.splitlines()[-1])
        ratios.append(rates["ours"] / max(rates["random"], rates["dpor"]))
        print(f"{case}: {rates['ours']:,.0f}, {rates['random']:,.0f}, {rates['dpor']:,.0f}, {ratios[-1]:.1f}")
    print(f"least: {min(ratios):.1f}; the bar is {TIMES_FRONTRUN:g}")
    return 0 if min(ratios) >= TIMES_FRONTRUN else 1


SPEED = '''
import asyncio, importlib, json, os, sys, time
from racewalk_runtime import plan
from racewalk_runtime.prove import Prover
from racewalk_runtime.schedule import Bounds
from frontrun.async_shuffler import explore_async_random
from frontrun.async_dpor import _explore_async_dpor

job = json.loads(sys.argv[1])
clock, seconds = time.perf_counter, job["seconds"]
directory, name = os.path.split(job["case"])


class Patient:
    """Applies the oracles in full, and lets the search go on after a violation."""
    doubts = []

    def __init__(self, judge):
        self.judged, self.policy, self.reference = judge, judge.policy, judge.reference

    def judge(self, execution):
        self.judged.judge(execution)
        return []


def ours():
    """All schedules of two calls, again and again."""
    prover = Prover(plan.parse({"root": directory, "targets": ["%s:%s.%s" % (name, job["owner"], job["method"])]}))
    prover._deadline = clock() + 10 * seconds
    schedules = 0
    with prover.exploring():
        scenario, judge, policy = next(prover._scenarios(2))
        patient = Patient(judge)
        began = clock()
        while clock() - began < seconds:
            prover._explore(scenario, patient, policy, Bounds())
            schedules += prover.phases[-1].schedules
        took = clock() - began
    prover.close()
    return schedules / took


class Suspending:
    """What frontrun's workers are given for the outside."""
    def __getattr__(self, name):
        return self
    async def __call__(self, *arguments):
        await asyncio.sleep(0)
        return 1


async def theirs(explore):
    kind = getattr(importlib.import_module(name), job["owner"])
    workers = [lambda state: getattr(state, job["method"])(**job["arguments"])] * 2
    schedules, began, seed = 0, clock(), 0
    while clock() - began < seconds:
        seed += 1
        schedules += await explore(lambda: kind(Suspending()), workers, seed)
    return schedules / (clock() - began)


async def shuffled(setup, workers, seed):
    result = await explore_async_random(setup, workers, lambda state: True, max_attempts=50, seed=seed,
                                        deadlock_timeout=1.0, timeout_per_run=1.0, total_timeout=seconds)
    return result.num_explored


async def reduced(setup, workers, seed):
    result = await _explore_async_dpor(setup, workers, lambda state: True, stop_on_first=False, total_timeout=seconds)
    return result.num_explored


rates = {"ours": ours()}
sys.path.insert(0, directory)
sys.modules.pop(name, None)
rates["random"] = asyncio.run(theirs(shuffled))
rates["dpor"] = asyncio.run(theirs(reduced))
rates["ours"] = (rates["ours"] + ours()) / 2
print(json.dumps(rates))
'''


if __name__ == "__main__":
    sys.exit(main())
