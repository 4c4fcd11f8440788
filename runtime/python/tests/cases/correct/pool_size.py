class PoolBusy(Exception):
    pass


class Pool:
    """At most `most` connections: a place is taken before the connection is made."""

    def __init__(self, connect, most=2):
        self._connect = connect
        self._most = most
        self.size = 0
        self.idle = []

    async def run(self, statement):
        if self.idle:
            connection = self.idle.pop()
        elif self.size < self._most:
            self.size += 1
            try:
                connection = await self._connect()
            except BaseException:
                self.size -= 1
                raise
        else:
            raise PoolBusy()
        try:
            return await connection.execute(statement)
        finally:
            self.idle.append(connection)
