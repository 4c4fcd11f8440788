class Bank:
    def __init__(self, audit):
        self.balances = {"ada": 10}
        self._audit = audit

    async def deposit(self, amount: int, account="ada"):
        balance = self.balances[account]
        await self._audit.record(account, amount)
        self.balances[account] = balance + amount
