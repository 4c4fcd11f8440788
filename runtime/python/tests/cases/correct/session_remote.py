import asyncio
import collections


class SessionStore:
    def __init__(self, redis):
        self._redis = redis
        self._locks = collections.defaultdict(asyncio.Lock)

    async def put(self, user: str, name: str):
        async with self._locks[user]:
            session = dict(await self._redis.get(user) or {})
            session[name] = True
            await self._redis.set(user, session)
