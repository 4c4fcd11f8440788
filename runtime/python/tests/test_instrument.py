"""The diff that logs accesses: applied, it changes nothing but the log; in reverse, nothing is left of it."""
import os
import subprocess
import sys

from .support import PACKAGE, ProjectTest

SOURCE = '''"""Counts."""
from __future__ import annotations

import asyncio

total = 0


class Counter:
    def __init__(self):
        self.value = 0

    async def add(this, amount=1):
        if this.value > 5:
            return this.value
        elif this.value < -5:
            pass
        seen = this.value
        await asyncio.sleep(0)
        this.value = (seen
                      + amount)
        if amount: this.value += 0
        global total
        total += 1

    def shadow(self):
        total = 3
        return total


async def main():
    counter = Counter()
    await asyncio.gather(counter.add(), counter.add())
    print(counter.value, total)

asyncio.run(main())'''


class Instrument(ProjectTest):
    def run_python(self, *arguments):
        environment = dict(os.environ, PYTHONPATH=PACKAGE)
        return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, cwd=self.root, check=False,
                              env=environment)

    def apply(self, *options):
        return subprocess.run(["git", "apply", *options, "it.patch"], cwd=self.root, capture_output=True, text=True,
                              check=False, env=dict(os.environ, GIT_CEILING_DIRECTORIES=os.path.dirname(self.root)))

    def test_there_and_back(self):
        path = os.path.join(self.root, "app.py")
        with open(path, "w", encoding="utf-8", newline="") as file:
            file.write(SOURCE)
        done = self.run_python("-m", "racewalk_runtime.instrument", "app.py", "app.py", "self.value", "total")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.write("it.patch", "")
        with open(os.path.join(self.root, "it.patch"), "w", encoding="utf-8", newline="") as file:
            file.write(done.stdout)
        applied = self.apply()
        self.assertEqual(applied.returncode, 0, applied.stderr)
        ran = self.run_python("app.py")
        self.assertEqual(ran.stdout, "1 2\n", ran.stderr)
        logged = [line.split(": ", 1)[1] for line in ran.stderr.splitlines()]
        for line in ("app.py:18 Task-2: this.value is 0", "app.py:18 Task-3: this.value is 0",
                     "app.py:20 Task-2: this.value 0 -> 1", "app.py:20 Task-3: this.value stays 1",
                     "app.py:24 Task-2: total 0 -> 1", "app.py:24 Task-3: total 1 -> 2"):
            self.assertIn(line, logged)
        self.assertNotIn("app.py:27", ran.stderr, "a local of the same name is another thing")
        self.assertEqual(self.apply("-R").returncode, 0)
        with open(path, encoding="utf-8", newline="") as file:
            self.assertEqual(file.read(), SOURCE)

    def test_nothing_touches_it(self):
        self.write("app.py", "async def f():\n    pass\n")
        done = self.run_python("-m", "racewalk_runtime.instrument", "app.py", "app.py", "self.value")
        self.assertEqual((done.returncode, done.stdout), (1, ""))
