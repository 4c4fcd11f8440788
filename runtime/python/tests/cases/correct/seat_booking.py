class Taken(Exception):
    pass


class Show:
    def __init__(self, payments):
        self.seats = {}
        self._payments = payments

    async def book(self, user: str, seat="A1"):
        if seat in self.seats:
            raise Taken(seat)
        self.seats[seat] = user
        try:
            await self._payments.charge(user)
        except BaseException:
            del self.seats[seat]
            raise
        return "booked"
