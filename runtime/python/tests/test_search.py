"""Pruning is sound: it never hides an outcome that the plain search finds."""
import asyncio
import itertools
import unittest

from racewalk_runtime.exploring import Exploration, fake, overlap
from racewalk_runtime.schedule import Bounds, Call, Execution
from racewalk_runtime.search import DepthFirst, Script, minimise, usual


def explored(function, pruning):
    """The outcomes over all schedules, and how many schedules were run."""
    found = set()

    async def run():
        found.add(await function())

    exploration = Exploration(run, Bounds(), ())
    runs = 0
    with exploration.exploring():
        search = DepthFirst(exploration.key if pruning else lambda _options, _execution: None)
        while True:
            search.begin()
            exploration.execute(search)
            runs += 1
            if not search.advance():
                return found, runs, search.opaque


class Pruning(unittest.TestCase):
    def same(self, function):
        plain, _, _ = explored(function, False)
        pruned, _, opaque = explored(function, True)
        self.assertEqual(plain, pruned)
        return plain, opaque

    def test_values_on_the_stack_are_part_of_a_state(self):
        async def run():
            box = {"total": 0}

            async def add(number):
                box["total"] = box["total"] + (await fake("io").get(number) and 1)

            await overlap(add(0), add(1))
            return box["total"]

        found, _ = self.same(run)
        self.assertEqual(found, {1, 2})

    def test_positions_of_iterators_are_part_of_a_state(self):
        async def run():
            got = []

            async def walk(name):
                for number in [1, 2]:
                    await fake("io").get(name, number)
                    got.append(name)

            await overlap(walk("a"), walk("b"))
            return "".join(got)

        found, opaque = self.same(run)
        self.assertEqual(len(found), 6)
        self.assertEqual(opaque, 0)

    def test_numbers_that_hash_alike_differ(self):
        async def run():
            box = [0]

            async def put(value):
                await fake("io").get(value)
                box[0] = value

            await overlap(put(-1), put(-2))
            await fake("io").end()
            return box[0]

        self.assertEqual(self.same(run)[0], {-1, -2})

    def test_who_waits_for_which_lock_first_is_part_of_a_state(self):
        async def run():
            lock, order = asyncio.Lock(), []

            async def enter(name):
                async with lock:
                    await fake("io").get(name)
                    order.append(name)

            await overlap(enter("a"), enter("b"), enter("c"))
            return "".join(order)

        self.assertEqual(self.same(run)[0], {"".join(order) for order in itertools.permutations("abc")})

    def test_generators_are_looked_into(self):
        async def run():
            def numbers():
                yield from (1, 2)

            shared, got = numbers(), []

            async def take(name):
                await fake("io").get(name)
                got.append((name, next(shared)))

            await overlap(take("a"), take("b"))
            return tuple(sorted(got))

        found, opaque = self.same(run)
        self.assertEqual(len(found), 2)
        self.assertEqual(opaque, 0)

    def test_pruning_saves_runs(self):
        async def run():
            async def steps(name):
                for number in range(3):
                    await fake("io").get(name, number)

            await overlap(steps("a"), steps("b"))
            return True

        self.assertLess(explored(run, True)[1] * 2, explored(run, False)[1])


class Choosing(unittest.TestCase):
    def test_the_usual_comes_first(self):
        self.assertEqual(usual([("fail", "x"), ("io", "x"), ("run", "")]), 2)
        self.assertEqual(usual([("cancel", "A")]), 0)

    def test_minimise_drops_what_is_not_needed(self):
        trace = [("start", "A"), ("fail", "x"), ("run", ""), ("cancel", "A"), ("run", "")]

        def still_fails(script):
            return script if ("cancel", "A") in script else None

        self.assertEqual(minimise(trace, still_fails, range(5)), [("cancel", "A")])

    def test_a_script_says_what_it_could_not_do(self):
        script = Script([("start", "A"), ("io", "nowhere"), ("run", "")])
        exploration = Exploration(lambda: asyncio.sleep(0), Bounds(), ())
        with exploration.exploring():
            calls = [Call("A", lambda: asyncio.sleep(0), 0), Call("B", lambda: asyncio.sleep(0), 1)]
            execution = Execution(exploration.loop, calls, script, Bounds(), serial=False).run()
        self.assertEqual(execution.status, "done")
        self.assertEqual(script.unmet, [("io", "nowhere")])


if __name__ == "__main__":
    unittest.main()
