class Bucket:
    def __init__(self, clock):
        self.tokens = 2
        self._clock = clock

    async def take(self):
        await self._clock.tick()
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True
