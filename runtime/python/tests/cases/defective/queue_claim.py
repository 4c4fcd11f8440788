class Jobs:
    def __init__(self, registry):
        self.waiting = ["mail", "report"]
        self._registry = registry

    async def take(self):
        if not self.waiting:
            return None
        job = self.waiting[0]
        await self._registry.claim(job)
        self.waiting.remove(job)
        return job
