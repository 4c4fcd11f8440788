class Pool:
    """At most `most` connections; the count is kept too late."""

    def __init__(self, connect, most=1):
        self._connect = connect
        self._most = most
        self.size = 0
        self.idle = []

    async def run(self, statement):
        if self.idle:
            connection = self.idle.pop()
        elif self.size < self._most:
            connection = await self._connect()
            self.size += 1
        else:
            raise RuntimeError("no connection is free")
        try:
            return await connection.execute(statement)
        finally:
            self.idle.append(connection)
