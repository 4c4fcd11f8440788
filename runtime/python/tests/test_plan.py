"""Plans are read strictly, and cells as they are written."""
import unittest

from racewalk_runtime import cells
from racewalk_runtime.plan import PlanError, parse


class Parsing(unittest.TestCase):
    def test_the_smallest_plan(self):
        plan = parse({"targets": ["app:f"]})
        self.assertEqual((plan.targets[0].call, plan.targets[0].times, plan.budget), ("app:f", 1, 2.0))
        self.assertNotIn("swallowed-cancellation", plan.kinds())

    def test_a_rule_says_which_kinds_count(self):
        self.assertEqual(parse({"targets": ["app:f"], "finding": {"rule": "bound/permit-leak"}}).kinds(),
                         ("permit-leak", "deadlock"))

    def test_mistakes_are_named(self):
        for data, words in (
                ([], "a plan is an object"),
                ({}, "targets: at least one"),
                ({"targets": ["f"]}, r"targets\[0\]: MODULE:NAME"),
                ({"targets": ["a:f"], "version": 2}, "version"),
                ({"targets": ["a:f"], "finding": {"line": 3}}, "finding.line: unknown field"),
                ({"targets": ["a:f"], "finding": {"lines": 3}}, "finding.lines: "),
                ({"targets": [{"call": "a:f", "times": True}]}, "times: int is expected"),
                ({"targets": ["a:f"], "oracles": ["races"]}, "oracles: 'races'"),
                ({"targets": ["a:f"], "policy": "random"}, "policy"),
                ({"targets": ["a:f"], "bounds": {"calls": [9]}}, "bounds.calls"),
                ({"targets": ["a:f"], "bounds": {"early": [-1]}}, "bounds.early")):
            with self.assertRaisesRegex(PlanError, words):
                parse(data)


class Cells(unittest.TestCase):
    def test_steps(self):
        cell = cells.parse("self.pool['key'].size")
        self.assertEqual(cell.steps, (("attribute", "pool"), ("key", "key"), ("attribute", "size")))
        self.assertEqual(cells.parse("app:sessions[*].x").steps, ())
        self.assertIs(cell.value({"self": object()}.get), cells.MISSING)

    def test_cells_that_are_torn(self):
        self.assertEqual(cells.torn([replaced, asked, appended, whole, compensated]), ["STATE", "QUEUE"])


STATE = {}
QUEUE = []
LOG = []


async def replaced(store):
    seen = STATE.get("key")
    await store.save()
    STATE["key"] = seen


async def asked(store):
    if not QUEUE:
        await store.save()
        QUEUE.append(1)


async def appended(store):
    LOG.append(1)
    await store.save()
    LOG.append(2)


async def whole(store):
    await store.save()
    if not LOG:
        LOG.append(3)


async def compensated(store):
    if not LOG:
        LOG.append(4)
        try:
            await store.save()
        except Exception:
            LOG.remove(4)
            raise


if __name__ == "__main__":
    unittest.main()
