"""The HTTP interface."""

from __future__ import annotations

import logging
import uuid
from contextlib import asynccontextmanager

from fastapi import Depends, FastAPI, HTTPException
from pydantic import BaseModel

from .clients import PaymentClient, PaymentError, RateClient, StockClient
from .events import AuditTrail, EventBus
from .models import Line, Order, Receipt
from .pricing import PriceList
from .repository import OrderRepository
from .worker import Worker

logger = logging.getLogger(__name__)

orders = OrderRepository()
bus = EventBus()
payments = PaymentClient("https://payments.example")
stock = StockClient("https://warehouse.example")
prices = PriceList(RateClient("https://rates.example"))
audit = AuditTrail(orders)
worker = Worker(orders, bus, ("warehouse.example", 7001))


@asynccontextmanager
async def lifespan(app: FastAPI):
    bus.on("paid", audit.record)
    bus.on("paid", worker.ship_later)
    await worker.start()
    yield
    await worker.stop()
    await payments.close()


app = FastAPI(lifespan=lifespan)


class NewOrder(BaseModel):
    customer: str
    currency: str = "EUR"
    lines: list[Line]


def repository() -> OrderRepository:
    return orders


@app.post("/orders")
async def place(body: NewOrder, repo: OrderRepository = Depends(repository)) -> Receipt:
    order = Order(id=uuid.uuid4().hex, **body.model_dump())
    if not stock.reserve(order):
        raise HTTPException(409, "out of stock")
    await repo.save(order)
    try:
        receipt = await payments.charge(order, prices.total(order))
    except PaymentError as error:
        raise HTTPException(502, str(error)) from error
    await repo.save(order.model_copy(update={"status": "paid"}))
    bus.emit("paid", order)
    await announce("paid", order)
    return receipt


@app.get("/orders/{order_id}")
async def look_up(order_id: str, repo: OrderRepository = Depends(repository)) -> Order:
    order = await repo.get(order_id)
    if order is None:
        raise HTTPException(404, order_id)
    return order


@app.delete("/orders/{order_id}")
async def cancel(order_id: str, repo: OrderRepository = Depends(repository)) -> dict[str, str]:
    order = await repo.get(order_id)
    if order is None or order.status == "shipped":
        raise HTTPException(409, "cannot be cancelled")
    await repo.save(order.model_copy(update={"status": "cancelled"}))
    await repo.recent.invalidate(order_id)
    try:
        bus.publish("cancelled", order)
    except Exception:
        logger.exception("could not announce %s", order_id)
    return {"status": "cancelled"}


async def announce(topic: str, order: Order) -> None:
    try:
        await bus.publish(topic, order)
    except Exception:
        logger.exception("could not announce %s", order.id)
