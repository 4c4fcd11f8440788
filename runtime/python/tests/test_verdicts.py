"""Verdicts other than "proved", and what comes with a proof: nothing passes that didn't exercise the finding."""
import importlib.util
import json
import os
import subprocess
import sys
import textwrap
import unittest

from .support import ProjectTest

COUNTER = """
    class Counter:
        def __init__(self, store):
            self.value = 0
            self._store = store

        async def add(self):
            seen = self.value
            await self._store.save()
            self.value = seen + 1
"""
FIXED = """
    class Counter:
        def __init__(self, store):
            self.value = 0
            self._store = store

        async def add(self):
            await self._store.save()
            self.value += 1
"""
PLAN = {"targets": ["app:Counter.add"], "finding": {"rule": "share/lost-update"}}


class Inconclusive(ProjectTest):
    def refuse(self, source, plan, hint, words):
        verdict = self.prove(source, plan)
        self.assertEqual((verdict["verdict"], verdict["hint"]), ("inconclusive", hint), verdict)
        self.assertIn(words, verdict["message"])

    def test_calls_that_raise_at_once(self):
        self.refuse("""
            async def add(box):
                raise KeyError("box")
        """, {"targets": ["app:add"]}, "args", "KeyError: 'box' (app.py:3)")

    def test_real_io_names_the_call(self):
        self.refuse("""
            import socket

            async def resolve():
                socket.getaddrinfo("localhost", 80)
        """, {"targets": ["app:resolve"]}, "stubs", "socket.getaddrinfo (app.py:5: socket.getaddrinfo(")

    def test_real_io_whose_refusal_is_swallowed(self):
        self.refuse("""
            import asyncio

            async def ping():
                try:
                    await asyncio.open_connection("localhost", 80)
                except Exception:
                    pass
        """, {"targets": ["app:ping"]}, "stubs", "loop.create_connection() (app.py:6: await asyncio.open_connection(")

    def test_a_line_that_was_never_reached(self):
        self.refuse("""
            box = {}

            async def put(store, dry=True):
                await store.save()
                if not dry:
                    box["key"] = 1
        """, dict(targets=["app:put"], finding={"path": "app.py", "lines": [7]}), "args", "line 7 of app.py")

    def test_a_stub_that_was_never_awaited(self):
        self.refuse(FIXED, dict(PLAN, stubs=["store.load"]), "stubs", "store.load was never awaited")

    def test_calls_that_wait_for_what_nobody_provides(self):
        self.refuse("""
            import asyncio

            async def take(queue: asyncio.Queue):
                return await queue.get()
        """, {"targets": ["app:take"]}, "targets", "waits for something that no call of the plan provides")

    def test_a_budget_that_is_too_small(self):
        self.refuse(FIXED, dict(PLAN, budget=0.0001), "budget", "is not enough")

    def test_a_difference_that_nobody_asked_about(self):
        self.refuse("""
            class Gauge:
                def __init__(self, work):
                    self.now = self.peak = 0
                    self._work = work

                async def add(self):
                    self.now += 1
                    self.peak = max(self.peak, self.now)
                    await self._work()
                    self.now -= 1
        """, {"targets": ["app:Gauge.add"], "finding": {"rule": "lost-update"}}, "finding.cells", "peak=2")


class NotRunnable(ProjectTest):
    def refuse(self, source, plan, words):
        verdict = self.prove(source, plan)
        self.assertEqual(verdict["verdict"], "not-runnable", verdict)
        self.assertIn(words, verdict["message"])

    def test_modules_that_cannot_be_loaded(self):
        self.refuse("raise OSError('no settings')", PLAN, "loading app: OSError: no settings (app.py:1)")

    def test_names_that_are_not_there(self):
        self.refuse(COUNTER, {"targets": ["app:Counter.remove"]}, "app has no Counter.remove")

    def test_receivers_that_cannot_be_made(self):
        self.refuse("""
            class Box:
                def __init__(self):
                    raise ValueError("no box")

                async def put(self):
                    pass
        """, {"targets": ["app:Box.put"]}, "receiver: Box() raised ValueError: no box")

    def test_plans_that_cannot_be_read(self):
        self.write("app.py", COUNTER)
        path = self.write("plan.json", json.dumps({"targets": ["app:Counter.add"], "buget": 3}))
        done = subprocess.run([sys.executable, "-m", "racewalk_runtime", path], capture_output=True, text=True,
                              check=False, env=dict(os.environ, PYTHONPATH=os.path.dirname(os.path.dirname(__file__))))
        self.assertEqual(done.returncode, 2)
        self.assertIn("buget: unknown field", done.stderr)


class Confinement(ProjectTest):
    def test_the_verdict_says_what_could_be_had(self):
        confined = self.prove(COUNTER, PLAN, "--confine")["confined"]
        self.assertEqual(set(confined), {"memory", "network"})
        self.assertTrue(confined["memory"] or os.name != "posix")

    def test_modules_write_in_the_project_and_nowhere_else(self):
        outside = os.path.join(os.path.expanduser("~"), "racewalk-was-here")
        loads = "open(%%r, 'w').close()\n%s" % textwrap.dedent(COUNTER)
        verdict = self.prove(loads % outside, PLAN)
        self.assertEqual(verdict["verdict"], "not-runnable")
        self.assertIn("PermissionError", verdict["message"])
        self.assertFalse(os.path.exists(outside))
        self.assertEqual(self.prove(loads % os.path.join(self.root, "cache"), PLAN)["verdict"], "proved")

    def test_what_a_module_tries_when_it_is_loaded_is_no_part_of_a_call(self):
        self.write("optional.py", "import socket\ntry:\n    socket.socket().bind(('127.0.0.1', 0))\nexcept Exception:\n    pass\n")
        verdict = self.prove("async def f():\n    import optional\n    return optional\n", {"targets": ["app:f"]})
        self.assertEqual(verdict["verdict"], "no-violation")

    def test_a_database_in_a_file_is_outside_and_one_in_memory_is_not(self):
        source = "import sqlite3\nasync def f():\n    sqlite3.connect(%r).close()\n"
        plan = {"targets": ["app:f"]}
        self.assertEqual(self.prove(source % ":memory:", plan)["verdict"], "no-violation")
        self.assertIn("sqlite3.connect", self.prove(source % "a.db", plan)["message"])
        self.assertFalse(os.path.exists(os.path.join(self.root, "a.db")))

    def test_what_reaches_outside_is_named_line_by_line(self):
        source = """
            import socket

            async def look_up(host):
                return ask(host)

            def ask(host):
                return socket.getaddrinfo(host, 80)
        """
        verdict = self.prove(source, {"targets": ["app:look_up"]})
        self.assertEqual((verdict["verdict"], verdict["hint"]), ("inconclusive", "stubs"))
        self.assertEqual(verdict["outside"], [{"path": "app.py", "line": 5}, {"path": "app.py", "line": 8}])


class WhatIsCompared(ProjectTest):
    def test_no_task_makes_no_pass_for_a_finding_about_tasks(self):
        source = """
            import asyncio

            async def tell(client, loop):
                asyncio.run_coroutine_threadsafe(client.send(), loop)
        """
        verdict = self.prove(source, {"targets": ["app:tell"],
                                      "finding": {"rule": "floating-task", "path": "app.py", "lines": [5]}})
        self.assertEqual(verdict["verdict"], "inconclusive", verdict["message"])

    def test_lines_of_a_module_that_was_not_loaded_make_no_pass(self):
        self.write("other.py", COUNTER)
        verdict = self.prove("async def f():\n    return 1\n",
                             {"targets": ["app:f"], "finding": {"path": "other.py", "lines": [3]}})
        self.assertEqual((verdict["verdict"], verdict["hint"]), ("inconclusive", "args"))

    def test_state_that_nobody_named_makes_no_pass(self):
        source = """
            import asyncio

            stock = {"pen": 1}

            def take(seen):
                stock["pen"] = seen - 1

            async def sell():
                seen = stock["pen"]
                await asyncio.sleep(0)
                take(seen)
        """
        verdict = self.prove(source, {"targets": ["app:sell"]})
        self.assertEqual((verdict["verdict"], verdict["hint"]), ("inconclusive", "finding.cells"))


class Loading(ProjectTest):
    def test_stand_ins_are_bases_paths_and_versions(self):
        source = """
            import importlib.metadata
            import pathlib

            import nowhere

            Base = nowhere.Base
            nowhere_is = importlib.metadata.version("nowhere-at-all")
            place = pathlib.Path(nowhere.settings()) / nowhere.directory
            words = nowhere.words
            words += ("more",)
            major = int(nowhere.__version__.split(".")[0])

            class Handler(Base["argument"]):
                def __init__(self):
                    self.count = 0
                    self.configure(level=3)

                async def handle(self):
                    before = self.count
                    await self.emit("x")
                    self.count = before + 1
        """
        verdict = self.prove(source, {"targets": ["app:Handler.handle"], "finding": {"rule": "lost-update"}})
        self.assertEqual((verdict["verdict"], verdict["missing_packages"]), ("proved", ["nowhere"]))

    def test_loops_at_module_level_do_not_start_and_missing_packages_are_replaced(self):
        verdict = self.prove("""
            import asyncio
            from absent_package.web import App, NotThereError
            from absent_package.base import Model

            app = App()
            value = 0

            class Item(Model):
                name: str = "item"

            @app.get("/add")
            async def add(item: Item):
                global value
                seen = value
                try:
                    await app.save(item.name)
                except NotThereError:
                    return
                value = seen + 1

            async def main():
                raise SystemExit("the loop was started")

            asyncio.run(main())
            asyncio.new_event_loop().run_until_complete(main())
        """, {"targets": ["app:add"], "finding": {"rule": "lost-update"}})
        self.assertEqual(verdict["verdict"], "proved", verdict)
        self.assertEqual(verdict["missing_packages"], ["absent_package"])
        self.assertEqual(verdict["message"], "value is 1; one call after the other, it is 2")


class Proof(ProjectTest):
    def test_the_timeline_has_lines_and_values(self):
        verdict = self.prove(COUNTER, PLAN)
        self.assertEqual((verdict["verdict"], verdict["kind"]), ("proved", "state"))
        lines = [step for step in verdict["timeline"] if "source" in step]
        self.assertEqual([step["call"] for step in lines], ["A", "A", "B", "B", "A", "B"])
        self.assertEqual(lines[0]["sees"], {"self.value": "0"})
        self.assertEqual(lines[0]["source"], "seen = self.value")
        self.assertEqual(lines[-2]["changes"], [{"cell": "self.value", "before": "0", "after": "1"}])
        self.assertEqual(verdict["timeline"][0], {"does": "call A arrives", "call": "A", "at": 0.0})

    def test_bounds_are_told_when_nothing_is_found(self):
        verdict = self.prove(FIXED, PLAN)
        self.assertEqual(verdict["verdict"], "no-violation", verdict)
        self.assertEqual((verdict["exhaustive"], verdict["exhaustive_calls"]), (True, 3))
        self.assertTrue(all(phase["schedules"] > 0 for phase in verdict["explored"]))

    def test_a_fix_is_told_from_what_is_none(self):
        self.write("fixed/app.py", FIXED)
        self.write("same/app.py", COUNTER)
        self.write("other/app.py", FIXED.replace("+= 1", "+= 2"))
        expected = {"fixed": "fixed", "same": "still-wrong", "other": "changed-behaviour"}
        found = {name: self.prove(COUNTER, PLAN, "--against", os.path.join(self.root, name))["fix"]["verdict"]
                 for name in expected}
        self.assertEqual(found, expected)

    def test_traces(self):
        paths = {form: os.path.join(self.root, "trace." + form) for form in ("text", "json", "perfetto")}
        self.prove(COUNTER, PLAN, *("--trace=%s=%s" % item for item in paths.items()))
        with open(paths["text"], encoding="utf-8") as file:
            self.assertIn("changes self.value 0 -> 1  (app.py:", file.read())
        with open(paths["json"], encoding="utf-8") as file:
            self.assertEqual(json.load(file)["accesses"][0]["object"], "self.value")
        with open(paths["perfetto"], encoding="utf-8") as file:
            events = json.load(file)["traceEvents"]
        self.assertEqual([event["args"]["name"] for event in events if event["ph"] == "M"], ["call A", "call B"])

    def test_a_module_level_lock_works_on_both_loops(self):
        verdict = self.prove("""
            import asyncio

            guard = asyncio.Lock()
            value = 0

            async def add(store):
                global value
                seen = value
                async with guard:
                    await store.save()
                    value = seen + 1
        """, {"targets": ["app:add"], "finding": {"rule": "lost-update"}})
        self.assertEqual(verdict["verdict"], "proved", verdict)


class Values(ProjectTest):
    def test_an_object_is_made_with_the_callbacks_that_it_awaits(self):
        source = """
            import typing

            class Pool:
                def __init__(self, connect: typing.Optional[typing.Callable[[float], typing.Awaitable[int]]] = None):
                    self.connection = None
                    self._connect = connect

                async def get(self):
                    if self.connection is None:
                        if self._connect is None:
                            raise NotImplementedError
                        self.connection = await self._connect(1.0)
                    return self.connection
        """
        verdict = self.prove(source, {"targets": ["app:Pool.get"], "finding": {"rule": "stampede"}})
        self.assertEqual(verdict["verdict"], "proved", verdict["message"])

    def test_a_number_is_enough_for_one_call_and_not_for_two(self):
        source = """
            class Wallet:
                def __init__(self, ledger, most=40):
                    self.balance = most
                    self._ledger = ledger

                async def pay(self, amount):
                    if self.balance >= amount:
                        await self._ledger.record(amount)
                        self.balance -= amount
        """
        plan = {"targets": ["app:Wallet.pay"], "finding": {"rule": "check-then-act"}}
        verdict = self.prove(source, plan)
        self.assertEqual((verdict["verdict"], verdict["calls"][0]["arguments"]), ("proved", {"amount": "40"}))
        harmless = source.replace("if self.balance >= amount:", "if amount > 0:")
        called = self.prove(harmless.replace("self.balance -= amount", "pass"), plan)["called"]
        self.assertEqual(called, ["Wallet.pay(amount=1)", "Wallet.pay(amount=40)"])

    def test_a_default_that_is_no_value_is_a_marker(self):
        source = """
            class Store:
                def __init__(self):
                    self.value = 0

            def store():
                raise AssertionError("a framework calls this")

            async def add(client, to: Store = store):
                seen = to.value
                await client.send()
                to.value = seen + 1
        """
        verdict = self.prove(source, {"targets": ["app:add"], "finding": {"rule": "lost-update"}})
        self.assertEqual(verdict["verdict"], "proved", verdict["message"])

    SOURCE = """
        class Shelf:
            def __init__(self, capacity):
                self.capacity = capacity
                self.books = []

            async def put(self, book, guard, note):
                if len(self.books) < self.capacity:
                    await note(book)
                    self.books.append(book)

            async def clear(self):
                self.books = []

        shared = Shelf(1)
        names = ["b1", "b2"]
    """

    def test_values_of_a_plan(self):
        verdict = self.prove(self.SOURCE, {"targets": [{
            "call": "app:Shelf.put", "times": 2, "receiver": {"new": "app:Shelf", "args": {"capacity": 1}},
            "args": {"book": {"each": ["a", "b"]}, "guard": {"expr": "names[0].upper()"}, "note": {"stub": "pen"}}}]})
        self.assertEqual((verdict["verdict"], verdict["kind"]), ("proved", "state"), verdict)
        self.assertEqual([call["arguments"]["book"] for call in verdict["calls"]], ["'a'", "'b'"])
        self.assertEqual(verdict["calls"][0]["arguments"]["guard"], "'B1'")
        self.assertIn(["io", "A:pen('a')"], verdict["schedule"])

    def test_objects_of_the_project_are_put_back(self):
        verdict = self.prove(self.SOURCE, {"targets": [{"call": "app:Shelf.put", "receiver": {"ref": "app:shared"},
                                                        "args": {"book": {"ref": "app:names"}}}]})
        self.assertEqual(verdict["verdict"], "proved", verdict)
        self.assertIn("one call after the other, it is [['b1', 'b2']]", verdict["message"])

    def test_a_class_stands_for_its_methods_and_their_pairs(self):
        verdict = self.prove("""
            class Box:
                def __init__(self, store):
                    self.items = {}
                    self._store = store

                async def swap(self):
                    items = self.items
                    await self._store.save()
                    self.items = dict(items)

                async def add(self, key="key"):
                    self.items[key] = True
        """, {"targets": ["app:Box"], "finding": {"rule": "lost-update"}})
        self.assertEqual((verdict["verdict"], verdict["bounds"]["calls"]), ("proved", 3), verdict)
        self.assertEqual(sorted(call["function"] for call in verdict["calls"]), ["add", "swap", "swap"])
        verdict = self.prove("""
            class Box:
                def __init__(self, store):
                    self.items = {}
                    self._store = store

                async def swap(self):
                    items = dict(self.items)
                    await self._store.save()
                    self.items = items

                async def add(self, key="key"):
                    self.items[key] = True
        """, {"targets": ["app:Box"], "finding": {"rule": "lost-update"}})
        self.assertEqual((verdict["verdict"], verdict["bounds"]["calls"]), ("proved", 2), verdict)
        self.assertEqual(sorted(call["function"] for call in verdict["calls"]), ["add", "swap"])

    def test_results_of_stubs(self):
        verdict = self.prove("""
            async def stock():
                raise NotImplementedError

            sold = []

            async def sell(log):
                if len(sold) < await stock():
                    await log.note(len(sold))
                    sold.append(1)
        """, {"targets": ["app:sell"], "stubs": [{"call": "app:stock", "result": 1}]})
        self.assertEqual(verdict["verdict"], "proved", verdict)
        self.assertEqual(verdict["message"], "sold is [1, 1]; one call after the other, it is [1]")


#: How often generated tests are run.
TIMES = 3


class Written(ProjectTest):
    """Generated tests, run as a user would run them."""

    VARIANTS = ("regression", "stress") + (("property",) if importlib.util.find_spec("hypothesis") else ())

    def run_file(self, path):
        """As pytest does with plain functions: imports the file and calls its tests."""
        code = ("import runpy, sys\nfor name, value in runpy.run_path(sys.argv[1]).items():\n"
                "    if name.startswith('test_'): value()")
        done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=False)
        return done.returncode, done.stderr

    def generate(self, source, plan, fixed):
        self.write("fixed/app.py", fixed)
        tests = {variant: os.path.join(self.root, "tests", "test_%s.py" % variant) for variant in self.VARIANTS}
        verdict = self.prove(source, plan, "--calls", "200", "--against", os.path.join(self.root, "fixed"),
                             *("--write-test=%s=%s" % item for item in tests.items()))
        self.assertEqual(verdict["fix"]["verdict"], "fixed", verdict["fix"])
        self.assertEqual([test["problem"] for test in verdict["tests"]], [None] * len(tests))
        for path in tests.values():
            for _ in range(TIMES):
                status, said = self.run_file(path)
                self.assertNotEqual(status, 0)
                self.assertIn("AssertionError", said)
        self.write("app.py", fixed)
        for path in tests.values():
            for _ in range(TIMES):
                self.assertEqual(self.run_file(path), (0, ""))

    def test_they_fail_on_the_defect_and_pass_on_the_fix(self):
        self.generate(COUNTER, PLAN, FIXED)

    def test_of_a_leaked_permit(self):
        broken = """
            import asyncio

            class Pool:
                def __init__(self, connect):
                    self._free = asyncio.Semaphore(1)
                    self._connect = connect

                async def query(self):
                    await self._free.acquire()
                    await self._connect()
                    self._free.release()
        """
        fixed = """
            import asyncio

            class Pool:
                def __init__(self, connect):
                    self._free = asyncio.Semaphore(1)
                    self._connect = connect

                async def query(self):
                    async with self._free:
                        await self._connect()
        """
        self.generate(broken, {"targets": ["app:Pool.query"], "finding": {"rule": "permit-leak"}}, fixed)

    def test_of_a_task_that_nobody_holds(self):
        broken = """
            import asyncio

            async def deliver(mailer):
                await mailer.send()

            async def schedule(mailer):
                asyncio.ensure_future(deliver(mailer))
        """
        fixed = """
            import asyncio

            running = set()

            async def deliver(mailer):
                await mailer.send()

            async def schedule(mailer):
                task = asyncio.ensure_future(deliver(mailer))
                running.add(task)
                task.add_done_callback(running.discard)
        """
        self.generate(broken, {"targets": ["app:schedule"], "finding": {"rule": "floating-task"}}, fixed)

    def test_a_cache_that_loads_twice(self):
        broken = """
            cache = {}

            async def get(key: str, load):
                if key not in cache:
                    cache[key] = await load(key)
                return cache[key]
        """
        fixed = """
            import asyncio

            cache = {}
            guard = asyncio.Lock()

            async def get(key: str, load):
                async with guard:
                    if key not in cache:
                        cache[key] = await load(key)
                    return cache[key]
        """
        self.generate(broken, {"targets": ["app:get"], "finding": {"rule": "stampede"}}, fixed)


if __name__ == "__main__":
    unittest.main()
