import asyncio
import collections
import time


class Cache:
    def __init__(self, load, ttl=30.0):
        self._load = load
        self._ttl = ttl
        self._entries = {}
        self._locks = collections.defaultdict(asyncio.Lock)

    def _fresh(self, key):
        entry = self._entries.get(key)
        return entry if entry is not None and entry[0] > time.monotonic() else None

    async def get(self, key):
        async with self._locks[key]:
            entry = self._fresh(key)
            if entry is None:
                value = await self._load(key)
                entry = self._entries[key] = (time.monotonic() + self._ttl, value)
            return entry[1]
