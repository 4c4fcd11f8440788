"""Stand-ins in generated tests. This file stands on its own: what is below the line is copied into them as it is.

`Fake` does what `stubs.Stub`, `stubs.Value` and `stubs.Reply` do, in one class and in little space; labels and numbers
are the same, so that a schedule which was found with those can be replayed with this.
"""
# ---- below this line
import copy
import re
import zlib


# What an operation on a store does, by its name's first word: reads, writes, deletes, adds, tests.
VERBS = re.compile(
    r"(?:(h?get|load|read|fetch|find|lookup|select|query)|"
    r"(h?set|setex|save|put|write|store|update|insert|upsert|replace)|"
    r"(h?del|delete|remove|unset|discard)|(incr|incrby|increment)|(exists|contains|has))(?=_|$)")
PREDICATE = re.compile(r"(is|has|was|in|can|should|needs|at)_|(expired|stale|closed|empty|full)$")


# What a reply answers as a mapping with one key.
MAPPING = {
    "get": lambda self, key=None, *_default: self[key], "keys": lambda self: ["key"],
    "items": lambda self: [("key", self["key"])], "values": lambda self: [self["key"]],
}


class Outside:
    """What is outside, as far as the test goes: the calls that reach it, and what they give."""

    def __init__(self, loop, results=(), errors=(), store=None, absent=None):
        self.loop, self.results, self.errors = loop, dict(results), errors
        self.store, self.absent = store, absent
        self.calls = []

    def answer(self, path, args, text):
        for name, result in self.results.items():
            if path == name or path.endswith("." + name):
                return result(*args) if callable(result) else result
        if self.store is not None:
            owner, _, name = path.rpartition(".")
            verb = VERBS.match(name)
            if verb:
                return self._stored((owner, name[verb.end():]), verb, name, args)
        return Fake(self, text, ())

    def _stored(self, place, verb, name, args):
        args = tuple(repr(item) if isinstance(item, Fake) else item for item in args)
        reads, writes, deletes, adds, _tests = verb.groups()
        if writes:
            if len(args) > 2 and not name.startswith("h"):
                args = (args[0], args[2] if name.startswith("setex") else args[1])
            self.store[place + args[:-1]] = copy.deepcopy(args[-1])
            return None
        if deletes:
            return self.store.pop(place + args, None)
        if adds:
            self.store[place + args[:1]] = (self.store.get(place + args[:1]) or 0) + (args[1] if args[1:] else 1)
            return self.store[place + args[:1]]
        return copy.deepcopy(self.store.get(place + args, self.absent)) if reads else place + args in self.store


def plain(value):
    if value is None or isinstance(value, (str, int, float, bool, bytes)):
        return value
    if isinstance(value, (list, tuple)):
        return tuple(map(plain, value))
    if isinstance(value, dict):
        return tuple(sorted(((plain(key), plain(item)) for key, item in value.items()), key=repr))
    return repr(value) if isinstance(value, Fake) else type(value).__name__


class Fake:
    """Any object outside. A call of it that is awaited ends when the script says so.

    `call` is None for the object itself, the path and arguments for a reply, and empty for what a reply gives.
    """

    def __init__(self, outside, path, call=None):
        self.__dict__.update(_outside=outside, _path=path, _call=call)

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        if self._call is not None and name in MAPPING:
            return MAPPING[name].__get__(self)
        if self._call is not None and PREDICATE.match(name):
            negative = re.search(r"expired|stale|closed|empty|full|done|locked|error|failed|missing|deleted", name)
            return lambda *_args: not negative
        return Fake(self._outside, self._path + "." + name, self._call and ())

    def __call__(self, *args, **options):
        noted = tuple(map(plain, args)) + tuple((name, plain(value)) for name, value in sorted(options.items()))
        text = "%s(%s)" % (self._path, ", ".join(map(repr, noted)))
        self._outside.calls.append(text)
        return Fake(self._outside, text, (self._path, args))

    def __await__(self):
        if not self._call:
            return self().__await__()
        path, args = self._call
        outside, text = self._outside, self._path
        return outside.loop.expect(text, lambda: outside.answer(path, args, text), outside.errors).__await__()

    async def __aenter__(self):
        return await self if self._call else self

    async def __aexit__(self, *problem):
        return False

    def __enter__(self):
        return self

    def __exit__(self, *problem):
        return False

    async def __aiter__(self):
        for number in range(2):
            await self._outside.loop.expect(self._path, lambda: None)
            yield self[number]

    def __getitem__(self, key):
        return Fake(self._outside, "%s[%r]" % (self._path, plain(key)), ())

    def __iter__(self):
        return iter([self[0]])

    def __len__(self):
        return 1

    def __contains__(self, item):
        return False

    def __index__(self):
        return zlib.crc32(self._path.encode()) % 97 + 1

    __int__ = __index__

    def __float__(self):
        return float(int(self))

    def __bool__(self):
        return True

    def __repr__(self):
        return "<%s>" % self._path

    def __hash__(self):
        return hash(self._path)

    def __eq__(self, other):
        return self._path == other._path if isinstance(other, Fake) else int(self) == other

    def __deepcopy__(self, memo):
        return self


def _operator(name):
    return lambda self, other: getattr(int(self), name)(int(other) if isinstance(other, Fake) else other)


for _name in "add sub mul truediv floordiv mod radd rsub rmul lt le gt ge".split():
    setattr(Fake, "__%s__" % _name, _operator("__%s__" % _name))
