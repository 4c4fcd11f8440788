class Account:
    def __init__(self, approve):
        self.balance = 100
        self._approve = approve

    async def withdraw(self, amount=80):
        if self.balance >= amount:
            await self._approve(amount)
            self.balance -= amount
            return True
        return False
