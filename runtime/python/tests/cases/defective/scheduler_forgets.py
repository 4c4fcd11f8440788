import asyncio


async def deliver(job, mailer):
    await mailer.send(job)


async def schedule(job, mailer):
    asyncio.ensure_future(deliver(job, mailer))
