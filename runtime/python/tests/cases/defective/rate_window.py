import time


class Limiter:
    """At most one message a minute."""

    def __init__(self, transport, most=1):
        self._transport = transport
        self._most = most
        self.sent = []

    async def send(self, message):
        now = time.monotonic()
        recent = [moment for moment in self.sent if moment > now - 60]
        if len(recent) >= self._most:
            return "refused"
        await self._transport.deliver(message)
        self.sent = recent + [now]
        return "sent"
