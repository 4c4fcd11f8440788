#!/usr/bin/env python3
"""How often our inference knows an awaitable that ty knows, apart from any rule.

Takes every `await f(…)` of a tree (default: the wheels homeassistant 2026.2.3 and litellm 1.109.1, without their
dependencies) whose operand ty types as a coroutine (`CoroutineType` or `Coroutine`) and whose callee is defined outside
the standard library, and asks `racewalk debug awaits .` whether it says awaitable there. Prints the share of agreement
a tree, and the commonest shapes of what is missed. The bar is 90 %. A "no" is worse than an "unknown": both are counted.

ty's answers are cached in .bench/ty, keyed by the tree's content, and asking goes on where it was stopped.
"""
import argparse
import ast
import collections
import json
import re
import subprocess

from _common import absolute, add_common_arguments, clean_path, downloaded, table, use_newest_python

WHEELS = [("homeassistant", "2026.2.3"), ("litellm", "1.109.1")]
BAR = 90.0


def main():
    use_newest_python()
    args = arguments()
    trees = args.tree or [downloaded(args.bench, *wheel) for wheel in WHEELS]
    results = [compare(tree, args) for tree in trees]
    head = ["tree", "await f(…)", "ty: coroutine", "outside std", "ours: yes", "unknown", "no", "not listed", "agreement"]
    print(table(head, [r["row"] for r in results], args.markdown))
    for result in results:
        print_shapes(result, args)
    if args.json:
        args.json.write_text(json.dumps([{"tree": r["tree"].name, "agreement": r["share"], "missed": r["missed"]} for r in results], indent=1))
    if any(r["share"] < BAR for r in results):
        raise SystemExit(1)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_common_arguments(parser)
    parser.add_argument("--tree", action="append", type=absolute, help="compare on this directory instead (may be repeated)")
    parser.add_argument("--python-version", default="3.14", help="the version ty assumes (default: 3.14)")
    parser.add_argument("--servers", type=int, default=2, help="ty servers (default: 2)")
    parser.add_argument("--budget", type=float, default=1800, help="seconds for ty, a tree (default: 1800)")
    parser.add_argument("--shapes", type=int, default=25, help="how many shapes of misses to print (default: 25)")
    parser.add_argument("--list-misses", action="store_true", help="print every miss")
    parser.add_argument("--json", type=absolute, help="write the result there too")
    parser.add_argument("--markdown", action="store_true", help="print a Markdown table")
    return parser.parse_args()


def compare(tree, args):
    from _ty import is_coroutine, known_calls, outside
    calls = list(known_calls(tree, args.bench, args.python_version, args.servers, budget=args.budget))
    coroutines = [c for c in calls if is_coroutine(c["type"])]
    ours = our_answers(args.bin, tree)
    wanted = [c for c in coroutines if not (c["definitions"] and all(map(outside, c["definitions"])))]
    counts, missed = collections.Counter(), []
    for call in wanted:
        answer, why = ours.get((call["path"], call["line"], call["column"]), ("not listed", ""))
        counts[answer] += 1
        if answer != "yes":
            missed.append({**call, "answer": answer, "why": why})
    share = 100 * counts["yes"] / max(1, len(wanted))
    row = [tree.name, len(calls), len(coroutines), len(wanted), counts["yes"], counts["unknown"], counts["no"], counts["not listed"], f"{share:.1f} %"]
    return {"tree": tree, "row": row, "share": share, "missed": missed}


def our_answers(binary, tree):
    """{(path, line, column): (answer, why)}"""
    done = subprocess.run([str(binary), "debug", "awaits", "."], cwd=tree, capture_output=True, text=True, timeout=600)
    if done.returncode not in (0, 1):
        raise SystemExit(f"{binary} debug awaits: exit {done.returncode}: {done.stderr.strip()[-300:]}")
    rows = (json.loads(line) for line in done.stdout.splitlines() if line.strip())
    return {(clean_path(r["path"]), r["line"], r["column"]): (r["answer"], r.get("why", "")) for r in rows}


# Shapes of misses

def print_shapes(result, args):
    shapes, texts = collections.defaultdict(list), {}
    for miss in result["missed"]:
        miss["text"] = operand(result["tree"], miss, texts)
        shapes[shape(miss["text"])].append(miss)
    print(f"\n{result['tree'].name}: {len(result['missed'])} missed, by the callee's shape and our reason")
    commonest = sorted(shapes.items(), key=lambda item: -len(item[1]))[:args.shapes]
    rows = [[len(those), name, most_common_why(those), f"{those[0]['path']}:{those[0]['line']}"] for name, those in commonest]
    print(table(["count", "shape", "commonest reason", "for example"], rows, args.markdown))
    if args.list_misses:
        for m in result["missed"]:
            print(f"{m['path']}:{m['line']}:{m['column']}: {m['answer']}: {m['text']}  [{m['why']}] ty: {m['type']}")


def most_common_why(misses):
    (why, count), = collections.Counter(m["why"] for m in misses).most_common(1)
    return f"{why or '-'} ({count})"


def operand(tree, miss, texts):
    """The source of the callee."""
    path = tree / miss["path"]
    if path not in texts:
        from _ty import split_lines
        texts[path] = split_lines(path.read_bytes().decode("utf-8-sig", "replace"))
    line, column, (end_line, end_column) = miss["line"], miss["column"] - 1, miss["end"]
    lines = texts[path][line - 1:end_line]
    lines[-1] = lines[-1][:end_column]
    return ast.unparse(ast.parse("(" + "".join([lines[0][column:], *lines[1:]]) + ")", mode="eval").body.func)


def shape(callee):
    """`self.hass.async_add(…)` becomes `self.a.m()`: names are dropped, `self`, `cls`, `super` and the structure stay."""
    try:
        return describe(ast.parse(callee, mode="eval").body) + "()"
    except SyntaxError:
        return "?"


def describe(node, last=True):
    match node:
        case ast.Name(id=name):
            return name if name in ("self", "cls", "super") else "Name" if re.match(r"_*[A-Z]", name) else "name"
        case ast.Attribute(value=value):
            return f"{describe(value, False)}.{'m' if last else 'a'}"
        case ast.Call(func=func):
            return f"{describe(func, False)}()"
        case ast.Subscript(value=value):
            return f"{describe(value, False)}[]"
        case _:
            return type(node).__name__


if __name__ == "__main__":
    main()
