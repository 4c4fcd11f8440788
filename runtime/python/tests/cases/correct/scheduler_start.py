import asyncio


class Scheduler:
    def __init__(self, settings):
        self._settings = settings
        self.worker = None
        self.started = 0

    async def _work(self):
        await self._settings.load()
        self.started += 1

    async def ensure(self):
        if self.worker is None:
            self.worker = asyncio.ensure_future(self._work())
        await self.worker
