#!/usr/bin/env python3
"""The mutation bar: take one `await` away, and see whether the analyser says so, there and only there.

`mutate.py sites TREE… --out sites.json` lists the awaits that may be taken away: `await f(…)` as a whole statement, or
`x = await f(…)` where `x` is used as a value before it is assigned again in the same function (attribute, subscript,
iteration, call argument, comparison, arithmetic, condition, formatting, call; being returned, awaited, stored or handed
to gather, create_task and the like is no such use), and whose callee ty resolves to `async def`s of that tree. ty's
answers are cached in .bench/ty; a step that was stopped goes on where it was.

`mutate.py run sites.json --count 500 --seed 1` draws that many sites, the same number from each tree as far as it has
them, removes each in turn in a copy of its tree, and analyses the whole tree. REPORTED: a finding that the unchanged
tree does not have, of missing-await (or await-non-awaitable or floating-task in that same function), starts in that
function at the statement or at the first use of the name. NOISE: any other new finding, unnecessary-async on that same
function aside. The bar is 85 % reported and no noise.
"""
import argparse
import ast
import collections
import concurrent.futures
import json
import os
import pathlib
import queue
import random
import re
import shutil

from _common import absolute, add_common_arguments, check, clean_path, say, short, source_files, table, use_newest_python

BAR = 85.0
NOT_A_USE = {"gather", "wait", "wait_for", "create_task", "ensure_future", "shield", "run", "run_until_complete", "as_completed",
             "run_coroutine_threadsafe", "start_soon", "isawaitable", "iscoroutine", "timeout", "append", "add", "extend",
             "insert", "put", "put_nowait", "setdefault", "cast", "async_create_task", "async_create_background_task"}
ACCEPTED = {"missing-await", "await-non-awaitable", "floating-task"}


def main():
    use_newest_python()
    args = arguments()
    args.run(args)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    sites = commands.add_parser("sites", help="list what may be removed (asks ty)")
    sites.add_argument("trees", nargs="+", type=absolute)
    sites.add_argument("--out", required=True, type=absolute)
    sites.add_argument("--python-version", default="3.14", help="the version ty assumes (default: 3.14)")
    sites.add_argument("--servers", type=int, default=2, help="ty servers (default: 2)")
    sites.set_defaults(run=run_sites)
    run = commands.add_parser("run", help="remove, analyse, judge")
    run.add_argument("sites", type=absolute)
    run.add_argument("--count", type=int, default=500)
    run.add_argument("--seed", type=int, default=1)
    run.add_argument("--jobs", type=int, default=2, help="analyses at a time (default: 2)")
    run.add_argument("--tree", action="append", help="only trees of this name (may be repeated)")
    run.add_argument("--typed", action="store_true", help="only sites whose operand ty also types as a coroutine (no decorators it cannot see through)")
    run.add_argument("--out", type=absolute, help="write every verdict as JSON there")
    run.set_defaults(run=run_mutations)
    for command in (sites, run):
        add_common_arguments(command)
    return parser.parse_args()


# Sites: syntax

class Function:
    """A function's own nodes (those of nested functions aside), each with its way down: [(ancestor, field, index)]."""

    def __init__(self, node):
        self.node, self.ways, self.statement = node, {}, {}
        self.walk(node, [], None)

    def walk(self, parent, way, statement):
        for field, value in ast.iter_fields(parent):
            for index, child in enumerate(value if isinstance(value, list) else [value]):
                if isinstance(child, ast.AST):
                    self.enter(child, [*way, (parent, field, index)], statement)

    def enter(self, child, way, statement):
        if isinstance(child, ast.stmt):
            statement = child
        self.ways[child], self.statement[child] = way, statement
        if not isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)):
            self.walk(child, way, statement)

    def parent(self, node):
        return self.ways[node][-1]


def candidates(path, tree):
    """Every removable await of a file, by syntax alone."""
    from _ty import column, parse
    parsed = parse(path)
    if parsed is None:
        return
    _, lines, module = parsed
    for symbol, node in functions(module):
        function = Function(node)
        for await_node in [n for n in function.ways if isinstance(n, ast.Await) and isinstance(n.value, ast.Call)]:
            if site := described(function, await_node):
                call = await_node.value
                yield {"path": str(path.relative_to(tree)), "symbol": symbol, "function": [node.lineno, node.end_lineno],
                       "line": call.lineno, "column": column(lines, call.lineno, call.col_offset) + 1, "await_line": await_node.lineno,
                       "await_column": column(lines, await_node.lineno, await_node.col_offset) + 1, **site}


def functions(node, symbol=""):
    for child in ast.iter_child_nodes(node):
        inner = symbol
        if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            inner = f"{symbol}.{child.name}".lstrip(".")
            if isinstance(child, ast.AsyncFunctionDef):
                yield inner, child
        yield from functions(child, inner)


def described(function, await_node):
    """The kind of site, and the lines at which a finding about it may start; None when it is none."""
    parent = function.parent(await_node)[0]
    creation = [parent.lineno, await_node.value.lineno] if isinstance(parent, ast.stmt) else None
    if isinstance(parent, ast.Expr):
        return {"kind": "statement", "use": "-", "accepted": [creation]}
    target = parent.targets[0] if isinstance(parent, ast.Assign) and len(parent.targets) == 1 else parent.target if isinstance(parent, ast.AnnAssign) else None
    if not isinstance(target, ast.Name) or is_shared(function, target.id):
        return None
    loads = loads_after(function, target)
    values = [(n, use) for n in loads if (use := value_use(function, n))]
    if not values:
        return None
    firsts = [[function.statement[n].lineno, n.lineno] for n in (loads[0], values[0][0])]
    return {"kind": "assignment", "use": values[0][1], "accepted": [creation, *firsts]}


def is_shared(function, name):
    return any(isinstance(n, (ast.Global, ast.Nonlocal)) and name in n.names for n in function.ways)


def place(node):
    return node.lineno, node.col_offset


def loads_after(function, target):
    """Reads of the name after its assignment and before the next one, in source order, not in another branch."""
    names = sorted((n for n in function.ways if isinstance(n, ast.Name) and n.id == target.id), key=place)
    assignment = function.statement[target]
    found = []
    for name in names:
        if place(name) <= (assignment.end_lineno, assignment.end_col_offset):
            continue
        if not isinstance(name.ctx, ast.Load) and not elsewhere(function, target, name):
            if isinstance(function.parent(name)[0], ast.AugAssign):
                found.append(name)
            break
        if isinstance(name.ctx, ast.Load) and not elsewhere(function, target, name):
            found.append(name)
    return found


def elsewhere(function, one, other):
    """Whether two nodes are in exclusive branches of an `if` or a `match`."""
    for (a, field, index), (b, other_field, other_index) in zip(function.ways[one], function.ways[other]):
        if a is not b:
            return False
        if (field, index) != (other_field, other_index):
            return (isinstance(a, (ast.If, ast.IfExp)) and {field, other_field} == {"body", "orelse"}) or (isinstance(a, ast.Match) and field == other_field == "cases")
    return False


def value_use(function, name):
    """How the value of a name is used, or None where it is only moved on."""
    parent, field, _ = function.parent(name)
    match parent:
        case ast.Attribute():
            return "attribute"
        case ast.Subscript():
            return "subscript"
        case ast.For() | ast.comprehension() if field == "iter" and not getattr(parent, "is_async", 0):
            return "iteration"
        case ast.Starred():
            return "iteration"
        case ast.Assign(targets=[ast.Tuple() | ast.List()]) if field == "value":
            return "iteration"
        case ast.Compare():
            return "comparison"
        case ast.BinOp() | ast.AugAssign():
            return "arithmetic"
        case ast.UnaryOp(op=op):
            return "condition" if isinstance(op, ast.Not) else "arithmetic"
        case ast.If() | ast.While() | ast.IfExp() | ast.Assert() if field == "test":
            return "condition"
        case ast.BoolOp() if name is not parent.values[-1]:
            return "condition"
        case ast.FormattedValue():
            return "formatting"
        case ast.Call():
            return "call" if field == "func" else argument_use(parent)
        case ast.keyword():
            return argument_use(function.parent(parent)[0])
    return None


def argument_use(call):
    name = getattr(call, "func", None)
    name = getattr(name, "id", None) or getattr(name, "attr", None)
    return None if name in NOT_A_USE else "argument"


# Sites: what ty resolves

def run_sites(args):
    from _ty import is_coroutine, known_calls
    found = []
    for tree in args.trees:
        defined = async_definitions(tree)
        resolved = {(c["path"], c["line"], c["column"]): c for c in known_calls(tree, args.bench, args.python_version, args.servers)}
        sites = [s for path in source_files(tree, {".py"}) for s in candidates(path, tree)]
        kept = []
        for site in sites:
            call = resolved.get((site["path"], site["line"], site["column"]))
            if call and call["definitions"] and all(tuple(d) in defined for d in call["definitions"]):
                kept.append({"tree": str(tree), **site, "type": call["type"], "typed": is_coroutine(call["type"]), "definition": "{}:{}".format(*call["definitions"][0])})
        say(f"{tree.name}: {len(resolved)} awaited calls, {len(sites)} candidates, {len(kept)} sites")
        found += kept
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(found, indent=0))


def async_definitions(tree):
    """{(path, line, column of the name)} of every `async def`; they stand at the same places in ty's copy."""
    from _ty import parse
    places = set()
    for path in source_files(tree):
        if parsed := parse(path):
            _, lines, module = parsed
            for node in (n for n in ast.walk(module) if isinstance(n, ast.AsyncFunctionDef)):
                head = re.match(r"\s*async\s+def\s+", lines[node.lineno - 1])
                places |= {(str(path.relative_to(tree)), node.lineno, head.end())} if head else set()
    return places


# Mutations

def run_mutations(args):
    everything = [s for s in json.loads(args.sites.read_text())
                  if (not args.tree or pathlib.Path(s["tree"]).name in args.tree) and (s["typed"] or not args.typed)]
    chosen = draw(everything, args.count, args.seed)
    verdicts = []
    for tree in sorted({s["tree"] for s in chosen}):
        verdicts += mutate_tree(pathlib.Path(tree), [s for s in chosen if s["tree"] == tree], args)
    report(verdicts)
    if args.out:
        args.out.write_text(json.dumps(verdicts, indent=1))
    if reported_share(verdicts) < BAR or any(v["noise"] for v in verdicts):
        raise SystemExit(1)


def draw(sites, count, seed):
    """Round-robin over the trees, each in a seeded order, until there are enough."""
    by_tree = collections.defaultdict(list)
    for site in sites:
        by_tree[site["tree"]].append(site)
    for name, those in by_tree.items():
        random.Random(f"{seed} {pathlib.Path(name).name}").shuffle(those)
    chosen = []
    while len(chosen) < count and any(by_tree.values()):
        for name in sorted(by_tree):
            if by_tree[name] and len(chosen) < count:
                chosen.append(by_tree[name].pop())
    return chosen


def mutate_tree(tree, sites, args):
    copies = queue.Queue()
    homes = [linked_copy(tree, args.bench / "mutate" / f"{tree.name}-{job}") for job in range(args.jobs)]
    for home in homes:
        copies.put(home)
    before = collections.Counter(map(key, check(args.bin, homes[0])["findings"]))
    say(f"{tree.name}: {sum(before.values())} findings unchanged, {len(sites)} awaits to remove …")

    def one(site):
        home = copies.get()
        try:
            return judge(site, analyse_without(args.bin, home, tree, site), before)
        finally:
            copies.put(home)

    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        verdicts = list(pool.map(one, sites))
    for home in homes:
        shutil.rmtree(home)
    return verdicts


def linked_copy(tree, home):
    """The tree's Python files and manifests, as hard links where the file system has them."""
    shutil.rmtree(home, ignore_errors=True)
    for path in [*source_files(tree), *tree.glob("*.toml")]:
        target = home / path.relative_to(tree)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(path, target)
        except OSError:
            shutil.copyfile(path, target)
    return home


def analyse_without(binary, home, tree, site):
    """The findings with that one await removed; the file is a new one, so the link's target stays as it is."""
    path = home / site["path"]
    original = path.read_bytes()
    path.unlink()
    path.write_bytes(without_await(original, site))
    try:
        return check(binary, home)["findings"]
    finally:
        path.unlink()
        path.write_bytes(original)


def without_await(data, site):
    from _ty import split_lines
    mark = b"\xef\xbb\xbf" if data.startswith(b"\xef\xbb\xbf") else b""
    lines = split_lines(data[len(mark):].decode())
    line, column = lines[site["await_line"] - 1], site["await_column"] - 1
    rest, removed = re.subn(r"^await[ \t]*", "", line[column:])
    assert removed, f"no await at {site['path']}:{site['await_line']}"
    lines[site["await_line"] - 1] = line[:column] + rest
    return mark + "".join(lines).encode()


def key(finding):
    """Lines do not move: a finding is the same one when rule, line and function are."""
    return finding["rule"], clean_path(finding["path"]), finding["range"]["start"]["line"], finding["symbol"]


def judge(site, findings, before):
    known, verdict = before.copy(), {**site, "reported": [], "noise": [], "source": ""}
    for finding in findings:
        if known[key(finding)] > 0:
            known[key(finding)] -= 1
        elif is_report(site, finding):
            verdict["reported"].append(shown(finding))
        elif not (short(finding["rule"]) == "unnecessary-async" and same_function(site, finding)):
            verdict["noise"].append({**shown(finding), "same_function": same_function(site, finding)})
    return verdict


def shown(finding):
    return {"rule": finding["rule"], "path": clean_path(finding["path"]), "line": finding["range"]["start"]["line"],
            "symbol": finding["symbol"], "message": finding["message"]}


def same_function(site, finding):
    first, last = site["function"]
    return (clean_path(finding["path"]) == site["path"] and first <= finding["range"]["start"]["line"] <= last
            and finding["symbol"].split(".")[-1] == site["symbol"].split(".")[-1])


def is_report(site, finding):
    rule, line = short(finding["rule"]), finding["range"]["start"]["line"]
    here = clean_path(finding["path"]) == site["path"] and any(first <= line <= last for first, last in site["accepted"])
    return here and (rule == "missing-await" or (rule in ACCEPTED and same_function(site, finding)))


# Report

def reported_share(verdicts):
    return 100 * sum(bool(v["reported"]) for v in verdicts) / max(1, len(verdicts))


def report(verdicts):
    rows = []
    for title, of in (("kind", lambda v: v["kind"]), ("first use", lambda v: v["use"]), ("ty's type", lambda v: "coroutine" if v["typed"] else "other"),
                      ("tree", lambda v: pathlib.Path(v["tree"]).name), ("all", lambda v: "")):
        groups = collections.defaultdict(list)
        for verdict in verdicts:
            groups[of(verdict)].append(verdict)
        for name, those in sorted(groups.items()):
            if name != "-":
                rows.append([title, name, len(those), sum(bool(v["reported"]) for v in those), f"{reported_share(those):.1f} %",
                             sum(not n["same_function"] for v in those for n in v["noise"]), sum(n["same_function"] for v in those for n in v["noise"])])
    print(table(["by", "", "removed", "reported", "rate", "noise elsewhere", "noise in the function"], rows))
    for verdict in verdicts:
        if not verdict["reported"]:
            print(f"missed {pathlib.Path(verdict['tree']).name}/{verdict['path']}:{verdict['await_line']} ({verdict['kind']}, {verdict['use']}; "
                  f"calls {verdict['definition']}): {source_line(verdict)}")
        for noise in verdict["noise"]:
            print(f"noise  {noise['rule']} at {noise['path']}:{noise['line']} ({noise['symbol']}) from {verdict['path']}:{verdict['await_line']}: {noise['message'][:120]}")


def source_line(verdict):
    from _ty import split_lines
    text = (pathlib.Path(verdict["tree"]) / verdict["path"]).read_bytes().decode("utf-8-sig", "replace")
    return split_lines(text)[verdict["await_line"] - 1].strip()


if __name__ == "__main__":
    main()
