import asyncio
import threading

from ..helpers import guarded, serialised


class Base:
    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self.entries: dict[str, bytes] = {}
        self.hits = 0


class Cache(Base):
    registry: dict[str, "Cache"] = {}

    def __init__(self, limit: int) -> None:
        super().__init__()
        self._limit = asyncio.Semaphore(limit)
        self._few = asyncio.Semaphore(4)
        self._locks: dict[str, asyncio.Lock] = {}
        self._done = asyncio.Condition()

    async def load(self, key: str) -> bytes:
        async with self._limit:
            await asyncio.sleep(0.1)
            return key.encode()

    async def get(self, key: str) -> bytes:
        async with self._lock:
            if key in self.entries:
                self.hits += 1
                return self.entries[key]
            value = await self.load(key)
            self._store(key, value)
            return value

    def _store(self, key: str, value: bytes) -> None:
        self.entries[key] = value

    async def forget(self, key: str) -> None:
        self.entries.pop(key, None)
        Cache.registry[key] = self

    async def one(self, key: str) -> None:
        lock = self._locks.setdefault(key, asyncio.Lock())
        async with lock, asyncio.timeout(5):
            await self.load(key)

    async def by_hand(self) -> None:
        await self._few.acquire()
        try:
            await asyncio.sleep(1)
        finally:
            self._few.release()

    async def helper_lock(self) -> None:
        async with guarded(self._lock):
            entries = self.entries
            entries["x"] = b""
            await asyncio.sleep(0)

    @serialised
    async def decorated(self) -> None:
        self.hits = 0
        await asyncio.sleep(0)

    async def announce(self) -> None:
        async with self._done:
            self._done.notify_all()


class Counter:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.count = 0

    def add(self) -> None:
        with self._lock:
            self.count += 1

    def run(self) -> None:
        for _ in range(3):
            self.add()
