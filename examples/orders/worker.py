"""Background work: shipping paid orders, and following the warehouse's feed."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import threading

from .events import EventBus, WarehouseCommands
from .models import Order
from .repository import OrderRepository

logger = logging.getLogger(__name__)


class FeedReader:
    """Reads the warehouse's feed in a thread: its protocol has no asynchronous client."""

    def __init__(self, address: tuple[str, int], inbox: asyncio.Queue[dict]) -> None:
        self._address = address
        self._inbox = inbox

    def start(self) -> None:
        threading.Thread(target=self._read, name="feed", daemon=True).start()

    def _read(self) -> None:
        with socket.create_connection(self._address, timeout=30) as connection:
            for line in connection.makefile():
                self._accept(json.loads(line))

    def _accept(self, message: dict) -> None:
        if "kind" in message:
            self._inbox.put_nowait(message)


class Worker:
    def __init__(self, orders: OrderRepository, bus: EventBus, feed: tuple[str, int]) -> None:
        self._orders = orders
        self._bus = bus
        self._inbox: asyncio.Queue[dict] = asyncio.Queue(maxsize=100)
        self._commands = WarehouseCommands()
        self._reader = FeedReader(feed, self._inbox)
        self._follower: asyncio.Task[None] | None = None

    async def start(self) -> None:
        await self._orders.prepare()
        self._reader.start()
        self._follower = asyncio.create_task(self._follow())

    async def stop(self) -> None:
        if self._follower is not None:
            self._follower.cancel()
            await asyncio.gather(self._follower, return_exceptions=True)

    async def _follow(self) -> None:
        while True:
            message = await self._inbox.get()
            await self._commands.dispatch(message)

    async def ship(self, order: Order) -> None:
        delay = max((self._commands.delays.get(line.item, 0) for line in order.lines), default=0)
        await asyncio.sleep(delay)
        await self._orders.save(order.model_copy(update={"status": "shipped"}))
        await self._bus.publish("shipped", order)

    def ship_later(self, order: Order) -> None:
        task = asyncio.get_running_loop().create_task(self.ship(order))
        logger.info("%s is scheduled as %s", order.id, task.get_name())
