sessions = {}


async def remember(user: str, field: str, geo):
    session = dict(sessions.get(user, {}))
    session[field] = await geo.locate(field)
    sessions[user] = session
