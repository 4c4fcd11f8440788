"""What the measuring tools share: places, downloads, measured processes, calls of the analyser."""
import hashlib
import json
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import time
import zipfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
BENCH = ROOT / ".bench"
PYTHON_SUFFIXES = {".py", ".pyi"}


def default_bin():
    return ROOT / "target" / "release" / "racewalk"


def add_common_arguments(parser):
    """--bin and --bench, which every tool takes."""
    parser.add_argument("--bin", type=absolute, default=default_bin(), help="the analyser (default: target/release/racewalk)")
    parser.add_argument("--bench", type=absolute, default=BENCH, help="where downloads and caches go (default: .bench in the project)")


def absolute(path):
    return pathlib.Path(path).resolve()


def say(*words):
    print(*words, file=sys.stderr, flush=True)


# Python itself

def use_newest_python():
    """Runs this program again under the newest Python found: an older `ast` rejects newer syntax."""
    if os.environ.get("RACEWALK_TOOLS_PYTHON"):
        return
    os.environ["RACEWALK_TOOLS_PYTHON"] = "chosen"
    best = max(candidate_pythons(), default=None)
    if best and best[0] > sys.version_info[:2]:
        os.execv(best[1], [best[1], *sys.argv])


def candidate_pythons():
    pyenv = pathlib.Path(os.environ.get("PYENV_ROOT", pathlib.Path.home() / ".pyenv"))
    names = [f"python3.{minor}" for minor in range(12, 20)]
    for name in [*names, *map(str, pyenv.glob("versions/3.*/bin/python3"))]:
        try:
            done = subprocess.run([name, "-c", "import sys; print(*sys.version_info[:2], sys.executable)"],
                                  capture_output=True, text=True, timeout=10)
        except OSError:
            continue
        if done.returncode == 0:
            major, minor, executable = done.stdout.split(maxsplit=2)
            yield (int(major), int(minor)), executable.strip()


# Packages

def installed(bench, command, *requirements):
    """The path of `command` in the private environment, after installing what provides it."""
    stamp = hashlib.sha1(" ".join(requirements).encode()).hexdigest()[:8]
    venv = bench / f"venv-{requirements[0].split('==')[0]}-{stamp}"
    path = venv / "bin" / command
    if not path.exists():
        say(f"installing {' '.join(requirements)} …")
        subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
        subprocess.run([str(venv / "bin" / "pip"), "install", "-q", "--disable-pip-version-check", *requirements], check=True)
    return path


def downloaded(bench, package, version, python="3.14"):
    """The directory of a package's unpacked wheel, without its dependencies."""
    tree = bench / "trees" / f"{package}-{version}"
    if tree.is_dir():
        return tree
    with tempfile.TemporaryDirectory() as wheels:
        say(f"downloading {package}=={version} …")
        subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--disable-pip-version-check", "--no-deps",
                        "--only-binary=:all:", "--python-version", python, "-d", wheels, f"{package}=={version}"], check=True)
        unpacked = tree.with_name(tree.name + ".part")
        for wheel in pathlib.Path(wheels).glob("*.whl"):
            zipfile.ZipFile(wheel).extractall(unpacked)
    unpacked.rename(tree)
    return tree


def package_name_and_version(tree):
    """From the tree's own .dist-info, else the directory's name and a digest of its files."""
    infos = sorted(tree.glob("*.dist-info"))
    if infos:
        name, _, version = infos[0].name.removesuffix(".dist-info").partition("-")
        return name.replace("_", "-"), version
    return tree.name, "sha1:" + tree_digest(tree)[:12]


# Trees

def source_files(tree, suffixes=PYTHON_SUFFIXES):
    """Python files below a directory, sorted, without hidden directories."""
    for path in sorted(tree.rglob("*")):
        if path.suffix in suffixes and path.is_file() and not any(p.startswith(".") for p in path.relative_to(tree).parts):
            yield path


def count_lines(paths):
    return sum(p.read_bytes().count(b"\n") for p in paths)


def tree_digest(tree):
    digest = hashlib.sha1()
    for path in source_files(tree):
        digest.update(str(path.relative_to(tree)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


# Processes

class Run:
    """A finished process: status, CPU and wall seconds, peak memory in MB, output where asked for."""

    def __init__(self, status, cpu, wall, rss, out="", err="", timed_out=False):
        self.status, self.cpu, self.wall, self.rss = status, cpu, wall, rss
        self.out, self.err, self.timed_out = out, err, timed_out


def run_measured(command, cwd=None, keep_output=False, timeout=None, memory=None):
    """Runs a command and measures it with wait4: user + system time with its children, and peak memory.

    `status` is the exit status, or minus the signal's number. `memory` limits the address space, in bytes.
    Linux counts this program's own memory (some 20 MB) into a child's peak: smaller peaks cannot be told apart.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        sink = out if keep_output else subprocess.DEVNULL
        began = time.monotonic()
        child = subprocess.Popen([str(c) for c in command], cwd=cwd, stdin=subprocess.DEVNULL, stdout=sink,
                                 stderr=err if keep_output else subprocess.DEVNULL)
        if memory:
            resource.prlimit(child.pid, resource.RLIMIT_AS, (memory, memory))
        status, usage, timed_out = wait4(child.pid, timeout)
        wall = time.monotonic() - began
        child.returncode = status  # it has been waited for here: Popen must not do it again
        text = [read_back(f) if keep_output else "" for f in (out, err)]
    return Run(status, usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / 1024, *text, timed_out)


def wait4(pid, timeout):
    if timeout is None:
        _, status, usage = os.wait4(pid, 0)
        return os.waitstatus_to_exitcode(status), usage, False
    deadline, timed_out = time.monotonic() + timeout, False
    while True:
        done, status, usage = os.wait4(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status), usage, timed_out
        if not timed_out and time.monotonic() > deadline:
            os.kill(pid, 9)
            timed_out = True
        time.sleep(0.002)


def read_back(file):
    file.seek(0)
    return file.read().decode("utf-8", "replace")


# The analyser

def check_command(binary, path=".", *options):
    return [binary, "check", "--isolated", "--no-cache", "--output-format", "json", *options, path]


def check(binary, tree, *options, timeout=600):
    """The analyser's report on a whole tree, paths relative to the tree."""
    done = subprocess.run([str(c) for c in check_command(binary, ".", *options)], cwd=tree, capture_output=True, timeout=timeout)
    if done.returncode not in (0, 1):
        raise RuntimeError(f"{binary} on {tree}: exit {done.returncode}: {done.stderr.decode('utf-8', 'replace').strip()[-300:]}")
    return json.loads(done.stdout)


def short(rule):
    return rule.rsplit("/", 1)[-1]


def clean_path(path):
    return os.path.normpath(path)


def table(head, rows, markdown=False):
    """Aligned columns, or a Markdown table."""
    rows = [[str(c) for c in row] for row in [head, *rows]]
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    lines = ["  ".join(c.ljust(w) for c, w in zip(row, widths)).rstrip() for row in rows]
    if not markdown:
        return "\n".join(lines)
    rule = ["---"] * len(head)
    return "\n".join("| " + " | ".join(row) + " |" for row in [rows[0], rule, *rows[1:]])
