#!/usr/bin/env python3
"""Speed and memory on JavaScript and TypeScript beside oxlint: all over the same trees, in the same run, alternating.

Installs oxlint and its type-aware part from npm, and runs in each --tree (a checkout; playwright and medusa are good ones)
    oxlint with its syntactic rules about asynchronous code
    oxlint --type-aware with no-floating-promises and no-misused-promises
    racewalk check --isolated --no-cache --output-format json .
output to /dev/null, once unmeasured to warm the file cache and then --repeat times. Prints the medians of CPU seconds (user + system,
children included), wall seconds and peak memory, the ratios, and whether the budgets hold: CPU at most 3 x the syntactic rules and at
most an eighth of the type-aware ones (which have less to do in a tree without its dependencies), memory at most 80 MB plus 300 MB per million lines.
"""
import argparse
import os
import subprocess

from _common import absolute, add_common_arguments, check_command, count_lines, say, table
from bench import alternated, median

OXLINT = ["oxlint@1.86.0", "oxlint-tsgolint"]
SYNTACTIC = ["no-async-promise-executor", "no-await-in-loop", "require-await", "no-promise-executor-return", "require-atomic-updates",
             "promise/always-return", "promise/catch-or-return", "promise/no-nesting", "promise/no-promise-in-callback",
             "promise/no-callback-in-promise", "promise/prefer-await-to-then", "oxc/no-async-endpoint-handlers"]
TYPED = ["typescript/no-floating-promises", "typescript/no-misused-promises"]
SUFFIXES = {".js", ".cjs", ".mjs", ".jsx", ".ts", ".cts", ".mts", ".tsx", ".vue", ".svelte"}
SYNTACTIC_RATIO, TYPED_RATIO, MEMORY_BASE, MEMORY_PER_MILLION = 3, 1 / 8, 80, 300


def main():
    args = arguments()
    oxlint = installed_oxlint(args.bench / "oxlint")
    rows = [row for tree in args.tree for row in measured_rows(tree, oxlint, args)]
    head = ["tree", "lines", "tool", "CPU s", "wall s", "peak MB", "racewalk's CPU beside it", "budgets"]
    print(table(head, rows, args.markdown))
    if any("FAIL" in row[-1] for row in rows):
        raise SystemExit(1)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_common_arguments(parser)
    parser.add_argument("--tree", action="append", type=absolute, required=True, help="measure this directory (may be repeated)")
    parser.add_argument("--repeat", type=int, default=3, help="measured runs of each command (default: 3)")
    parser.add_argument("--markdown", action="store_true", help="print a Markdown table")
    return parser.parse_args()


def installed_oxlint(folder):
    binary = folder / "node_modules" / ".bin" / "oxlint"
    if not binary.exists():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "package.json").write_text('{"private": true}\n')
        subprocess.run(["npm", "install", "--no-audit", "--no-fund", *OXLINT], cwd=folder, check=True)
    # It looks for its type-aware part there.
    os.environ["PATH"] = f"{binary.parent}{os.pathsep}{os.environ['PATH']}"
    return binary


def measured_rows(tree, oxlint, args):
    files = [path for path in tree.rglob("*") if path.suffix in SUFFIXES and "node_modules" not in path.parts and path.is_file()]
    lines = count_lines(files)
    only = lambda rules: ["-A", "all", *(word for rule in rules for word in ("-W", rule))]
    commands = {
        "oxlint, syntactic": [oxlint, "--silent", "--import-plugin", "--promise-plugin", *only(SYNTACTIC), "."],
        "oxlint, type-aware": [oxlint, "--silent", "--type-aware", *only(TYPED), "."],
        "racewalk": check_command(args.bin),
    }
    say(f"{tree.name}: {lines:,} lines, {args.repeat} runs each …")
    runs = alternated(commands, tree, args.repeat)
    figures = {tool: {what: median(those, what) for what in ("cpu", "wall", "rss")} for tool, those in runs.items()}
    own = figures["racewalk"]
    budget = MEMORY_BASE + MEMORY_PER_MILLION * lines / 1e6
    for tool, of in figures.items():
        ratio = own["cpu"] / of["cpu"]
        held = {"oxlint, syntactic": ratio <= SYNTACTIC_RATIO, "oxlint, type-aware": ratio <= TYPED_RATIO,
                "racewalk": own["rss"] <= budget}[tool]
        yield [tree.name, f"{lines:,}", tool, f"{of['cpu']:.2f}", f"{of['wall']:.2f}", f"{of['rss']:.0f}", f"{ratio:.2f}", "holds" if held else "FAIL"]


if __name__ == "__main__":
    main()
