import itertools


class Orders:
    def __init__(self, store):
        self._numbers = itertools.count(1)
        self._store = store

    async def place(self, item):
        number = next(self._numbers)
        await self._store.save(number, item)
        return number
