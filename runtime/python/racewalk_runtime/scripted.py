"""The stock event loop, following a schedule: replays, and the tests that users keep, run on it.

This file stands on its own: generated tests contain `ScriptedLoop` as it is written here.
"""
import asyncio
import contextvars
import heapq

# The label of the call on whose behalf code runs. Child tasks inherit it with their context.
CALL = contextvars.ContextVar("racewalk_call", default="main")

# Where virtual time begins, in seconds. Far from any number that code computes by itself.
START_TIME = 50_000_000.0


class ScriptedLoop(asyncio.SelectorEventLoop):
    """The stock loop. A script says when calls arrive, replies come and timers are due; nothing else is changed."""

    def __init__(self, script, calls):
        super().__init__()
        self.script = list(script)   # ("start", call) ("run", "") ("io" or "fail", what) ("timer", "") ("cancel", call)
        self.calls = calls           # label -> function that gives a coroutine
        self.tasks = {}              # label -> task
        self.expected = {}           # what is awaited from outside: label -> (future, result, errors)
        self.unmet = []              # decisions that were not possible
        self.now = START_TIME
        self.iterations = 0

    def time(self):
        return self.now

    def expect(self, what, result, errors=()):
        """A future that the script completes with `result()`."""
        label = name = CALL.get() + ":" + what
        number = 1
        while label in self.expected:
            number += 1
            label = "%s#%d" % (name, number)
        future = self.create_future()
        self.expected[label] = (future, result, errors)
        return future

    def run_in_executor(self, executor, function, *args):
        inner = getattr(function, "func", function)
        inner = function.args[0] if getattr(inner, "__name__", "") == "run" and getattr(function, "args", ()) else inner
        return self.expect("thread:" + getattr(inner, "__name__", "work"), lambda: function(*args))

    def _run_once(self):
        self.iterations += 1
        if not self._follow() and not self._ready:
            self._drain()
        if not self._ready and not self._stopping:
            self.call_soon(lambda: None)    # never block in select
        super()._run_once()

    def _follow(self):
        """Decisions up to the next iteration of the loop; False when the script has ended."""
        while self.script:
            kind, subject = self.script.pop(0)
            if kind == "run":
                return True
            if kind == "start":
                self._start(subject)
            elif kind == "timer" and self._due():
                self._fire()
            elif kind == "cancel" and not self.tasks[subject].done():
                self.tasks[subject].cancel()
            elif kind in ("io", "fail") and subject in self.expected:
                self._settle(subject, kind == "fail")
            else:
                self.unmet.append((kind, subject))
        return False

    def _start(self, label):
        context = contextvars.copy_context()
        context.run(CALL.set, label)
        self.tasks[label] = context.run(self.create_task, self.calls[label]())

    def _settle(self, label, fails=False):
        future, result, errors = self.expected.pop(label)
        if future.done():
            return
        try:
            if fails:
                future.set_exception(errors[0]())
            else:
                future.set_result(result())
        except Exception as error:
            future.set_exception(error)

    def _due(self):
        while self._scheduled and self._scheduled[0]._cancelled:
            self._timer_cancelled_count -= 1
            heapq.heappop(self._scheduled)._scheduled = False
        return self._scheduled

    def _fire(self):
        self.now = max(self.now, self._scheduled[0]._when)
        while self._due() and self._scheduled[0]._when <= self.now:
            handle = heapq.heappop(self._scheduled)
            handle._scheduled = False
            self._ready.append(handle)

    def _drain(self):
        """After the script: what is left happens in order."""
        self.expected = {label: entry for label, entry in self.expected.items() if not entry[0].done()}
        if self.iterations > 10_000:
            self.stop()
        elif self.expected:
            self._settle(next(iter(self.expected)))
        elif self._due():
            self._fire()
        else:
            self.stop()
