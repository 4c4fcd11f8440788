"""Events inside the process, and commands that arrive from the warehouse."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable

from .models import Order
from .repository import OrderRepository


class EventBus:
    def __init__(self) -> None:
        self._listeners: dict[str, list[Callable]] = defaultdict(list)
        self._outbox: asyncio.Queue[tuple[str, str]] = asyncio.Queue(maxsize=1000)

    def on(self, name: str, listener: Callable) -> None:
        self._listeners[name].append(listener)

    def emit(self, name: str, order: Order) -> None:
        for listener in self._listeners[name]:
            listener(order)

    async def publish(self, topic: str, order: Order) -> None:
        await self._outbox.put((topic, order.model_dump_json()))

    async def next(self) -> tuple[str, str]:
        return await self._outbox.get()


class AuditTrail:
    def __init__(self, orders: OrderRepository) -> None:
        self._orders = orders

    async def record(self, order: Order) -> None:
        await self._orders.audit(order.id, f"{order.status}: {len(order.lines)} lines")


class WarehouseCommands:
    """What the warehouse tells us about single items."""

    def __init__(self) -> None:
        self.blocked: set[str] = set()
        self.delays: dict[str, int] = {}
        self._handlers = {
            "block": self._block,
            "release": self._release,
            "delay": self._delay,
        }

    async def dispatch(self, message: dict) -> None:
        if handler := self._handlers.get(message["kind"]):
            await handler(message)

    async def _block(self, message: dict) -> None:
        self.blocked.add(message["item"])

    async def _release(self, message: dict) -> None:
        self.blocked.discard(message["item"])
        self.delays.pop(message["item"], None)

    async def _delay(self, message: dict) -> None:
        self.delays[message["item"]] = int(message["days"])
