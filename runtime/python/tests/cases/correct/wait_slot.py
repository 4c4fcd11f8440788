import asyncio
import collections


class Gate:
    def __init__(self, sensor):
        self._sensor = sensor
        self._busy = False
        self._waiters = collections.deque()

    async def pass_through(self):
        while self._busy:
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            try:
                await waiter
            except asyncio.CancelledError:
                if waiter.done() and not waiter.cancelled():
                    self._wake()  # the turn that was given to this one goes to the next
                raise
        self._busy = True
        try:
            await self._sensor.read()
        finally:
            self._busy = False
            self._wake()

    def _wake(self):
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
