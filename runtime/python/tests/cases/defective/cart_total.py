class Cart:
    def __init__(self, prices):
        self.total = 0
        self._prices = prices

    async def add(self, item):
        self.total = self.total + await self._prices.of(item)  # the old total waits on the stack
