class Cart:
    def __init__(self, prices):
        self.total = 0
        self._prices = prices

    async def add(self, item):
        price = await self._prices.of(item)
        self.total = self.total + price
