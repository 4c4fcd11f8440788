sessions = {}


async def remember(user: str, field: str, geo):
    place = await geo.locate(field)
    session = dict(sessions.get(user, {}))
    session[field] = place
    sessions[user] = session
