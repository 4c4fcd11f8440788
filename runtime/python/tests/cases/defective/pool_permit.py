import asyncio


class Pool:
    def __init__(self, connect):
        self._free = asyncio.BoundedSemaphore(2)
        self._connect = connect

    async def fetch(self, statement):
        await self._free.acquire()
        connection = await self._connect()
        rows = await connection.fetch(statement)
        self._free.release()
        return rows
