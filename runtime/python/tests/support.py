"""What the tests share: projects in temporary directories, and runs of the command line."""
import json
import os
import subprocess
import sys
import tempfile
import textwrap
import unittest

PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def run_cli(*arguments, seconds=120):
    """The verdict that the command line prints."""
    environment = dict(os.environ, PYTHONPATH=PACKAGE)
    done = subprocess.run([sys.executable, "-m", "racewalk_runtime", *arguments], capture_output=True, text=True,
                          env=environment, timeout=seconds, check=False)
    if done.returncode != 0:
        raise AssertionError(done.stderr)
    return json.loads(done.stdout)


class ProjectTest(unittest.TestCase):
    """Has a directory with the files that a test writes."""

    def setUp(self):
        self._directory = tempfile.TemporaryDirectory()
        self.addCleanup(self._directory.cleanup)
        self.root = self._directory.name

    def write(self, name, source):
        path = os.path.join(self.root, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(textwrap.dedent(source))
        return path

    def prove(self, source, plan, *arguments):
        """Writes `app.py` and a plan, and runs it."""
        self.write("app.py", source)
        path = self.write("plan.json", json.dumps(plan))
        return run_cli(path, *arguments)
