import asyncio


class Bank:
    def __init__(self, audit):
        self.balances = {"ada": 10}
        self._audit = audit
        self._lock = asyncio.Lock()

    async def deposit(self, amount: int, account="ada"):
        async with self._lock:
            balance = self.balances[account]
            await self._audit.record(account, amount)
            self.balances[account] = balance + amount
