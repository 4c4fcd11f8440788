import asyncio


class Journal:
    def __init__(self, disk):
        self._disk = disk
        self._lock = asyncio.Lock()
        self.lines = 0

    async def append(self, line):
        async with self._lock:
            await self._disk.write(line)
            self.lines += 1
