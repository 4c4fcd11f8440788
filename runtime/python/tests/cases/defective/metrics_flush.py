class Metrics:
    def __init__(self, sink):
        self.buffer = ["start"]
        self._sink = sink

    async def record(self, value="hit"):
        self.buffer.append(value)

    async def flush(self):
        if self.buffer:
            await self._sink.send(len(self.buffer))
            self.buffer = []
