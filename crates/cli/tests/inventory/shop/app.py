import asyncio
import threading
import time

import httpx
from fastapi import FastAPI

from . import helpers
from .helpers import spawn
from .store import Cache, Counter

app = FastAPI()
cache = Cache(8)
counter = Counter()
client = httpx.AsyncClient()
seen: list[str] = []
current: str | None = None


@app.get("/items/{key}")
async def item(key: str) -> bytes:
    global current
    seen.append(key)
    current = key
    value = await cache.get(key)
    spawn(audit(current))
    return value


async def audit(key: str | None) -> None:
    await quick()
    await client.post("/audit", json={"key": key})


async def quick() -> int:
    return 1


@app.post("/refresh")
async def refresh(keys: list[str]) -> int:
    done = 0

    async def one(key: str) -> None:
        nonlocal done
        async with asyncio.TaskGroup() as group:
            group.create_task(cache.one(key))
            group.create_task(cache.forget(key))
        done += 1

    await asyncio.gather(*(one(key) for key in keys))
    tasks = [asyncio.create_task(audit(key)) for key in keys]
    try:
        await asyncio.wait_for(asyncio.gather(*tasks), timeout=5)
    except asyncio.CancelledError:
        for task in tasks:
            task.cancel()
        raise
    except BaseException:
        pass
    finally:
        await cache.announce()
    await asyncio.to_thread(counter.run)
    counter.add()
    time.sleep(0.5)
    asyncio.create_task(audit("last"))
    return done


class Poller:
    def __init__(self) -> None:
        self._task: asyncio.Task | None = None
        self.rounds = 0

    def start(self) -> None:
        self._task = asyncio.create_task(self._run())
        threading.Thread(target=counter.run, daemon=True).start()

    async def _run(self) -> None:
        while True:
            self.rounds += 1
            await asyncio.sleep(1)

    async def stop(self) -> None:
        task, self._task = self._task, None
        if task:
            task.cancel()
            await task

    async def unknown(self, thing) -> None:
        await thing
        async with thing.session() as session:
            await session.run()
        async for row in thing.rows():
            print(row)


def remember(key: str, known: list[str] = []) -> list[str]:
    known.append(key)
    return known


@app.on_event("shutdown")
async def shut_down() -> None:
    await helpers.drain()
    remember("x")
