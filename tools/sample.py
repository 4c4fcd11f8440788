#!/usr/bin/env python3
"""The precision sample: which findings are true, judged in the source, and replayed for ever after.

draw    runs the analyser at default settings on each tree and draws, seeded, at most --per-rule findings of each rule
        from each code base into a working file (with context and chain: third-party code, so it stays in .bench).
judge   prints what has no verdict yet, so that a reader can judge it in the source; `--second N` prints N judged ones,
        seeded, without their verdict, for a second judgement.
record  writes a verdict into the working file and, without context, into corpus/<code base>.jsonl.
tally   precision of errors and warnings, of hints, by rule and by code base, and the agreement of second verdicts.
replay  runs the analyser again on the judged code bases (found under --trees, else downloaded where their name and version
        is a wheel of PyPI). Fails when a false positive that had gone is reported again; lists true findings that vanished
        and false ones still reported. `--update` marks the false ones that are gone, which arms the test for them.

True: it happens on some execution and a maintainer would change the code. Harmless or intended counts as false.
"""
import argparse
import collections
import hashlib
import json
import pathlib
import random
import subprocess

from _common import ROOT, absolute, add_common_arguments, check, clean_path, downloaded, package_name_and_version, say, short, table

KEPT = ["id", "codebase", "version", "rule", "severity", "path", "line", "symbol", "text", "fingerprint", "message", "verdict", "reason", "second", "gone"]
BARS = {"errors and warnings": 90.0, "hints": 80.0}
WANTED = 150


def main():
    args = arguments()
    args.run(args)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)

    def command(name, run, about):
        sub = commands.add_parser(name, help=about)
        sub.add_argument("--corpus", type=absolute, default=ROOT / "corpus", help="directory of verdicts (default: corpus)")
        sub.set_defaults(run=run)
        return sub

    sub = command("draw", run_draw, "draw findings to judge")
    sub.add_argument("trees", nargs="+", type=absolute)
    sub.add_argument("--out", required=True, type=absolute, help="the working file, for instance .bench/sample.jsonl")
    sub.add_argument("--seed", type=int, default=1)
    sub.add_argument("--per-rule", type=int, default=15, help="at most, a rule and code base (default: 15)")
    sub.add_argument("--total", type=int, help="at most over all, taken in turn from every rule and code base")
    sub.add_argument("--context", type=int, default=12, help="lines of context (default: 12)")
    add_common_arguments(sub)
    sub = command("judge", run_judge, "print what is to be judged")
    sub.add_argument("file", type=absolute)
    sub.add_argument("--second", type=int, metavar="N", help="N judged ones, verdicts hidden")
    sub.add_argument("--seed", type=int, default=1)
    sub.add_argument("--limit", type=int, help="at most so many")
    sub.add_argument("--rule", help="only this rule")
    sub = command("record", run_record, "write a verdict")
    sub.add_argument("file", type=absolute)
    sub.add_argument("id")
    sub.add_argument("verdict", choices=["true", "false"])
    sub.add_argument("reason")
    sub.add_argument("--second", action="store_true", help="this is the second verdict")
    sub = command("tally", run_tally, "precision")
    sub.add_argument("files", nargs="*", type=absolute, help="working or verdict files (default: corpus/*.jsonl)")
    sub.add_argument("--markdown", action="store_true", help="print Markdown tables")
    sub = command("replay", run_replay, "the verdicts as a test")
    sub.add_argument("--trees", type=absolute, help="directory of code bases, to be used before downloading")
    sub.add_argument("--offline", action="store_true", help="download nothing: skip code bases that are not there")
    sub.add_argument("--update", action="store_true", help="mark false positives that are no longer reported")
    sub.add_argument("--strict", action="store_true", help="fail on every false positive still reported too")
    add_common_arguments(sub)
    return parser.parse_args()


# Files

def load(path):
    return [json.loads(line) for line in path.read_text().splitlines() if line.strip()] if path.exists() else []


def save(path, items):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(item, ensure_ascii=False) + "\n" for item in items))


def identity(item):
    """What makes two findings of different runs the same one."""
    return item["codebase"], item["rule"], item["path"], item["fingerprint"]


# Draw

def run_draw(args):
    drawn = [item for tree in args.trees for item in drawn_from(tree, args)]
    if args.total:
        drawn = in_turn(drawn, args.total)
    judged = {identity(v): v for path in args.corpus.glob("*.jsonl") for v in load(path)}
    for item in drawn:
        known = judged.get(identity(item), {})
        item.update({k: known[k] for k in ("verdict", "reason", "second") if known.get(k)})
    save(args.out, drawn)
    counts = collections.Counter((item["codebase"], item["rule"]) for item in drawn)
    print(table(["code base", "rule", "drawn"], [[*k, n] for k, n in sorted(counts.items())]))
    print(f"{len(drawn)} drawn from {len({i['codebase'] for i in drawn})} code bases, {sum('verdict' in i for i in drawn)} judged before")
    if len(drawn) < WANTED:
        say(f"fewer than {WANTED}: add code bases or raise --per-rule")


def drawn_from(tree, args):
    name, version = package_name_and_version(tree)
    by_rule = collections.defaultdict(list)
    for finding in check(args.bin, tree)["findings"]:
        by_rule[finding["rule"]].append(finding)
    for rule, findings in sorted(by_rule.items()):
        chooser = random.Random(f"{args.seed} {name} {rule}")
        for finding in chooser.sample(findings, min(args.per_rule, len(findings))):
            yield item(tree, name, version, finding, args.context)


def item(tree, name, version, finding, context):
    path, line = clean_path(finding["path"]), finding["range"]["start"]["line"]
    lines = [] if "cell" in finding else (tree / path).read_bytes().decode("utf-8", "replace").splitlines()
    first = max(0, line - 1 - context // 2)
    shown = [f"{n:>6} {'>' if n == line else ' '} {text}" for n, text in enumerate(lines[first:line + context // 2], first + 1)]
    ident = hashlib.sha1(f"{name} {version} {finding['rule']} {path} {line} {finding['fingerprint']}".encode()).hexdigest()[:8]
    return {"id": ident, "codebase": name, "version": version, "rule": finding["rule"], "severity": finding["severity"], "path": path,
            "line": line, "symbol": finding["symbol"], "text": lines[line - 1].strip()[:200] if line <= len(lines) else "",
            "fingerprint": finding["fingerprint"], "message": finding["message"], "help": finding.get("help", ""), "context": shown,
            "chain": finding.get("chain", []), "related": finding.get("related", []), "notes": finding.get("notes", [])}


def in_turn(items, total):
    """Round-robin over the strata, in order: every rule of every code base gives one before any gives a second."""
    strata, chosen = collections.defaultdict(list), []
    for one in items:
        strata[one["codebase"], one["rule"]].append(one)
    while len(chosen) < total and any(strata.values()):
        for name in sorted(strata):
            if strata[name] and len(chosen) < total:
                chosen.append(strata[name].pop(0))
    return sorted(chosen, key=lambda i: (i["codebase"], i["rule"], i["path"], i["line"]))


# Judge

def run_judge(args):
    items = [i for i in load(args.file) if not args.rule or short(i["rule"]) == short(args.rule)]
    if args.second:
        judged = [i for i in items if "verdict" in i]
        twice = random.Random(args.seed).sample(judged, min(args.second, len(judged)))
        waiting = [i for i in twice if "second" not in i]
    else:
        waiting = [i for i in items if "verdict" not in i]
    for one in waiting[:args.limit]:
        print(readable(one))
    print(f"{len(waiting)} waiting of {len(items)}")


def readable(item):
    lines = [f"=== {item['id']}  {item['rule']} ({item['severity']})  {item['codebase']} {item['version']}",
             f"{item['path']}:{item['line']} in {item['symbol'] or '<module>'}", item["message"], *item.get("context", [])]
    lines += [f"  chain: {hop['via']} {hop['symbol']} ({hop['path']}:{hop['line']})" for hop in item.get("chain", [])]
    lines += [f"  related: {r['path']}:{r['range']['start']['line']}: {r['message']}" for r in item.get("related", [])[:5]]
    lines += [f"  {n['kind']}: {n['message']}" for n in item.get("notes", [])]
    return "\n".join(lines) + "\n"


def run_record(args):
    items = load(args.file)
    found = [i for i in items if i["id"] == args.id]
    if not found:
        raise SystemExit(f"no item {args.id} in {args.file.name}")
    one = found[0]
    if args.second:
        one["second"] = {"verdict": args.verdict == "true", "reason": args.reason}
    else:
        one.update(verdict=args.verdict == "true", reason=args.reason)
    save(args.file, items)
    if "verdict" in one:
        keep_verdict(args.corpus / f"{one['codebase']}.jsonl", one)


def keep_verdict(path, item):
    kept = [v for v in load(path) if identity(v) != identity(item)]
    kept.append({k: item[k] for k in KEPT if k in item})
    save(path, sorted(kept, key=lambda v: (v["rule"], v["path"], v["line"], v["id"])))


# Tally

def run_tally(args):
    items = [i for path in args.files or sorted(args.corpus.glob("*.jsonl")) for i in load(path)]
    judged = [i for i in items if "verdict" in i]
    groups = collections.OrderedDict((name, [i for i in judged if (i["severity"] == "hint") == (name == "hints")]) for name in BARS)
    rows = [[name, *figures(those), f"{BARS[name]:.0f} %", "pass" if share(those) >= BARS[name] else "FAIL"] for name, those in groups.items() if those]
    print(table(["findings", "judged", "true", "precision", "bar", ""], rows, args.markdown) + "\n")
    for field in ("rule", "codebase"):
        by = collections.defaultdict(list)
        for one in judged:
            by[one[field]].append(one)
        print(table([field, "judged", "true", "precision"], [[name, *figures(those)] for name, those in sorted(by.items())], args.markdown) + "\n")
    twice = [i for i in judged if "second" in i]
    agreed = sum(i["verdict"] == i["second"]["verdict"] for i in twice)
    print(f"second verdicts: {agreed} of {len(twice)} agree; {len(items) - len(judged)} without a verdict")


def share(items):
    return 100 * sum(i["verdict"] for i in items) / max(1, len(items))


def figures(items):
    return [len(items), sum(i["verdict"] for i in items), f"{share(items):.1f} %"]


# Replay

def run_replay(args):
    failed = False
    for path in sorted(args.corpus.glob("*.jsonl")):
        verdicts = load(path)
        tree = code_base(verdicts[0], args) if verdicts else None
        if tree is None:
            print(f"{path.stem}: skipped, its tree is not here")
            continue
        failed |= replayed(path, verdicts, tree, args)
    raise SystemExit(1 if failed else 0)


def code_base(verdict, args):
    name, version = verdict["codebase"], verdict["version"]
    for tree in sorted(args.trees.iterdir()) if args.trees else []:
        if tree.is_dir() and same_code_base(tree, name, version):
            return tree
    if version.startswith(("sha1:", "git:")):
        return None
    if args.offline:
        tree = args.bench / "trees" / f"{name}-{version}"
        return tree if tree.is_dir() else None
    for python in ("3.14", "3.13", "3.12"):
        try:
            return downloaded(args.bench, name, version, python)
        except subprocess.CalledProcessError:
            continue
    return None


def same_code_base(tree, name, version):
    if version.startswith("sha1:") and tree.name != name:
        return False
    return package_name_and_version(tree) == (name, version) if version.startswith("sha1:") or any(tree.glob("*.dist-info")) else False


def replayed(path, verdicts, tree, args):
    """Whether the test fails on this code base."""
    texts, findings = {}, check(args.bin, tree)["findings"]
    prints = {(f["rule"], clean_path(f["path"]), f["fingerprint"]) for f in findings}
    places = {(f["rule"], clean_path(f["path"]), f["symbol"], line_text(tree, f, texts)) for f in findings}
    again = still = gone = 0
    for v in verdicts:
        reported = (v["rule"], v["path"], v["fingerprint"]) in prints or (v["rule"], v["path"], v["symbol"], v["text"]) in places
        where = f"{v['codebase']}/{v['path']}:{v['line']} {v['rule']} ({v['id']}): {v['reason']}"
        if v["verdict"] and not reported:
            gone += 1
            print(f"vanished, judged true: {where}")
        elif not v["verdict"] and reported:
            again, still = again + bool(v.get("gone")), still + 1
            print(f"{'REPORTED AGAIN' if v.get('gone') else 'still reported'}, judged false: {where}")
        elif not v["verdict"] and args.update:
            v["gone"] = True
    if args.update:
        save(path, verdicts)
    print(f"{path.stem}: {len(verdicts)} verdicts, {still} false still reported ({again} again), {gone} true vanished")
    return bool(again or (args.strict and still))


def line_text(tree, finding, texts):
    path, line = clean_path(finding["path"]), finding["range"]["start"]["line"]
    if path not in texts:
        texts[path] = (tree / path).read_bytes().decode("utf-8", "replace").splitlines()
    return texts[path][line - 1].strip()[:200] if "cell" not in finding and line <= len(texts[path]) else ""


if __name__ == "__main__":
    main()
