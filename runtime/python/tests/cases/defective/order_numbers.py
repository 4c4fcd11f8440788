class Orders:
    def __init__(self, store):
        self.last = 0
        self._store = store

    async def place(self, item):
        number = self.last + 1
        await self._store.save(number, item)
        self.last = number
        return number
