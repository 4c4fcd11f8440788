class Log:
    """Entries of overlapping calls lie between each other."""

    def __init__(self, work):
        self.entries = []
        self._work = work

    async def handle(self, name: str):
        self.entries.append("begin " + name)
        await self._work(name)
        self.entries.append("end " + name)
