class Bucket:
    def __init__(self, clock):
        self.tokens = 2
        self._clock = clock

    async def take(self):
        tokens = self.tokens
        await self._clock.tick()
        if tokens < 1:
            return False
        self.tokens = tokens - 1
        return True
