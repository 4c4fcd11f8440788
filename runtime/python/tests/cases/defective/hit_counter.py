import asyncio

hits = {"home": 0}


async def hit(page="home"):
    seen = hits[page]
    await asyncio.sleep(0.01)
    hits[page] = seen + 1
