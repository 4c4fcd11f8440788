import asyncio


class Scheduler:
    """Starts its one worker when it is first needed."""

    def __init__(self, settings):
        self._settings = settings
        self.worker = None
        self.started = 0

    async def _work(self):
        self.started += 1
        await asyncio.sleep(0)

    async def ensure(self):
        if self.worker is None:
            await self._settings.load()
            self.worker = asyncio.ensure_future(self._work())
        await self.worker
