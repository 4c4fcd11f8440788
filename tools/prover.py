#!/usr/bin/env python3
"""Measures `racewalk prove`: on specimens, on the runtime's own corpus, on known defects of real projects; and the runtime
alone, on packages from PyPI and beside frontrun.

    tools/prover.py specimens DIR        each defect that DIR/expected.toml lists and a run can show: proved from the static
                                         finding alone; its test, its fixed version
    tools/prover.py corpus               the cases beside the runtime's tests: defects, and correct code next to them
    tools/prover.py realbugs PLACES TREES  the verdict on each race, lock, task and resource entry of a list of known defects;
                                         TREES holds each at its commit, in a directory named by its id
    tools/prover.py packages             caches and limiters from PyPI: known stampedes, and correct ones
    tools/prover.py speed                schedules a second, beside frontrun's fastest mode, on the same cases in one run
"""
import argparse
import ast
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

from _common import BENCH, ROOT, absolute, default_bin, installed, say, short

RUNTIME = ROOT / "runtime" / "python"
CASES = RUNTIME / "tests" / "cases"

#: Rules of the specimens' defects that a run can show.
RULES = ("lost-update", "check-then-act", "stampede", "permit-leak", "shared-default", "swallowed-cancellation",
         "floating-task")

#: Classes of known defects that a run could show.
CLASSES = ("race-check-then-act", "lock-misuse", "floating-task", "resource-leak", "cancellation")

#: The bars: schedules until the first failing one, replays and test runs that must all agree, the share of the corpus'
#: defects that is proved, times frontrun's speed.
FIRST_FAILING, AGREEING, LEAST_PROVED, TIMES_FRONTRUN = 10, 20, 0.85, 3.0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=absolute, default=default_bin(), help="the analyser (default: target/release/racewalk)")
    parser.add_argument("--bench", type=absolute, default=BENCH,
                        help="where downloads go (default: .bench in the project)")
    parser.add_argument("--python", default=sys.executable, help="the Python that runs the code (default: this one)")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("specimens").add_argument("directory", type=absolute)
    commands.add_parser("corpus")
    realbugs = commands.add_parser("realbugs")
    realbugs.add_argument("places", type=absolute)
    realbugs.add_argument("trees", type=absolute)
    commands.add_parser("packages")
    speed = commands.add_parser("speed")
    speed.add_argument("--seconds", type=float, default=2.0, help="for each case and mode (default: 2)")
    options = parser.parse_args()
    return {"specimens": prove_specimens, "corpus": prove_corpus, "realbugs": prove_realbugs, "packages": prove_packages,
            "speed": compare_speed}[options.command](options)


def prove(options, directory, what, *arguments):
    """What the command says of a finding, place or path, and the seconds that it took."""
    command = [options.bin, "prove", what, "--yes", "--output-format", "json", "--python", options.python, *arguments]
    began = time.monotonic()
    done = subprocess.run([str(word) for word in command], cwd=directory, capture_output=True, text=True, timeout=900)
    if done.returncode == 2:
        raise SystemExit(f"{what}: {done.stderr}")
    return json.loads(done.stdout)["proofs"], time.monotonic() - began


def run_runtime(python, plan, *arguments):
    """The runtime's own verdict on a plan, and the seconds that it took."""
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "plan.json")
        pathlib.Path(path).write_text(json.dumps(plan))
        began = time.monotonic()
        done = subprocess.run([python, "-m", "racewalk_runtime", path, *map(str, arguments)], capture_output=True,
                              text=True, env=dict(os.environ, PYTHONPATH=str(RUNTIME)), timeout=300)
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout), time.monotonic() - began


def runs_that_fail(python, test):
    code = ("import runpy, sys\nfor name, value in runpy.run_path(sys.argv[1]).items():\n"
            "    if name.startswith('test_'): value()")
    return sum(subprocess.run([python, "-c", code, str(test)], capture_output=True).returncode != 0
               for _ in range(AGREEING))


def asynchronous_functions(file):
    """The first line of each asynchronous function of a file."""
    return [node.lineno for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.AsyncFunctionDef)]


# Specimens

def prove_specimens(options):
    """One line for each expected finding, and one for each fixed version."""
    if not (options.directory / "expected.toml").is_file():
        say(f"{options.directory} has no expected.toml: nothing to do")
        return 0
    import tomllib
    specimens = tomllib.loads((options.directory / "expected.toml").read_text())["specimen"]
    wanted = proved = 0
    for specimen in specimens:
        file = options.directory / specimen["path"]
        for expected in specimen.get("expect", []):
            if expected["rule"] in RULES and file.suffix == ".py":
                wanted += 1
                proved += specimen_is_proved(options, file, expected)
    print(f"{proved} of {wanted} as they should be")
    return 0 if proved == wanted else 1


def specimen_is_proved(options, file, expected):
    with tempfile.TemporaryDirectory() as directory:
        tree = pathlib.Path(directory) / "tree"
        tree.mkdir()
        for neighbour in file.parent.glob(file.stem + "*.py"):
            shutil.copy(neighbour, tree)
        test = tree / "test_it.py"
        proofs, seconds = prove(options, tree, file.name, "--select", expected["rule"], "--replays", AGREEING,
                                "--write-test", test)
        proofs = [proof for proof in proofs if proof["subject"]["line"] in expected["lines"]]
        if not proofs:
            print(f"{file.stem} {expected['rule']}: no finding")
            return False
        proof = proofs[0]
        print(f"{file.stem} {expected['rule']}: {told(proof)}, {seconds:.2f} s")
        good = proof["verdict"] == "proved" and proof["first_failing"] <= FIRST_FAILING
        if proof["verdict"] == "proved":
            failures = runs_that_fail(options.python, test) if test.exists() else 0
            print(f"    its test fails in {failures} of {AGREEING} runs")
            good = good and failures == AGREEING
        for fixed in sorted(tree.glob(file.stem + "_fixed*.py")):
            good = fixed_is_clean(options, tree, file, fixed, expected["rule"], proof, test) and good
        return good


def told(proof):
    if proof["verdict"] != "proved":
        return f"{proof['verdict']}: {proof['message']}"
    return f"proved, {proof['kind']} at schedule {proof['first_failing']}, replayed {proof['replayed']} times"


def fixed_is_clean(options, tree, file, fixed, rule, proof, test):
    """The fixed version in the place of the other one: is it a fix, does the test pass; and what a run says of it alone."""
    name = proof["targets"][0].rpartition(":")[2]
    here, there = name.split("."), owner_and_method(fixed, name.rpartition(".")[2])
    line = next(line for line, function in named_functions(fixed) if function == there[-1])
    alone, _ = prove(options, tree, f"{fixed.name}:{line}", "--hint", f"rule={rule}")
    said = f"    {fixed.stem}: {alone[0]['verdict']}: {alone[0]['message']}"
    clean = alone[0]["verdict"] == "no-violation"
    if len(here) == len(there):
        changed = tree.parent / fixed.stem
        changed.mkdir()
        alias = f"\n{here[0]} = {there[0]}\n" if len(here) > 1 and here[0] != there[0] else ""
        (changed / file.name).write_text(fixed.read_text() + alias)
        proofs, _ = prove(options, tree, file.name, "--select", rule, "--against", changed)
        fix = next(one for one in proofs if one["subject"] == proof["subject"])["fix"]
        said += f"; as a change: {fix['verdict']}"
        clean = clean and fix["verdict"] == "fixed"
        if test.exists():
            shutil.copy(test, changed)
            failures = runs_that_fail(options.python, changed / test.name)
            said += f", the test passes in {AGREEING - failures} of {AGREEING} runs"
            clean = clean and not failures
    print(said)
    return clean


def named_functions(file):
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return [(node.lineno, node.name) for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, functions)]


def owner_and_method(file, name):
    """The function's qualified name, in parts: a fixed version may have it in a class of another name."""
    for node in ast.parse(file.read_text()).body:
        if isinstance(node, ast.ClassDef) and name in [item.name for item in node.body if hasattr(item, "name")]:
            return [node.name, name]
    return [name]


# The corpus

def prove_corpus(options):
    """Defects from what `check --strict` finds, else from the place alone; correct code from both, under the rule of its case."""
    defects, correct = sorted(CASES.glob("defective/*.py")), sorted(CASES.glob("correct/*.py"))
    proved = [defect_is_proved(options, case) for case in defects]
    wrong = sum(correct_is_proved(options, case) for case in correct)
    found = len(proved) - proved.count(None)
    print(f"{found} of {len(defects)} defects proved, {proved.count('finding')} of them from a finding, the others (where there "
          f"is none) from the place; {wrong} of {len(correct)} proved wrongly")
    return 0 if found >= LEAST_PROVED * len(defects) and not wrong else 1


def defect_is_proved(options, case):
    with tempfile.TemporaryDirectory() as directory:
        tree = pathlib.Path(directory)
        shutil.copy(case, tree)
        test = tree / "test_it.py"
        wanted = ("--replays", AGREEING, "--write-test", test)
        proofs, seconds = prove(options, tree, case.name, "--strict", *wanted)
        how = "finding"
        best = next((proof for proof in proofs if proof["verdict"] == "proved"), None)
        if best is None:
            how = "place"
            for line in asynchronous_functions(case):
                found, _ = prove(options, tree, f"{case.name}:{line}", *wanted)
                best = next((proof for proof in found if proof["verdict"] == "proved"), best)
        if best is None:
            said = [told(proof) for proof in proofs] or ["no finding"]
            print(f"{case.stem}: not proved: {'; '.join(said)}")
            return None
        rule = short(best["subject"].get("rule") or "no rule")
        line = f"{case.stem}: by its {how} ({rule}): {told(best)}, {seconds:.2f} s"
        if test.exists():
            line += f"; its test fails in {runs_that_fail(options.python, test)} of {AGREEING} runs"
            correct = CASES / "correct" / case.name
            if correct.exists():
                shutil.copy(correct, tree)
                line += f", passes in {AGREEING - runs_that_fail(options.python, test)} with the correct version"
        else:
            line += f"; no test: {best['tests'][0]['problem']}"
        print(line)
        return how


def correct_is_proved(options, case):
    rule = short(json.loads(case.with_suffix(".json").read_text()).get("finding", {}).get("rule") or "")
    proofs, _ = prove(options, case.parent, case.name, "--strict")
    hints = ("--hint", f"rule={rule}") if rule else ()
    for line in asynchronous_functions(case):
        found, _ = prove(options, case.parent, f"{case.name}:{line}", *hints)
        proofs += found
    wrong = [proof for proof in proofs if proof["verdict"] == "proved"]
    clean = sum(proof["verdict"] == "no-violation" for proof in proofs)
    print(f"{case.stem}, correct: {clean} of {len(proofs)} without a violation" + "".join(
        f"; PROVED {proof['subject']['symbol']}: {proof['message']}" for proof in wrong))
    return bool(wrong)


# Real defects

def prove_realbugs(options):
    """One line for each entry: what was found there, and what running it says. Packages are stand-ins where not installed."""
    entries = [json.loads(line) for line in options.places.read_text().splitlines() if line.strip()]
    for entry in entries:
        tree = options.trees / entry["id"]
        if entry["class"] not in CLASSES or not tree.is_dir():
            continue
        near = lambda proof: any(abs(proof["subject"]["line"] - line) <= 2 for line in entry["lines"])
        try:
            proofs, seconds = prove(options, tree, entry["file"], "--strict")
            proofs = [proof for proof in proofs if near(proof)]
            how = "finding"
            if not proofs:
                how = "no finding; place"
                proofs, seconds = prove(options, tree, f"{entry['file']}:{entry['lines'][0]}")
        except (SystemExit, subprocess.TimeoutExpired) as problem:
            print(f"{entry['id']} ({entry['class']}): {str(problem)[:200]}")
            continue
        for proof in proofs:
            rule = short(proof["subject"].get("rule") or "")
            print(f"{entry['id']} ({entry['class']}): {how} {rule}: {told(proof)[:240]}, {seconds:.1f} s")
    return 0


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
