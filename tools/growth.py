#!/usr/bin/env python3
"""How CPU time grows with the size of the program, from 10,000 to 1,000,000 lines.

Takes growing subsets of one real tree (default: the homeassistant wheel): whole files, packages kept together, in a
seeded order, every subset containing the smaller ones. Prints the median CPU time of several cold runs on each, and
the exponent e of CPU = c * lines^e, fitted by least squares on the logarithms: as measured, and with the start-up
cost (the time on an empty tree) subtracted. The bar is an exponent of at most 1.1.
"""
import argparse
import math
import os
import random
import shutil
import statistics

from _common import absolute, add_common_arguments, check_command, count_lines, downloaded, run_measured, say, source_files, table

SIZES = [10_000, 20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000]
BAR = 1.1


def main():
    args = arguments()
    tree = args.tree or downloaded(args.bench, "homeassistant", "2026.2.3")
    home = args.bench / "growth"
    shutil.rmtree(home, ignore_errors=True)
    startup = median_cpu(subset(tree, [], home / "0"), args)
    points = []
    for size, files in growing(tree, args.sizes, args.seed):
        where = subset(tree, files, home / str(size))
        points.append((len(files), count_lines(files), median_cpu(where, args)))
        say(f"{points[-1][1]:>9,} lines: {points[-1][2]:.3f} CPU s")
    report(points, startup, args)
    shutil.rmtree(home, ignore_errors=True)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_common_arguments(parser)
    parser.add_argument("--tree", type=absolute, help="take subsets of this directory instead")
    parser.add_argument("--sizes", type=lambda text: [int(n) for n in text.split(",")], default=SIZES, help="lines, comma-separated")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--markdown", action="store_true", help="print a Markdown table")
    return parser.parse_args()


def packages(tree):
    """{directory: files}, a package deeper than three levels counting to its ancestor there."""
    groups = {}
    for path in source_files(tree):
        groups.setdefault(path.relative_to(tree).parent.parts[:3], []).append(path)
    return groups


def growing(tree, sizes, seed):
    """(size, files) for every size that the tree has lines for; packages in a seeded order, the last one in part."""
    groups = packages(tree)
    order = sorted(groups)
    random.Random(seed).shuffle(order)
    files = [f for group in order for f in groups[group]]
    lines, taken, sizes = 0, [], sorted(sizes)
    for path in files:
        taken.append(path)
        lines += count_lines([path])
        while sizes and lines >= sizes[0]:
            yield sizes.pop(0), list(taken)
    for size in sizes:
        say(f"the tree has only {lines:,} lines: {size:,} is left out")


def subset(tree, files, where):
    where.mkdir(parents=True)
    for path in files:
        target = where / path.relative_to(tree)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(path, target)
        except OSError:
            shutil.copyfile(path, target)
    return where


def median_cpu(where, args):
    runs = [run_measured(check_command(args.bin), cwd=where) for _ in range(args.repeat + 1)][1:]
    if bad := [run.status for run in runs if run.status not in (0, 1)]:
        raise SystemExit(f"the analyser ended with {bad[0]} on {where}")
    return statistics.median(run.cpu for run in runs)


def exponent(points):
    """Slope of log CPU against log lines."""
    xs, ys = [math.log(lines) for lines, _ in points], [math.log(cpu) for _, cpu in points]
    mx, my = statistics.mean(xs), statistics.mean(ys)
    return sum((x - mx) * (y - my) for x, y in zip(xs, ys)) / sum((x - mx) ** 2 for x in xs)


def report(points, startup, args):
    rows = [[f"{files:,}", f"{lines:,}", f"{cpu:.3f}", f"{(cpu - startup) / lines * 1e6:.2f}"] for files, lines, cpu in points]
    print(table(["files", "lines", "CPU s", "CPU s per million lines, start-up aside"], rows, args.markdown))
    whole = [(lines, cpu) for _, lines, cpu in points]
    net = [(lines, cpu - startup) for lines, cpu in whole if cpu > startup]
    if len(net) < 2:
        raise SystemExit("too few sizes for a fit")
    worst = max(exponent(whole), exponent(net))
    print(f"\nstart-up {startup:.3f} CPU s; exponent {exponent(whole):.3f} as measured, {exponent(net):.3f} without start-up: "
          f"{'pass' if worst <= BAR else 'FAIL'} (at most {BAR})")
    if worst > BAR:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
