"""The corpus: defects are proved with their plans as they are, and correct code next to them isn't."""
import concurrent.futures
import glob
import os
import unittest

from .support import run_cli

CASES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "cases")

#: How many of the defects must be proved.
LEAST_PROVED = 0.85


def verdicts(kind):
    plans = sorted(glob.glob(os.path.join(CASES, kind, "*.json")))
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        return dict(zip((os.path.basename(plan) for plan in plans), pool.map(run_cli, plans)))


class Corpus(unittest.TestCase):
    def test_defects_are_proved(self):
        found = verdicts("defective")
        self.assertGreaterEqual(len(found), 20)
        proved = [name for name, verdict in found.items() if verdict["verdict"] == "proved"]
        self.assertGreaterEqual(len(proved), LEAST_PROVED * len(found), sorted(set(found) - set(proved)))
        for name in proved:
            self.assertEqual(found[name]["replayed"], 3, name)
            self.assertTrue(found[name]["timeline"], name)

    def test_correct_code_is_never_proved_wrong(self):
        found = verdicts("correct")
        self.assertGreaterEqual(len(found), 20)
        for name, verdict in found.items():
            self.assertIn(verdict["verdict"], ("no-violation", "inconclusive"), "%s: %s" % (name, verdict))
        clean = [name for name, verdict in found.items() if verdict["verdict"] == "no-violation"]
        self.assertGreaterEqual(len(clean), LEAST_PROVED * len(found))


if __name__ == "__main__":
    unittest.main()
