import asyncio
import functools
from contextlib import asynccontextmanager


@asynccontextmanager
async def guarded(lock: asyncio.Lock):
    await lock.acquire()
    try:
        yield
    finally:
        lock.release()


def serialised(function):
    @functools.wraps(function)
    async def wrapper(self, *args):
        async with self._lock:
            return await function(self, *args)

    return wrapper


_background: set[asyncio.Task] = set()


def spawn(coroutine) -> asyncio.Task:
    task = asyncio.create_task(coroutine)
    _background.add(task)
    task.add_done_callback(_background.discard)
    return task


async def drain() -> None:
    for task in _background:
        task.cancel()
    await asyncio.gather(*_background, return_exceptions=True)
