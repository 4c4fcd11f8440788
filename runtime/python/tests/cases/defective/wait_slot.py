import asyncio


class Gate:
    """Room for one waiter: a second one takes the first one's place, and the first waits for ever."""

    def __init__(self, sensor):
        self._sensor = sensor
        self._busy = False
        self._waiter = None

    async def pass_through(self):
        while self._busy:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        self._busy = True
        await self._sensor.read()
        self._busy = False
        if self._waiter is not None:
            self._waiter.set_result(None)
            self._waiter = None
