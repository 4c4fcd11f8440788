"""Orders and their audit trail in SQLite; every query runs in a worker thread."""

from __future__ import annotations

import asyncio
import sqlite3
from typing import Generic, TypeVar

from pydantic import BaseModel

from .models import Order

M = TypeVar("M", bound=BaseModel)


class RecentCache(Generic[M]):
    """The last few objects that were read."""

    def __init__(self, size: int = 256) -> None:
        self._size = size
        self._items: dict[str, M] = {}

    def get(self, key: str) -> M | None:
        return self._items.get(key)

    def put(self, key: str, value: M) -> None:
        if len(self._items) >= self._size:
            self._items.pop(next(iter(self._items)))
        self._items[key] = value

    def invalidate(self, key: str) -> None:
        self._items.pop(key, None)


class OrderRepository:
    def __init__(self, path: str = "orders.db") -> None:
        self._path = path
        self.recent: RecentCache[Order] = RecentCache()

    def _execute(self, sql: str, *values: str) -> list[tuple[str, ...]]:
        with sqlite3.connect(self._path) as connection:
            return connection.execute(sql, values).fetchall()

    async def prepare(self) -> None:
        await asyncio.to_thread(self._execute, "create table if not exists orders (id primary key, customer, body)")
        await asyncio.to_thread(self._execute, "create table if not exists audit (order_id, line)")

    async def save(self, order: Order) -> None:
        sql = "insert or replace into orders values (?, ?, ?)"
        await asyncio.to_thread(self._execute, sql, order.id, order.customer, order.model_dump_json())
        self.recent.put(order.id, order)

    async def get(self, order_id: str) -> Order | None:
        if (known := self.recent.get(order_id)) is not None:
            return known
        rows = await asyncio.to_thread(self._execute, "select body from orders where id = ?", order_id)
        return Order.model_validate_json(rows[0][0]) if rows else None

    async def of_customer(self, customer: str) -> list[Order]:
        rows = await asyncio.to_thread(self._execute, "select body from orders where customer = ?", customer)
        return [Order.model_validate_json(body) for (body,) in rows]

    async def audit(self, order_id: str, line: str) -> None:
        await asyncio.to_thread(self._execute, "insert into audit values (?, ?)", order_id, line)
