class SessionStore:
    """Sessions in a store elsewhere: read, changed, written back."""

    def __init__(self, redis):
        self._redis = redis

    async def put(self, user: str, name: str):
        session = await self._redis.get(user) or {}
        session = dict(session)
        session[name] = True
        await self._redis.set(user, session)
