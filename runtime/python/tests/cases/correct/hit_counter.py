import asyncio

hits = {"home": 0}


async def hit(page="home"):
    await asyncio.sleep(0.01)
    hits[page] += 1
