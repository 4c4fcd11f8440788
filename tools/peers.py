#!/usr/bin/env python3
"""How many known defects the peers find, beside ours.

usage: peers.py PLACES.jsonl TREES [--only REGEX] [--tools a,b]

PLACES has one JSON object a line with `id` (a directory of TREES), `file` and `lines` (and, if it likes, `class`). A tool has
found an entry when one of its diagnostics about asynchronous code starts within two lines of a named line. Peers that
work a file at a time get the named file, the others too, with the tree as their project (they follow its imports).
The tools are installed from PyPI into .bench; one that cannot be is said to be missing. Dependencies of the trees are
not installed, which costs the type checkers some.
"""
import argparse
import collections
import json
import os
import re
import subprocess
import tempfile

from _common import absolute, add_common_arguments, check, clean_path, installed, say, table

ABOUT_ASYNC = re.compile(r"corou?tine|await|async|event loop|RUF006|RUF029|ASYNC\d|unused-coroutine", re.I)
PLACE = re.compile(r"^(?P<path>[^:\n]+\.py):(?P<line>\d+):(?:\d+:)?(?P<text>.*)$", re.M)
NEAR = 2


def ruff(command, tree, file):
    return [command, "check", "--isolated", "--no-cache", "--preview", "--select", "ASYNC,RUF006,RUF029", "--output-format", "concise", file]


def flake8(command, tree, file):
    return [command, "--isolated", "--select", "ASYNC", "-j1", file]


def ty(command, tree, file):
    return [command, "check", "--project", ".", "--output-format", "concise", "--color", "never", "--warn", "unused-awaitable", "--exit-zero", file]


def pyright(command, tree, file):
    return [command, "--level", "warning", file]


def mypy(command, tree, file):
    return [command, "--ignore-missing-imports", "--no-error-summary", "--check-untyped-defs", "--enable-error-code", "unused-awaitable",
            "--explicit-package-bases", "--cache-dir", os.path.join(tempfile.gettempdir(), "peers-mypy"), file]


PEERS = {
    "ruff": (ruff, "ruff", ["ruff==0.17.5"]),
    "flake8-async": (flake8, "flake8", ["flake8-async", "flake8"]),
    "ty": (ty, "ty", ["ty==0.0.104"]),
    "pyright": (pyright, "pyright", ["pyright[nodejs]"]),
    "mypy": (mypy, "mypy", ["mypy"]),
}


def main():
    args = arguments()
    entries = [e for e in map(json.loads, filter(str.strip, args.places.read_text().splitlines()))
               if re.search(args.only, e["id"]) and (args.trees / e["id"]).is_dir()]
    found = {"racewalk": [e["id"] for e in entries if is_near(e, ours(args, e))]} if args.bin.exists() else {}
    for name in args.tools:
        try:
            command = installed(args.bench, PEERS[name][1], *PEERS[name][2])
        except subprocess.CalledProcessError:
            say(f"{name} cannot be installed here")
            continue
        say(f"{name} …")
        found[name] = [e["id"] for e in entries if is_near(e, theirs(PEERS[name][0], command, args, e))]
    report(entries, found, args)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("places", type=absolute)
    parser.add_argument("trees", type=absolute)
    parser.add_argument("--only", default=".", help="only entries whose id matches")
    parser.add_argument("--tools", type=lambda t: t.split(","), default=list(PEERS), help=f"of {','.join(PEERS)}")
    parser.add_argument("--timeout", type=float, default=300, help="seconds a run (default: 300)")
    parser.add_argument("--markdown", action="store_true", help="print a Markdown table")
    parser.add_argument("--verbose", action="store_true", help="print what each tool found")
    add_common_arguments(parser)
    return parser.parse_args()


def ours(args, entry):
    """Places of our findings."""
    try:
        findings = check(args.bin, args.trees / entry["id"], timeout=args.timeout)["findings"]
    except (RuntimeError, subprocess.TimeoutExpired) as why:
        say(f"racewalk on {entry['id']}: {why}")
        return []
    return [(clean_path(f["path"]), f["range"]["start"]["line"]) for f in findings]


def theirs(build, command, args, entry):
    tree = args.trees / entry["id"]
    try:
        done = subprocess.run([str(c) for c in build(command, tree, entry["file"])], cwd=tree, capture_output=True, text=True, timeout=args.timeout)
    except subprocess.TimeoutExpired:
        say(f"{command.name} on {entry['id']}: no answer in {args.timeout:.0f} s")
        return []
    return [(os.path.relpath(tree / m["path"].strip(), tree), int(m["line"])) for m in PLACE.finditer(done.stdout) if ABOUT_ASYNC.search(m["text"])]


def is_near(entry, places):
    return any(path.endswith(entry["file"]) and any(abs(line - wanted) <= NEAR for wanted in entry["lines"]) for path, line in places)


def report(entries, found, args):
    total = collections.Counter(e.get("class", "") for e in entries)
    by_id = {e["id"]: e.get("class", "") for e in entries}
    counts = {name: collections.Counter(by_id[i] for i in ids) for name, ids in found.items()}
    rows = [[kind, n, *(c[kind] for c in counts.values())] for kind, n in sorted(total.items())]
    rows.append(["all", len(entries), *(len(ids) for ids in found.values())])
    print(table(["class", "entries", *found], rows, args.markdown))
    if args.verbose:
        for name, ids in found.items():
            print(f"{name}: {', '.join(ids)}")


if __name__ == "__main__":
    main()
