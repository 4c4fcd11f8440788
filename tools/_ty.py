"""What ty knows about the calls that a tree awaits. Two documented facilities, no guessing:

1. `reveal_type`: a copy of the tree is made in which the operand of every `await f(…)` is wrapped, `await
   reveal_type(f(…))`; one `ty check` over it prints the type of every operand (about as fast as `ty check` itself).
2. `textDocument/definition` on the callee's name, asked of `ty server` over that same copy: the file and line of what it
   calls, outside the tree when it is standard library. Several servers; answers are kept a file at a
   time, so a run that was stopped goes on where it was; a server that doesn't answer in time is killed, its file given up.
"""
import ast
import concurrent.futures
import json
import pathlib
import queue
import re
import shutil
import subprocess
import threading
import time
import urllib.parse
import warnings

from _common import installed, say, source_files, tree_digest

TY = "ty==0.0.104"
WRAP = "reveal_type("
REVEALED = re.compile(r"^(.*?):(\d+):(\d+): info\[revealed-type\] Revealed type: `(.*)`$")
warnings.simplefilter("ignore")


# Awaits in a source

def parse(path):
    """(text, lines, tree), or None where this Python cannot read the file."""
    try:
        data = path.read_bytes()
        tree = ast.parse(data)
        text = data.decode("utf-8-sig")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return text, split_lines(text), tree


def split_lines(text):
    """As Python counts them: only \\n, \\r and \\r\\n end a line."""
    return re.split(r"(?<=\n)|(?<=\r)(?!\n)", text)


def column(lines, line, utf8_offset):
    """A column in code points, from 0, of what `ast` counts in bytes."""
    return len(lines[line - 1].encode()[:utf8_offset].decode("utf-8", "ignore"))


def awaited_calls(tree):
    return [n for n in ast.walk(tree) if isinstance(n, ast.Await) and isinstance(n.value, ast.Call)]


def callee_position(call, lines):
    """(line from 1, column from 0) of the last name of the callee, or None when it has none."""
    f = call.func
    if isinstance(f, ast.Name):
        return f.lineno, column(lines, f.lineno, f.col_offset)
    if isinstance(f, ast.Attribute):
        return f.end_lineno, column(lines, f.end_lineno, f.end_col_offset) - len(f.attr)
    return None


def sites_of(path):
    """One entry an awaited call: operand line, column, end, callee position, all in code points (lines from 1, columns from 0)."""
    parsed = parse(path)
    if parsed is None:
        return None, []
    text, lines, tree = parsed
    found = []
    for node in awaited_calls(tree):
        call = node.value
        found.append({"line": call.lineno, "column": column(lines, call.lineno, call.col_offset),
                      "end": (call.end_lineno, column(lines, call.end_lineno, call.end_col_offset)),
                      "callee": callee_position(call, lines), "node": node})
    return lines, sorted(found, key=lambda s: (s["line"], s["column"]))


# The copy in which every operand is revealed

def insertions(sites):
    """(line, column, text), in order; at one place closing brackets come first."""
    marks = []
    for s in sites:
        marks.append((s["line"], s["column"], 1, WRAP))
        marks.append((*s["end"], 0, ")"))
    return sorted(marks)


def wrapped(lines, sites):
    marks, out = insertions(sites), []
    by_line = {}
    for line, col, _, text in marks:
        by_line.setdefault(line, []).append((col, text))
    for number, source in enumerate(lines, 1):
        at = 0
        for col, text in by_line.get(number, ()):
            out += [source[at:col], text]
            at = col
        out.append(source[at:])
    return "".join(out)


def shift(marks, line, col, inclusive):
    """How far insertions on the same line move a column."""
    return sum(len(text) for l, c, _, text in marks if l == line and (c < col or (inclusive and c == col)))


def make_copy(tree, copy):
    """Writes the wrapped copy; returns {path: sites}, each site knowing its place in the copy, and the unparsed files."""
    everything, unparsed = {}, []
    if copy.exists():
        shutil.rmtree(copy)
    for path in source_files(tree):
        target = copy / path.relative_to(tree)
        target.parent.mkdir(parents=True, exist_ok=True)
        lines, sites = sites_of(path) if path.suffix == ".py" else ([], [])
        if lines is None:
            unparsed.append(str(path.relative_to(tree)))
        if not sites:
            shutil.copyfile(path, target)
            continue
        target.write_text(wrapped(lines, sites), encoding="utf-8", newline="")
        everything[str(path.relative_to(tree))] = [placed(s, insertions(sites)) for s in sites]
    return everything, unparsed


def placed(site, marks):
    site = {k: v for k, v in site.items() if k != "node"}
    # Nested operands that start at the same place reveal at different columns: the outermost bracket comes first.
    site["copy_column"] = site["column"] + shift(marks, site["line"], site["column"], True)
    if site["callee"]:
        line, col = site["callee"]
        site["copy_callee"] = (line, col + shift(marks, line, col, True))
    return site


# Pass 1: the type of every operand

def configure(copy, python_version, environment):
    (copy / "ty.toml").write_text(f"""[environment]
python-version = "{python_version}"
python = "{environment}"
root = ["."]
[src]
respect-ignore-files = false
[rules]
all = "ignore"
""")


def revealed(ty, copy, timeout):
    done = subprocess.run([str(ty), "check", "--output-format", "concise", "--no-progress", "--exit-zero", "--color", "never", "."],
                          cwd=copy, capture_output=True, text=True, timeout=timeout)
    types = {}
    for line in done.stdout.splitlines():
        if m := REVEALED.match(line):
            types[m[1], int(m[2]), int(m[3])] = m[4]
    if not types and done.returncode:
        raise RuntimeError(f"ty check: exit {done.returncode}: {done.stderr[-300:]}")
    return types


def is_coroutine(type_text):
    """Whether every member of the revealed type is a coroutine object."""
    return bool(type_text) and all(m.startswith(("CoroutineType[", "Coroutine[")) for m in union_members(type_text))


def union_members(text):
    depth, start, members = 0, 0, []
    for i, c in enumerate(text):
        depth += (c in "[(") - (c in "])")
        if c == "|" and depth == 0:
            members.append(text[start:i].strip(" ()"))
            start = i + 1
    return [*members, text[start:].strip(" ()")]


# Pass 2: definitions, over the language server protocol

class Hang(Exception):
    pass


class Server:
    """A `ty server` process. Requests of a file are sent together and answered in any order."""

    def __init__(self, ty, root):
        self.process = subprocess.Popen([str(ty), "server"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=root)
        self.inbox, self.next_id = queue.Queue(), 0
        threading.Thread(target=self.listen, daemon=True).start()
        uri = root.as_uri()
        self.answers([self.send("initialize", {
            "processId": None, "rootUri": uri, "workspaceFolders": [{"uri": uri, "name": "tree"}],
            "initializationOptions": {"diagnosticMode": "off"},
            "capabilities": {"general": {"positionEncodings": ["utf-32"]}, "textDocument": {"diagnostic": {}}}})], 60)
        self.send("initialized", {}, notify=True)

    def send(self, method, params, notify=False):
        message = {"jsonrpc": "2.0", "method": method, "params": params}
        if not notify:
            self.next_id += 1
            message["id"] = self.next_id
        self.write(message)
        return message.get("id")

    def write(self, message):
        body = json.dumps(message).encode()
        try:
            self.process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
            self.process.stdin.flush()
        except OSError as error:
            raise Hang("the server is gone") from error

    def listen(self):
        stream = self.process.stdout
        while header := stream.readline():
            if header.lower().startswith(b"content-length:"):
                length = int(header.split(b":")[1])
            elif header == b"\r\n":
                self.inbox.put(json.loads(stream.read(length)))
        self.inbox.put(None)

    def answers(self, ids, seconds):
        """{id: result} of these requests; requests of the server's own get an empty answer."""
        waiting, got, deadline = set(ids), {}, time.monotonic() + seconds
        while waiting:
            try:
                message = self.inbox.get(timeout=max(0.01, deadline - time.monotonic()))
            except queue.Empty:
                raise Hang("no answer in time") from None
            if message is None:
                raise Hang("the server ended")
            if "method" in message:
                if "id" in message:
                    self.write({"jsonrpc": "2.0", "id": message["id"], "result": None})
            elif message["id"] in waiting:
                waiting.discard(message["id"])
                got[message["id"]] = message.get("result")
        return got

    def definitions(self, path, positions, seconds):
        """For each (line from 1, column from 0): a list of (file path, line from 1, column from 0)."""
        document = {"uri": path.as_uri()}
        self.send("textDocument/didOpen", {"textDocument": {**document, "languageId": "python", "version": 1,
                                                            "text": path.read_bytes().decode("utf-8", "replace")}}, notify=True)
        ids = [self.send("textDocument/definition", {"textDocument": document, "position": {"line": l - 1, "character": c}})
               for l, c in positions]
        got = self.answers(ids, seconds)
        self.send("textDocument/didClose", {"textDocument": document}, notify=True)
        return [targets(got[i]) for i in ids]

    def kill(self):
        self.process.kill()
        self.process.wait()


def targets(result):
    if result is None:
        return []
    found = []
    for place in result if isinstance(result, list) else [result]:
        uri = place.get("targetUri") or place.get("uri")
        span = place.get("targetSelectionRange") or place.get("range")
        parts = urllib.parse.urlparse(uri)
        found.append((urllib.parse.unquote(parts.path), span["start"]["line"] + 1, span["start"]["character"]))
    return found


class Definitions:
    """Asks several servers, a file at a time, and appends every file's answers to a JSON lines cache."""

    def __init__(self, ty, copy, cache, servers, seconds, restart_every=400):
        self.ty, self.copy, self.cache, self.servers = ty, copy, cache, servers
        self.seconds, self.restart_every, self.lock = seconds, restart_every, threading.Lock()

    def known(self):
        if not self.cache.exists():
            return {}
        rows = (json.loads(line) for line in self.cache.read_text().splitlines() if line.endswith("}"))
        return {row["path"]: row["definitions"] for row in rows}

    def ask(self, wanted, budget):
        """wanted: {path: [positions]}. Returns {path: [targets] or None}; files over the budget are left out."""
        answered = self.known()
        todo = queue.Queue()
        for path in sorted(p for p in wanted if p not in answered):
            todo.put(path)
        self.total, self.begun, self.deadline = todo.qsize(), time.monotonic(), time.monotonic() + budget
        if self.total:
            say(f"  ty server: {self.total} files to ask about, {len(answered)} known")
        self.cache.parent.mkdir(parents=True, exist_ok=True)
        with self.cache.open("a") as self.out, concurrent.futures.ThreadPoolExecutor(self.servers) as pool:
            for done in [pool.submit(self.work, todo, wanted, answered) for _ in range(self.servers)]:
                done.result()
        return answered

    def work(self, todo, wanted, answered):
        server, used = None, 0
        while time.monotonic() < self.deadline:
            try:
                path = todo.get_nowait()
            except queue.Empty:
                break
            if server and used >= self.restart_every:
                server.kill()
                server = None
            if server is None:
                server, used = Server(self.ty, self.copy), 0
            try:
                answer = server.definitions(self.copy / path, wanted[path], self.seconds)
            except Hang as why:
                say(f"  {path}: {why}; the server is started again")
                server.kill()
                server, answer = None, None
            used += 1
            self.note(path, answer, answered, todo)
        if server:
            server.kill()

    def note(self, path, answer, answered, todo):
        with self.lock:
            answered[path] = answer
            self.out.write(json.dumps({"path": path, "definitions": answer}) + "\n")
            self.out.flush()
            left = todo.qsize()
            if left % 200 == 0:
                say(f"  {self.total - left}/{self.total} files, {time.monotonic() - self.begun:.0f} s")


# Both passes together

def known_calls(tree, bench, python_version="3.14", servers=2, seconds=30, budget=1800, ty_requirement=TY):
    """Every awaited call of the tree: path, line, column (from 1), ty's type of the operand, the callee's definitions.

    `definitions` is a list of [path relative to the tree, or absolute outside it, line from 1, column from 0], or None
    where ty gave up.
    """
    ty = installed(bench, "ty", ty_requirement)
    home = bench / "ty" / f"{tree.name}-{tree_digest(tree)[:12]}-{ty_requirement.replace('==', '-')}-py{python_version}"
    copy = (home / "copy").resolve()
    say(f"{tree.name}: copying, every awaited call wrapped in reveal_type …")
    sites, unparsed = make_copy(tree, copy)
    configure(copy, python_version, ty.parent.parent)
    if unparsed:
        say(f"  this Python cannot parse {len(unparsed)} files, left out: {', '.join(unparsed[:3])} …")
    types = cached_types(ty, copy, home / "types.json", budget)
    asker = Definitions(ty, copy, home / "definitions.jsonl", servers, seconds)
    wanted = {path: [tuple(s["copy_callee"]) for s in those if s["callee"]] for path, those in sites.items()}
    answers = asker.ask(wanted, budget)
    return [call for path, those in sorted(sites.items()) for call in joined(path, those, types, answers.get(path), copy)]


def cached_types(ty, copy, cache, budget):
    if cache.exists():
        return {tuple(key): value for key, value in json.loads(cache.read_text())}
    began = time.monotonic()
    types = revealed(ty, copy, budget)
    say(f"  ty check: {len(types)} types revealed in {time.monotonic() - began:.0f} s")
    cache.write_text(json.dumps([[list(k), v] for k, v in types.items()]))
    return types


def joined(path, sites, types, answers, copy):
    rest = iter(answers) if answers is not None else None
    for s in sites:
        definitions = None if rest is None else [relative(t, copy) for t in next(rest)] if s["callee"] else []
        yield {"path": path, "line": s["line"], "column": s["column"] + 1, "end": s["end"],
               "type": types.get((path, s["line"], s["copy_column"] + 1)), "definitions": definitions}


def relative(target, copy):
    path, *place = target
    inside = pathlib.Path(path)
    return [str(inside.relative_to(copy)) if inside.is_relative_to(copy) else path, *place]


def outside(definition):
    """Standard library or typeshed: the private environment that ty is pointed at holds nothing else."""
    return pathlib.PurePath(definition[0]).is_absolute()
