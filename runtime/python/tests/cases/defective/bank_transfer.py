import asyncio


class Bank:
    def __init__(self, ledger):
        self.balances = {"src-1": 10, "dst-1": 10}
        self._locks = {name: asyncio.Lock() for name in self.balances}
        self._ledger = ledger

    async def transfer(self, src: str, dst: str):
        async with self._locks[src]:
            await self._ledger.begin(src)
            async with self._locks[dst]:
                self.balances[src] -= 1
                self.balances[dst] += 1
