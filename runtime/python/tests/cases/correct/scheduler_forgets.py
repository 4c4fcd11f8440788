import asyncio

running = set()


async def deliver(job, mailer):
    await mailer.send(job)


async def schedule(job, mailer):
    task = asyncio.ensure_future(deliver(job, mailer))
    running.add(task)
    task.add_done_callback(running.discard)
