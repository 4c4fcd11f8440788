"""The decorator for one's own tests, and the pytest plugin."""
import asyncio
import importlib.util
import os
import subprocess
import sys
import unittest

from racewalk_runtime import NotExplored, ScheduleError, explore, fake, overlap

from .support import PACKAGE, ProjectTest


class Counter:
    def __init__(self):
        self.value = 0
        self.store = fake("store")

    async def torn(self):
        seen = self.value
        await self.store.save(seen)
        self.value = seen + 1

    async def whole(self):
        await self.store.save()
        self.value += 1


class Decorator(unittest.TestCase):
    def test_a_failing_schedule_is_shown_and_can_be_replayed(self):
        async def check():
            counter = Counter()
            await overlap(counter.torn(), counter.torn())
            assert counter.value == 2

        with self.assertRaises(ScheduleError) as caught:
            explore(check)()
        self.assertIn("store.save(0) completes", str(caught.exception))
        with self.assertRaises(ScheduleError):
            explore(check, replay=caught.exception.schedule)()

    def test_a_correct_test_passes_over_all_schedules(self):
        runs = []

        @explore(complete=True)
        async def check():
            counter = Counter()
            await overlap(counter.whole(), counter.whole())
            runs.append(counter.value)
            assert counter.value == 2

        check()
        self.assertGreater(len(runs), 1)

    def test_a_budget_that_is_too_small_is_told_when_asked(self):
        @explore(budget=0.0, complete=True)
        async def check():
            counter = Counter()
            await overlap(*(counter.whole() for _ in range(4)))

        with self.assertRaises(NotExplored):
            check()

    def test_a_test_that_hangs_fails(self):
        @explore
        async def check():
            await asyncio.Event().wait()

        with self.assertRaisesRegex(ScheduleError, "never ends"):
            check()

    def test_faults_are_injected(self):
        @explore(faults=1, errors=(OSError,))
        async def check():
            await fake("store").save()

        with self.assertRaisesRegex(ScheduleError, "OSError"):
            check()

    def test_fakes_are_for_explored_tests(self):
        with self.assertRaises(RuntimeError):
            fake("store")


@unittest.skipUnless(importlib.util.find_spec("pytest"), "pytest isn't installed")
class Plugin(ProjectTest):
    def test_marked_tests_are_explored(self):
        path = self.write("test_marked.py", """
            import pytest
            from racewalk_runtime import fake, overlap

            async def torn(box):
                seen = box[0]
                await fake("store").save()
                box[0] = seen + 1

            @pytest.mark.explore(budget=1)
            async def test_torn():
                box = [0]
                await overlap(torn(box), torn(box))
                assert box[0] == 2

            @pytest.mark.explore(complete=True)
            async def test_alone():
                box = [0]
                await torn(box)
                assert box[0] == 1
        """)
        environment = dict(os.environ, PYTHONPATH=PACKAGE)
        done = subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "racewalk_runtime.pytest_plugin", "-p",
                               "no:cacheprovider", path], capture_output=True, text=True, env=environment, check=False)
        self.assertIn("1 failed, 1 passed", done.stdout)
        self.assertIn("ScheduleError", done.stdout)


if __name__ == "__main__":
    unittest.main()
