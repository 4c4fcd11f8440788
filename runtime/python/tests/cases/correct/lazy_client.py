import asyncio


class Service:
    def __init__(self, connect):
        self._connect = connect
        self._client = None
        self._starting = asyncio.Lock()

    async def call(self, name):
        if self._client is None:
            async with self._starting:
                if self._client is None:
                    self._client = await self._connect()
        return await self._client.invoke(name)
