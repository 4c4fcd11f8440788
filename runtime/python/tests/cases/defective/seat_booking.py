class Taken(Exception):
    pass


class Show:
    def __init__(self, payments):
        self.seats = {}
        self._payments = payments

    async def book(self, user: str, seat="A1"):
        if seat in self.seats:
            raise Taken(seat)
        await self._payments.charge(user)
        self.seats[seat] = user
        return "booked"
