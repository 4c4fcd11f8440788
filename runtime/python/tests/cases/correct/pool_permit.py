import asyncio


class Pool:
    def __init__(self, connect):
        self._free = asyncio.BoundedSemaphore(2)
        self._connect = connect

    async def fetch(self, statement):
        await self._free.acquire()
        try:
            connection = await self._connect()
            return await connection.fetch(statement)
        finally:
            self._free.release()
