class Conflict(Exception):
    pass


class Document:
    def __init__(self, renderer):
        self.text = ""
        self.version = 0
        self._renderer = renderer

    async def edit(self, word: str):
        version, text = self.version, self.text
        await self._renderer.render(word)
        if self.version != version:
            raise Conflict()
        self.text = text + word
        self.version = version + 1
