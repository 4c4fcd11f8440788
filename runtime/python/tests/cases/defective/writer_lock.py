import asyncio


class Journal:
    """Gives the lock back when writing fails, and forgets that it may be cancelled."""

    def __init__(self, disk):
        self._disk = disk
        self._lock = asyncio.Lock()
        self.lines = 0

    async def append(self, line):
        await self._lock.acquire()
        try:
            await self._disk.write(line)
        except Exception:
            self._lock.release()
            raise
        self.lines += 1
        self._lock.release()
