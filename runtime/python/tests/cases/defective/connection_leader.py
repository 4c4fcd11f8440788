class Cluster:
    """Whoever finds no leader becomes it."""

    def __init__(self, network):
        self.leader = None
        self._network = network

    async def elect(self, node: str):
        if self.leader is None:
            await self._network.announce(node)
            self.leader = node
            return True
        return False
