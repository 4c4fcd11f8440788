"""asyncio's surface, on the loop under control: what each construct can come to over all schedules."""
import asyncio
import contextvars
import gc
import importlib.util
import socket
import sys
import unittest

from racewalk_runtime.exploring import Exploration, fake
from racewalk_runtime.schedule import Bounds
from racewalk_runtime.search import DepthFirst


def outcomes(function, **bounds):
    """Everything that a coroutine function can return or raise, over all schedules."""
    found = set()

    async def run():
        try:
            found.add(await function())
        except Exception as error:
            found.add(type(error).__name__)

    exploration = Exploration(run, Bounds(**bounds), (ValueError,))
    with exploration.exploring():
        search = DepthFirst(lambda _options, _execution: None)
        while True:
            search.begin()
            execution = exploration.execute(search)
            assert execution.status == "done", execution.status
            if execution.pending():
                found.add("pending")
            if not search.advance():
                return found


class Surface(unittest.TestCase):
    def test_wait_for_ends_both_ways(self):
        async def run():
            try:
                await asyncio.wait_for(fake("io").read(), 1)
                return "read"
            except asyncio.TimeoutError:
                return "late"

        self.assertEqual(outcomes(run), {"read", "late"})

    @unittest.skipIf(sys.version_info < (3, 11), "asyncio.timeout is new in 3.11")
    def test_timeout_ends_both_ways(self):
        async def run():
            try:
                async with asyncio.timeout(1):
                    await fake("io").read()
                    return "read"
            except TimeoutError:
                return "late"

        self.assertEqual(outcomes(run), {"read", "late"})

    def test_gather_runs_in_every_order(self):
        async def run():
            order = []

            async def one(number):
                await fake("io").get(number)
                order.append(number)

            await asyncio.gather(*map(one, range(3)))
            return tuple(order)

        self.assertEqual(len(outcomes(run)), 6)

    @unittest.skipIf(sys.version_info < (3, 11), "TaskGroup is new in 3.11")
    def test_task_groups_run_in_every_order(self):
        async def run():
            order = []

            async def one(number):
                await fake("io").get(number)
                order.append(number)

            async with asyncio.TaskGroup() as group:
                for number in range(3):
                    group.create_task(one(number))
            return tuple(order)

        self.assertEqual(len(outcomes(run)), 6)

    def test_gather_keeps_errors(self):
        async def run():
            results = await asyncio.gather(fake("io").a(), fake("io").b(), return_exceptions=True)
            return tuple(type(result).__name__ for result in results)

        self.assertEqual(outcomes(run, faults=1),
                         {("Value", "Value"), ("ValueError", "Value"), ("Value", "ValueError")})

    def test_as_completed_and_wait(self):
        async def one(number):
            await fake("io").get(number)
            return number

        async def completed():
            return tuple([await item for item in asyncio.as_completed([one(0), one(1)])])

        async def first():
            tasks = [asyncio.ensure_future(one(number)) for number in range(2)]
            done, rest = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in rest:
                task.cancel()
            await asyncio.gather(*rest, return_exceptions=True)
            return tuple(sorted(task.result() for task in done))

        self.assertEqual(outcomes(completed), {(0, 1), (1, 0)})
        self.assertEqual(outcomes(first), {(0,), (1,), (0, 1)})

    def test_shield_outlives_a_cancellation(self):
        async def run():
            done = []

            async def inner():
                await fake("io").read()
                done.append(True)

            async def outer():
                await asyncio.shield(inner())

            task = asyncio.ensure_future(outer())
            await asyncio.sleep(0)
            task.cancel()
            try:
                await task
            except asyncio.CancelledError:
                await fake("io").other()
                return "cancelled", bool(done)

        self.assertEqual(outcomes(run), {("cancelled", True), ("cancelled", False)})

    def test_queue_is_first_in_first_out(self):
        async def run():
            queue = asyncio.Queue(1)
            got = []

            async def produce():
                for number in range(3):
                    await fake("io").wait(number)
                    await queue.put(number)

            async def consume():
                for _ in range(3):
                    got.append(await queue.get())
                    queue.task_done()

            await asyncio.gather(produce(), consume())
            await queue.join()
            return tuple(got)

        self.assertEqual(outcomes(run), {(0, 1, 2)})

    def test_condition_event_and_semaphores(self):
        async def condition():
            ready, items = asyncio.Condition(), []

            async def wait():
                async with ready:
                    await ready.wait_for(lambda: items)
                    return items[0]

            async def fill():
                await fake("io").read()
                async with ready:
                    items.append("item")
                    ready.notify_all()

            return (await asyncio.gather(wait(), fill()))[0]

        async def event():
            flag = asyncio.Event()

            async def wait():
                await flag.wait()
                return "set"

            async def set_it():
                await fake("io").read()
                flag.set()

            return (await asyncio.gather(wait(), set_it()))[0]

        async def semaphore():
            gate, now, most = asyncio.Semaphore(2), [0], [0]

            async def enter(number):
                async with gate:
                    now[0] += 1
                    most[0] = max(most[0], now[0])
                    await fake("io").work(number)
                    now[0] -= 1

            await asyncio.gather(*map(enter, range(3)))
            return most[0]

        self.assertEqual(outcomes(condition), {"item"})
        self.assertEqual(outcomes(event), {"set"})
        self.assertEqual(outcomes(semaphore), {2})

    def test_a_deadlock_is_pending(self):
        async def run():
            one, two = asyncio.Lock(), asyncio.Lock()

            async def both(first, second, name):
                async with first:
                    await fake("io").step(name)
                    async with second:
                        pass

            await asyncio.gather(both(one, two, "a"), both(two, one, "b"))
            return "done"

        self.assertIn("pending", outcomes(run))

    def test_threads_are_an_event_of_the_environment(self):
        async def run():
            order = []

            async def in_thread():
                await asyncio.get_running_loop().run_in_executor(None, order.append, "thread")

            async def outside():
                await fake("io").read()
                order.append("io")

            await asyncio.gather(in_thread(), outside())
            return tuple(order)

        self.assertEqual(outcomes(run), {("thread", "io"), ("io", "thread")})

    @unittest.skipIf(sys.version_info < (3, 9), "to_thread is new in 3.9")
    def test_to_thread_gives_its_result(self):
        async def run():
            return await asyncio.to_thread(sum, [1, 2])

        self.assertEqual(outcomes(run), {3})

    def test_context_variables_belong_to_tasks(self):
        variable = contextvars.ContextVar("variable", default=0)

        async def run():
            async def one(number):
                variable.set(number)
                await fake("io").wait(number)
                return variable.get()

            return tuple(await asyncio.gather(one(1), one(2))) + (variable.get(),)

        self.assertEqual(outcomes(run), {(1, 2, 0)})

    def test_asynchronous_generators_are_closed(self):
        async def run():
            closed = []

            async def numbers():
                try:
                    for number in range(3):
                        await fake("io").get(number)
                        yield number
                finally:
                    closed.append(True)

            async for number in numbers():
                if number == 1:
                    break
            gc.collect()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            return bool(closed)

        self.assertEqual(outcomes(run), {True})

    @unittest.skipIf(sys.version_info < (3, 12), "eager tasks are new in 3.12")
    def test_eager_tasks_begin_at_once(self):
        async def run():
            asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
            order = []

            async def child():
                order.append("child")
                await asyncio.sleep(0)

            task = asyncio.create_task(child())
            order.append("parent")
            await task
            return tuple(order)

        self.assertEqual(outcomes(run), {("child", "parent")})

    def test_time_is_virtual(self):
        async def run():
            loop = asyncio.get_running_loop()
            before = loop.time()
            await asyncio.sleep(3600)
            return loop.time() - before

        self.assertEqual(outcomes(run), {3600.0})

    def test_the_ready_queue_is_first_in_first_out(self):
        async def run():
            order = []

            async def one(name):
                for step in range(2):
                    order.append((name, step))
                    await asyncio.sleep(0)

            await asyncio.gather(one("a"), one("b"))
            return tuple(order)

        self.assertEqual(outcomes(run), {(("a", 0), ("b", 0), ("a", 1), ("b", 1))})

    def test_real_io_is_refused_by_name(self):
        messages = []

        async def connection():
            try:
                await asyncio.open_connection("127.0.0.1", 9)
            except Exception as error:
                messages.append(str(error))
                raise

        async def blocking():
            try:
                socket.getaddrinfo("localhost", 80)
            except Exception as error:
                messages.append(str(error))
                raise

        async def process():
            await asyncio.create_subprocess_exec("true")

        self.assertEqual(outcomes(connection), {"Denied"})
        self.assertIn("create_connection", messages[0])
        self.assertEqual(outcomes(blocking), {"Denied"})
        self.assertIn("socket.getaddrinfo", messages[1])
        self.assertEqual(outcomes(process), {"Denied"})

    @unittest.skipUnless(importlib.util.find_spec("anyio"), "anyio isn't installed")
    def test_anyio(self):
        import anyio

        async def group():
            order = []

            async def one(number):
                await fake("io").get(number)
                order.append(number)

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(one, 0)
                tasks.start_soon(one, 1)
            with anyio.move_on_after(1) as scope:
                await anyio.sleep(5)
            return tuple(order), scope.cancelled_caught if hasattr(scope, "cancelled_caught") else True

        async def lock():
            guard, value = anyio.Lock(), [0]

            async def one():
                async with guard:
                    seen = value[0]
                    await fake("io").get(seen)
                    value[0] = seen + 1

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(one)
                tasks.start_soon(one)
            return value[0]

        self.assertEqual(outcomes(group), {((0, 1), True), ((1, 0), True)})
        self.assertEqual(outcomes(lock), {2})


if __name__ == "__main__":
    unittest.main()
