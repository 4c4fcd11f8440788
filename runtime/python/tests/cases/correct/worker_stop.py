import asyncio


class Worker:
    def __init__(self, inbox):
        self._inbox = inbox
        self.handled = 0

    async def run(self):
        for _ in range(2):
            try:
                await self._inbox.receive()
                self.handled += 1
            except asyncio.CancelledError:
                self.handled = 0
                raise
