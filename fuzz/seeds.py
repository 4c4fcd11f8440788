#!/usr/bin/env python3
"""Writes seed corpora for the fuzz targets: the Python blocks of the literate tests, and files of other trees.

    fuzz/seeds.py [--tree DIRECTORY]... [--count 500] [--seed 1]

fuzz/corpus/lower and fuzz/corpus/check hold one input a file: a byte for the mode, then the text. Python files of --tree
go to fuzz/corpus/lower-files, Go files to fuzz/corpus/go_syntax (without a mode), at most --count of each, chosen by
--seed, none over 8 kB. The corpora are git-ignored.
"""
import argparse
import hashlib
import json
import pathlib
import random
import re

HERE = pathlib.Path(__file__).resolve().parent
BLOCK = re.compile(r"^```python[^\n]*\n(.*?)^```", re.M | re.S)
LONGEST = 8192
# The first bytes as lib.rs and fuzz_targets/check.rs read them.
LOWER_PLAIN, LOWER_STUB, LOWER_CELLS, LOWER_NOTEBOOK = b"p", b"q", b"c", b"n"
CHECK_PLAIN, CHECK_MARKDOWN, CHECK_NOTEBOOK, CHECK_STUB = b"p", b"q", b"n", b"s"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tree", action="append", default=[], type=pathlib.Path)
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    pages = [path.read_text() for path in sorted((HERE.parent / "crates").rglob("*.md"))]
    blocks = [block for page in pages for block in BLOCK.findall(page)]
    for block in blocks:
        book = notebook(block)
        for mode, text in ((LOWER_PLAIN, block), (LOWER_STUB, block), (LOWER_CELLS, block), (LOWER_NOTEBOOK, book)):
            write("lower", mode, text.encode())
        for mode, text in ((CHECK_PLAIN, block), (CHECK_STUB, block), (CHECK_NOTEBOOK, book)):
            write("check", mode, text.encode())
    for page in pages:
        for case in re.split(r"(?m)^## ", page):
            write("check", CHECK_MARKDOWN, case.encode())
    for path in drawn("*.py", args):
        write("lower-files", LOWER_PLAIN, path.read_bytes())
    for path in drawn("*.go", args):
        write("go_syntax", b"", path.read_bytes())
    for corpus in sorted((HERE / "corpus").iterdir()):
        print(f"{corpus.relative_to(HERE.parent)}: {sum(1 for _ in corpus.iterdir())} seeds")


def drawn(pattern, args):
    files = sorted(path for tree in args.tree for path in tree.rglob(pattern) if path.is_file() and 0 < path.stat().st_size <= LONGEST)
    return random.Random(args.seed).sample(files, min(args.count, len(files)))


def notebook(text):
    half = text.find("\n\n") + 1
    cells = [{"cell_type": "code", "source": part, "metadata": {}, "outputs": [], "execution_count": None} for part in (text[:half], text[half:])]
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


def write(corpus, mode, data):
    directory = HERE / "corpus" / corpus
    directory.mkdir(parents=True, exist_ok=True)
    (directory / hashlib.sha1(mode + data).hexdigest()).write_bytes(mode + data)


if __name__ == "__main__":
    main()
