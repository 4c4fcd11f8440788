import time


class Cache:
    def __init__(self, load, ttl=30.0):
        self._load = load
        self._ttl = ttl
        self._entries = {}

    async def get(self, key):
        entry = self._entries.get(key)
        if entry is not None and entry[0] > time.monotonic():
            return entry[1]
        value = await self._load(key)
        self._entries[key] = (time.monotonic() + self._ttl, value)
        return value
