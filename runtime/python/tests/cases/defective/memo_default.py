async def look_up(word, service):
    return await service.ask(word)


async def translate(word: str, service, known={}):
    if word not in known:
        known[word] = await look_up(word, service)
    return known[word]
