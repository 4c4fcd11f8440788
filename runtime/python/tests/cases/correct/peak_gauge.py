class Gauge:
    """How many at once: not what one after the other would give, and meant so."""

    def __init__(self, work):
        self.now = 0
        self.peak = 0
        self._work = work

    async def measure(self):
        self.now += 1
        self.peak = max(self.peak, self.now)
        try:
            return await self._work()
        finally:
            self.now -= 1
