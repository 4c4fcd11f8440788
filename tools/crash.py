#!/usr/bin/env python3
"""Tries to break the analyser: nothing may crash, hang or blow it up.

Runs `racewalk check --isolated --no-cache --strict --output-format json` on
  trees     the given trees, whole and in batches of files (one whole tree's findings must not hide a bad file);
  truncated files of the trees cut off at seeded offsets;
  nasties   generated inputs: random bytes, 10,000 nested parentheses and other deep syntax, 5,000-branch elif, lines of
            1 MB, import and class cycles, recursive decorators, symlink loops, NUL bytes, wrong encodings, broken notebooks.
A run fails on a signal, an exit status other than 0, 1 and 2, a 2 where the path can be read, output that is no JSON,
more than --timeout seconds (on a whole tree: ten times that) or 2 GB of memory. A batch that fails is halved until
single files remain. The nasties that fail are kept in .bench/crash; everything else is removed.
"""
import argparse
import concurrent.futures
import json
import os
import random
import shutil

from _common import absolute, add_common_arguments, check_command, run_measured, say, source_files

MEMORY_MB = 2048
ADDRESS_SPACE = 16 << 30
DEEP = 10_000


def main():
    args = arguments()
    home = args.bench / "crash"
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    counts, failures = {}, []
    for name, tries in (("trees", trees(args)), ("truncated", truncated(args, home)), ("nasties", nasties(home, args.seed))):
        if name in args.only:
            counts[name], failed = run_all(tries, args)
            failures += failed
            say(f"{name}: {counts[name]} runs, {len(failed)} failures")
    for label, why in failures:
        print(f"FAIL {label}: {why}")
    print(f"{sum(counts.values())} runs, {len(failures)} failures")
    raise SystemExit(1 if failures else 0)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trees", nargs="*", type=absolute)
    parser.add_argument("--only", type=lambda t: t.split(","), default=["trees", "truncated", "nasties"], help="of trees,truncated,nasties")
    parser.add_argument("--batch", type=int, default=50, help="files a batch (default: 50; 1 runs every file alone)")
    parser.add_argument("--truncate", type=int, default=200, help="files of the trees to cut off (default: 200), each at 8 offsets")
    parser.add_argument("--timeout", type=float, default=20, help="seconds (default: 20)")
    parser.add_argument("--jobs", type=int, default=2, help="runs at a time (default: 2)")
    parser.add_argument("--seed", type=int, default=1)
    add_common_arguments(parser)
    return parser.parse_args()


class Try:
    """One run: what it is called, the paths to analyse, where, and whether the time limit is a whole tree's."""

    def __init__(self, label, paths, cwd, whole=False, keep=None):
        self.label, self.paths, self.cwd, self.whole, self.keep = label, paths, cwd, whole, keep


# Running and judging

def run_all(tries, args):
    count, failures = 0, []
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        for one, found in pool.map(lambda t: (t, attempt(t, args)), tries):
            count += 1
            failures += found
            if one.keep and not found:
                remove(one.keep)
    return count, failures


def attempt(one, args):
    """[(label, why)]; a failing batch is halved."""
    why = complaint(one, args)
    if why is None:
        return []
    if len(one.paths) == 1:
        return [(f"{one.label} {one.paths[0]}", why)]
    middle = len(one.paths) // 2
    halves = [Try(one.label, half, one.cwd) for half in (one.paths[:middle], one.paths[middle:])]
    return [f for half in halves for f in attempt(half, args)] or [(f"{one.label}, {len(one.paths)} files from {one.paths[0]}", f"{why}, only together")]


def complaint(one, args):
    command = check_command(args.bin, one.paths[0], "--strict") + one.paths[1:]
    done = run_measured(command, cwd=one.cwd, keep_output=True, timeout=args.timeout * (10 if one.whole else 1), memory=ADDRESS_SPACE)
    words = done.err.strip().splitlines()
    last = f" ({words[-1][:160]})" if words else ""
    if done.timed_out:
        return f"no end after {done.wall:.0f} s"
    if done.status < 0:
        return f"signal {-done.status}{last}"
    if done.status not in (0, 1):
        return f"exit status {done.status}{last}"
    if "panicked at" in done.err:
        return f"a panic on stderr{last}"
    if done.rss > MEMORY_MB:
        return f"{done.rss:.0f} MB"
    return malformed(done.out)


def malformed(output):
    try:
        return None if "findings" in json.loads(output) else "no findings in the output"
    except ValueError as error:
        return f"output is no JSON: {error}"


def remove(path):
    shutil.rmtree(path, ignore_errors=True) if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)


# Trees, whole and in batches; truncated files

def trees(args):
    for tree in args.trees:
        yield Try(f"{tree.name} (whole)", ["."], tree, whole=True)
        files = [str(p.relative_to(tree)) for p in source_files(tree, {".py", ".pyi", ".ipynb"})]
        for first in range(0, len(files), args.batch):
            yield Try(tree.name, files[first:first + args.batch], tree)


def truncated(args, home):
    chooser = random.Random(args.seed)
    files = [p for tree in args.trees for p in source_files(tree)]
    for number, path in enumerate(chooser.sample(files, min(args.truncate, len(files)))):
        data, where = path.read_bytes(), home / f"truncated-{number}"
        where.mkdir()
        for cut in sorted(chooser.randrange(len(data) + 1) for _ in range(8)):
            (where / f"{path.stem}_{cut}.py").write_bytes(data[:cut])
        yield Try(f"{path.name} truncated", sorted(p.name for p in where.iterdir()) if any(where.iterdir()) else ["."], where, keep=where)


# Nasties

def nasties(home, seed):
    for name, files in {**deep_syntax(), **long_and_odd(seed), **cycles(), **notebooks()}.items():
        where = home / name
        where.mkdir()
        for path, content in files.items():
            (where / path).parent.mkdir(parents=True, exist_ok=True)
            (where / path).write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass"))
        yield Try(name, ["."], where, keep=where)
    yield links(home / "links")


def deep_syntax():
    n, wrap = DEEP, {}
    for name, opening, core, closing in (
            ("parentheses", "(", "1", ")"), ("lists", "[", "1", "]"), ("sets", "{", "1", "}"), ("dicts", "{1:", "1", "}"), ("calls", "f(", "1", ")"),
            ("subscripts", "a[", "1", "]"), ("awaits", "await f(", "1", ")"), ("lambdas", "lambda: ", "1", ""), ("nots", "not ", "x", ""),
            ("minuses", "-", "x", ""), ("ternaries", "a if b else ", "c", ""), ("unclosed", "(", "", ""), ("unopened", "", "", ")"),
            ("fstrings", "f'{", "x", "}'"), ("comprehensions", "[x for x in ", "y", "]"), ("walrus", "(x := ", "1", ")"), ("stars", "*", "x", "")):
        wrap[f"deep-{name}"] = {"a.py": in_async("x = " + opening * n + core + closing * n)}
    for name, first, more in (("attributes", "a", ".b"), ("call-chain", "f", "()"), ("method-chain", "a", ".b()"), ("binary", "1", " + 1"), ("power", "1", " ** 1"),
                              ("compare", "1", " < 1"), ("and", "a", " and a"), ("strings", "''", " ''"), ("subscript-chain", "a", "[0]")):
        wrap[f"deep-{name}"] = {"a.py": in_async("x = " + first + more * n)}
    for name, head in (("functions", "async def f():"), ("classes", "class C:"), ("if", "if x:"), ("for", "for x in y:"), ("while", "while x:"), ("with", "async with x:"),
                       ("match", None), ("try", None)):
        wrap[f"deep-block-{name}"] = {"a.py": nested(head or {"match": "match x:\n case y:", "try": "try:"}[name], 100), "b.py": nested(head or "try:", 2000)}
    for name, head in (("functions", "async def f():"), ("if", "if x:")):
        wrap[f"deepest-block-{name}"] = {"a.py": nested(head, n)}
    wrap["deep-generics"] = {"a.py": "x: " + "list[" * n + "int" + "]" * n}
    wrap["deep-pattern"] = {"a.py": "match x:\n    case " + "[" * n + "a" + "]" * n + ":\n        pass\n"}
    wrap["string-annotation"] = {"a.py": "x: '" + "list[" * n + "int" + "]" * n + "'\n"}
    wrap["decorators"] = {"a.py": "@d\n" * n + "async def f(): pass\n"}
    wrap["nested-fstring"] = {"a.py": in_async("x = " + "f'{" * 300 + "await g()" + "}'" * 300)}
    return wrap


def in_async(statement):
    return f"async def f():\n    {statement}\n    g()\n"


def nested(head, depth):
    lines, indent = [], 0
    for _ in range(depth):
        for part in head.split("\n"):
            lines.append(" " * indent + part.strip())
            indent += 1
    return "\n".join([*lines, " " * indent + "g()"]) + "\n"


def long_and_odd(seed):
    chance = random.Random(seed)
    words = ["async", "def", "await", "for", "(", ")", ":", "\n", "\n    ", "x", "=", "class", "with", "f'", "{", "}", "'", '"""', "\\", "@", "lambda", "yield", "\t", "match", "case", "*", ","]
    return {
        "random-bytes": {f"r{i}.py": chance.randbytes(chance.randrange(1, 5000)) for i in range(100)},
        "random-words": {f"w{i}.py": " ".join(chance.choices(words, k=400)) for i in range(200)},
        "elif": {"a.py": "async def f(x):\n    if x == 0:\n        g()\n" + "".join(f"    elif x == {i}:\n        await h{i}()\n" for i in range(5000))},
        "cases": {"a.py": "async def f(x):\n    match x:\n" + "".join(f"        case {i}:\n            await h()\n" for i in range(5000))},
        "excepts": {"a.py": "async def f():\n    try:\n        g()\n" + "".join(f"    except E{i}:\n        await h()\n" for i in range(5000))},
        "one-line-string": {"a.py": "x = '" + "a" * 1_000_000 + "'\n"},
        "one-line-sum": {"a.py": "x = [" + ",".join(f"f({i})" for i in range(150_000)) + "]\n"},
        "one-line-statements": {"a.py": "async def f(): " + ";".join("g()" for _ in range(250_000)) + "\n"},
        "one-line-name": {"a.py": "async def " + "a" * 1_000_000 + "(): pass\n"},
        "one-line-comment": {"a.py": "# racewalk: ignore[" + "a" * 1_000_000 + "\nx = 1\n"},
        "many-functions": {"a.py": "".join(f"async def f{i}():\n    f{i + 1}()\n" for i in range(20_000))},
        "many-awaits": {"a.py": "async def f():\n" + "    await g()\n" * 50_000},
        "call-chain-of-functions": {"a.py": "import time\n" + "".join(f"def f{i}():\n    f{i + 1}()\n" for i in range(20_000)) + "def f20000():\n    time.sleep(1)\nasync def main():\n    f0()\n"},
        "complete-call-graph": {"a.py": "".join(f"def f{i}():\n" + "".join(f"    f{j}()\n" for j in range(200)) for i in range(200)) + "async def main():\n    f0()\n"},
        "nul-bytes": {"a.py": b"x = 1\0\nasync def f():\n    g()\n", "b.py": b"\0" * 10_000},
        "utf-16": {"a.py": "async def f():\n    g()\n".encode("utf-16"), "b.py": "x = 1\n".encode("utf-32")},
        "latin-1": {"a.py": "# -*- coding: latin-1 -*-\nx = 'é'\n".encode("latin-1"), "b.py": "x = 'é'\n".encode("latin-1"), "c.py": b"# coding: nonsense\nx = 1\n"},
        "marks": {"a.py": b"\xef\xbb\xbfasync def f():\n    g()\n", "b.py": b"\xef\xbb\xbf", "c.py": b"", "d.py": b"\xff\xfe", "e.py": "x = '\ud800'\n"},
        "line-ends": {"a.py": b"async def f():\r    g()\r", "b.py": b"x = 1\r\n\ry = 2\f\n\x0b", "c.py": b"\\\n" * 10_000, "d.py": b"\t \t" * 10_000},
        "bad-configuration-inside": {"pyproject.toml": "[project]\nrequires-python = 'nonsense'\n[tool", "a.py": "x = 1\n"},
        "odd-names": {"a b.py": "import a\n", "é.py": "x = 1\n", "-x.py": "x = 1\n", "new\nline.py": "f(\n", "class.py": "class C: pass\n", "a.b.c.py": "x = 1\n"},
    }


def cycles():
    ring = 50
    return {
        "import-cycle": {f"m{i}.py": f"from m{(i + 1) % ring} import f, g\nfrom m{(i + 2) % ring} import *\nasync def use():\n    f()\n" for i in range(ring)},
        "import-self": {"a.py": "from a import a\nimport a.a.a as b\nfrom . import a\nfrom .... import z\nx = a.a.a()\nasync def f():\n    a.b()\n", "pkg/__init__.py": "from .pkg import *\nfrom pkg import pkg\n__all__ = __all__ + ['x']\n"},
        "class-cycle": {"a.py": "class A(B): pass\nclass B(C): pass\nclass C(A):\n    async def f(self):\n        self.g()\n        super().g()\nclass D(D): pass\nclass E(E.F):\n    class F(E): pass\nasync def m(a: A, d: D):\n    a.f()\n    d.f()\n"},
        "wide-diamonds": {"a.py": "class A0: pass\n" + "".join(f"class B{i}(A{i}): pass\nclass C{i}(A{i}): pass\nclass A{i + 1}(B{i}, C{i}):\n    async def f(self):\n        self.f()\n" for i in range(300))},
        "recursive-decorator": {"a.py": "@f\ndef f(x): return f(f)\n@g()\nasync def g(): return g\n@h\n@h\nclass h:\n    @h\n    async def h(self): self.h()\ndef d(fn):\n    @d\n    def w(*a): return w(*a)\n    return w\n@d\nasync def u():\n    u()\n"},
        "assignment-cycle": {"a.py": "a = b\nb = c\nc = a\nx = x\ny = y()\nz = z.z\nl = lambda: l()\nasync def f():\n    a()\n    y()\n    z()\n    l()\n"},
        "alias-cycle": {"a.py": "from typing import Optional\nT = Optional['T']\nU = list['U']\ntype V = V | list[V]\nasync def f(t: T, u: U, v: V):\n    t.x()\n    u[0].y()\n    v.z()\n"},
        "return-cycle": {"a.py": "def f(): return g()\ndef g(): return f()\nclass A:\n    def me(self): return self.you()\n    def you(self): return self.me()\nasync def m():\n    f().x()\n    A().me().you().z()\n"},
        "growing-type": {"a.py": "def f(x): return f([x])\ndef g(x): return (g, x, g(x))\nx = []\nfor i in y:\n    x = [x, x]\nasync def m():\n    f(1)\n    g(2)\n    x[0][0].z()\n"},
        "self-attribute-cycle": {"a.py": "class N:\n    def __init__(self):\n        self.next = self\n        self.prev = self.next.prev.next\n    async def f(self):\n        self" + ".next" * 2000 + ".f()\n"},
    }


def notebooks():
    def book(*cells, **more):
        return json.dumps({"cells": list(cells), "metadata": {}, "nbformat": 4, "nbformat_minor": 5, **more})

    def code(source):
        return {"cell_type": "code", "source": source, "metadata": {}, "outputs": [], "execution_count": None}

    good = book(code(["async def f():\n", "    pass\n", "f()"]), code("await f()"))
    return {
        "notebook-broken": {"cut.ipynb": good[:-40], "empty.ipynb": "", "null.ipynb": "null", "list.ipynb": "[]", "number.ipynb": "1", "bytes.ipynb": b"\xff\xfe\0", "cells.ipynb": '{"cells": 3}',
                            "nocells.ipynb": "{}", "deep.ipynb": "[" * 100_000, "cellnull.ipynb": book(None), "celltype.ipynb": book({"cell_type": 7, "source": {"a": 1}})},
        "notebook-odd": {"magic.ipynb": book(code("%%bash\nls"), code("!ls\n%time f()\n?x\nx??\n"), code(["a = (\n"]), code([")"]), code("")),
                         "other.ipynb": book(code("x <- 1"), metadata={"kernelspec": {"language": "R", "name": "ir"}}), "old.ipynb": json.dumps({"worksheets": [{"cells": []}], "nbformat": 3}),
                         "surrogate.ipynb": '{"cells":[{"cell_type":"code","source":"x=\'\\ud800\'","metadata":{},"outputs":[]}],"nbformat":4,"nbformat_minor":5,"metadata":{}}'},
        "notebook-huge": {"many.ipynb": book(*[code(f"async def f{i}():\n    f{i}()\n") for i in range(10_000)]), "line.ipynb": book(code("x = '" + "a" * 5_000_000 + "'")),
                          "output.ipynb": book({**code("f()"), "outputs": [{"output_type": "stream", "name": "stdout", "text": "a" * 20_000_000}]})},
    }


def links(where):
    where.mkdir()
    (where / "a.py").write_text("async def f():\n    g()\n")
    (where / "sub").mkdir()
    for name, target in (("loop", "."), ("sub/up", ".."), ("self.py", "self.py"), ("dead.py", "nowhere.py"), ("one.py", "two.py"), ("two.py", "one.py"), ("dir.py", "sub")):
        os.symlink(target, where / name)
    return Try("links", ["."], where, keep=where)


if __name__ == "__main__":
    main()
