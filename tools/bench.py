#!/usr/bin/env python3
"""Speed and memory beside ruff: both over the same real trees, in the same run, alternating.

Installs ruff from PyPI, downloads the wheels of prefect, litellm and homeassistant (or takes --tree PATH), and runs
    ruff check --isolated --no-cache --preview --select ASYNC,RUF006,RUF029 .
    racewalk check --isolated --no-cache --output-format json .
    racewalk debug parse-only .            (finds and parses the files, nothing else)
in each, output to /dev/null, once unmeasured to warm the file cache and then --repeat times. Prints the medians of CPU
seconds (user + system, children included), wall seconds and peak memory, the ratios, and whether the budgets hold:
CPU at most 1.5 x ruff, wall at most 0.65 of CPU (two cores), memory at most 80 MB plus 300 MB per million lines.
"""
import argparse
import statistics

from _common import absolute, add_common_arguments, check_command, count_lines, downloaded, installed, run_measured, say, source_files, table

WHEELS = [("prefect", "3.9.1"), ("litellm", "1.109.1"), ("homeassistant", "2026.2.3")]
RUFF = "ruff==0.17.5"
RUFF_OPTIONS = ["check", "--isolated", "--no-cache", "--preview", "--select", "ASYNC,RUF006,RUF029", "."]
CPU_RATIO, WALL_PER_CPU, MEMORY_BASE, MEMORY_PER_MILLION = 1.5, 0.65, 80, 300


def main():
    args = arguments()
    ruff = installed(args.bench, "ruff", RUFF)
    trees = args.tree or [downloaded(args.bench, *wheel) for wheel in WHEELS]
    rows = [row for tree in trees for row in measured_rows(tree, ruff, args)]
    head = ["tree", "lines", "tool", "CPU s", "wall s", "peak MB", "CPU / ruff", "wall / CPU", "budgets"]
    print(table(head, rows, args.markdown))
    if any("FAIL" in row[-1] for row in rows):
        raise SystemExit(1)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_common_arguments(parser)
    parser.add_argument("--tree", action="append", type=absolute, help="measure this directory instead (may be repeated)")
    parser.add_argument("--repeat", type=int, default=5, help="measured runs of each command (default: 5)")
    parser.add_argument("--markdown", action="store_true", help="print a Markdown table")
    return parser.parse_args()


def measured_rows(tree, ruff, args):
    lines = count_lines(source_files(tree))
    commands = {"ruff": [ruff, *RUFF_OPTIONS], "racewalk": check_command(args.bin), "parse only": [args.bin, "debug", "parse-only", "."]}
    say(f"{tree.name}: {lines:,} lines, {args.repeat} runs each …")
    runs = alternated(commands, tree, args.repeat)
    ruff_cpu = median(runs["ruff"], "cpu")
    for tool, those in runs.items():
        cpu, wall, rss = (median(those, what) for what in ("cpu", "wall", "rss"))
        verdict = budgets(cpu / ruff_cpu, wall / cpu, rss, lines) if tool == "racewalk" else ""
        bad = sorted({run.status for run in those} - {0, 1})
        yield [tree.name, f"{lines:,}", tool, f"{cpu:.2f}", f"{wall:.2f}", f"{rss:.0f}", f"{cpu / ruff_cpu:.2f}", f"{wall / cpu:.2f}",
               f"FAIL exit {bad[0]}" if bad else verdict]


def alternated(commands, tree, repeat):
    runs = {tool: [] for tool in commands}
    for turn in range(repeat + 1):
        for tool, command in commands.items():
            run = run_measured(command, cwd=tree)
            if turn:
                runs[tool].append(run)
    return runs


def median(runs, what):
    return statistics.median(getattr(run, what) for run in runs) or 1e-3


def budgets(cpu_ratio, wall_per_cpu, rss, lines):
    allowed = MEMORY_BASE + MEMORY_PER_MILLION * lines / 1e6
    checks = [("CPU", cpu_ratio <= CPU_RATIO), ("wall", wall_per_cpu <= WALL_PER_CPU), (f"memory ≤ {allowed:.0f} MB", rss <= allowed)]
    return ", ".join(f"{name} {'pass' if ok else 'FAIL'}" for name, ok in checks)


if __name__ == "__main__":
    main()
