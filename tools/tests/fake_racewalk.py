#!/usr/bin/env python3
"""A stand-in for the analyser, to try the tools without it: the same command line and JSON, and one naive rule.

It reports `missing-await` on `name(…)` and `self.name(…)` statements where every `def name` of the tree is async.
"""
import ast
import hashlib
import json
import pathlib
import sys


def modules(root):
    for path in sorted(pathlib.Path(root).rglob("*.py")):
        try:
            yield path, ast.parse(path.read_bytes())
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue


def callee(call):
    return call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", None)


def async_names(trees):
    names = {True: set(), False: set()}
    for _, tree in trees:
        for node in ast.walk(tree):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                names[isinstance(node, ast.AsyncFunctionDef)].add(node.name)
    return names[True] - names[False]


def findings(path, tree, names, symbol=""):
    for node in ast.iter_child_nodes(tree):
        inner = symbol
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            inner = f"{symbol}.{node.name}".lstrip(".")
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and callee(node.value) in names:
            yield finding(path, node.value, symbol)
        yield from findings(path, node, names, inner)


def finding(path, call, symbol):
    start = {"line": call.lineno, "column": call.col_offset + 1}
    return {"rule": "await/missing-await", "severity": "error", "confidence": "certain", "path": str(path), "symbol": symbol,
            "range": {"start": start, "end": {"line": call.end_lineno, "column": call.end_col_offset + 1}},
            "fingerprint": hashlib.sha1(f"{path}{symbol}{ast.dump(call)}".encode()).hexdigest()[:12], "cluster": "", "reached_from": [],
            "message": f"`{callee(call)}` is called and not awaited", "why_it_hides": "", "help": "", "notes": [], "related": [], "chain": [], "fixes": []}


def main():
    root = sys.argv[-1]
    if not pathlib.Path(root).exists():
        raise SystemExit(2)
    trees = list(modules(root))
    if sys.argv[1:3] == ["debug", "parse-only"]:
        return
    names = async_names(trees)
    if sys.argv[1:3] == ["debug", "awaits"]:
        for path, tree in trees:
            for node in ast.walk(tree):
                if isinstance(node, ast.Await) and isinstance(node.value, ast.Call):
                    print(json.dumps({"path": str(path), "line": node.value.lineno, "column": node.value.col_offset + 1,
                                      "answer": "yes" if callee(node.value) in names else "unknown", "why": "by name"}))
        return
    found = [f for path, tree in trees for f in findings(path, tree, names)]
    summary = {"files": len(trees), "lines": 0, "functions": 0, "async_functions": 0, "findings": len(found), "skipped": []}
    print(json.dumps({"version": 1, "tool": "fake 0", "summary": summary, "findings": found}))
    raise SystemExit(bool(found))


if __name__ == "__main__":
    main()
