import asyncio


class Bank:
    def __init__(self, ledger):
        self.balances = {"src-1": 10, "dst-1": 10}
        self._locks = {name: asyncio.Lock() for name in self.balances}
        self._ledger = ledger

    async def transfer(self, src: str, dst: str):
        first, second = sorted((src, dst))
        async with self._locks[first]:
            await self._ledger.begin(src)
            async with self._locks[second]:
                self.balances[src] -= 1
                self.balances[dst] += 1
