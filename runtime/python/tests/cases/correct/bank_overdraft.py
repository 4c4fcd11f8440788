class Account:
    def __init__(self, approve):
        self.balance = 100
        self._approve = approve

    async def withdraw(self, amount=80):
        if self.balance < amount:
            return False
        self.balance -= amount  # taken before anything is awaited, and given back when it comes to nothing
        try:
            await self._approve(amount)
        except Exception:
            self.balance += amount
            raise
        return True
