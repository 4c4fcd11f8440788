#!/usr/bin/env python3
"""Measures `share/data-race` on the test programs of Go's own race detector.

usage: go_races.py GO_SRC [--bin target/release/racewalk] [--verbose]

GO_SRC is the `src` directory of a Go release. Each test in runtime/race/testdata says by its name whether it races
(`TestRace…`) or not (`TestNoRace…`); the analyser does not look at names. A test counts as reported when a finding
starts inside its function (or, for a function that it calls, nowhere). Prints, by file, how many racy functions were
found and how many race-free ones reported.
"""
import argparse
import collections
import json
import pathlib
import re
import subprocess

SKIPPED = {"cgo_test.go", "cgo_test_main.go", "synctest_test.go", "main_test.go"}


def functions(path):
    """(name, first line, last line) of each test function."""
    lines = path.read_text().splitlines()
    starts = [(m[1], at) for at, line in enumerate(lines, 1) if (m := re.match(r"func (Test\w+)\(", line))]
    for name, start in starts:
        end = next((at for at in range(start, len(lines) + 1) if lines[at - 1] == "}"), len(lines))
        yield name, start, end


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("go_src", type=pathlib.Path)
    arguments.add_argument("--bin", default="target/release/racewalk")
    arguments.add_argument("--verbose", action="store_true", help="name what is missed and what is reported wrongly")
    given = arguments.parse_args()
    tests = given.go_src / "runtime" / "race" / "testdata"
    command = [given.bin, "check", "--output-format", "json", "--no-cache", "--isolated", str(tests)]
    report = json.loads(subprocess.run(command, capture_output=True, text=True).stdout)
    lines = collections.defaultdict(set)
    for finding in report["findings"]:
        if finding["rule"] == "share/data-race":
            lines[pathlib.Path(finding["path"]).name].add(finding["range"]["start"]["line"])
    total = [0, 0, 0, 0]
    print(f"{'file':28}{'racy found':>14}{'race-free reported':>22}")
    for path in sorted(tests.glob("*_test.go")):
        if path.name in SKIPPED:
            continue
        row = [0, 0, 0, 0]
        for name, start, end in functions(path):
            found = any(start <= line <= end for line in lines[path.name])
            kind = 2 if name.startswith("TestNoRace") else 0 if name.startswith("TestRace") else None
            if kind is None:
                continue
            row[kind] += found
            row[kind + 1] += 1
            if given.verbose and found == (kind == 2):
                print(f"  {'WRONG ' if kind else 'missed'} {path.name}:{start} {name}")
        print(f"{path.name:28}{f'{row[0]}/{row[1]}':>14}{f'{row[2]}/{row[3]}':>22}")
        total = [a + b for a, b in zip(total, row)]
    print(f"{'all':28}{f'{total[0]}/{total[1]}':>14}{f'{total[2]}/{total[3]}':>22}")


if __name__ == "__main__":
    main()
