"""The services that this one talks to."""

from __future__ import annotations

import asyncio
import functools
import logging
import time

import httpx
import requests

from .models import Order, Receipt

logger = logging.getLogger(__name__)


class PaymentError(Exception):
    """The provider refused, or could not be reached."""


def instrumented(fn):
    """Log how long a call takes, and turn transport errors into PaymentError."""

    @functools.wraps(fn)
    def wrapper(*args, **kwargs):
        started = time.perf_counter()
        try:
            return fn(*args, **kwargs)
        except httpx.HTTPError as error:
            raise PaymentError(str(error)) from error
        finally:
            logger.info("%s took %.3f s", fn.__name__, time.perf_counter() - started)

    return wrapper


class PaymentClient:
    def __init__(self, base_url: str) -> None:
        self._http = httpx.AsyncClient(base_url=base_url, timeout=10)

    @instrumented
    async def charge(self, order: Order, amount: float) -> Receipt:
        response = await self._http.post("/charges", json={"order": order.id, "amount": amount})
        response.raise_for_status()
        return Receipt(order_id=order.id, charged=amount, reference=response.json()["reference"])

    async def refund(self, reference: str) -> bool:
        response = await self._http.post(f"/charges/{reference}/refund")
        return response.is_success

    async def close(self) -> None:
        await self._http.aclose()


class StockClient:
    """The warehouse still speaks through its old gateway."""

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url
        self._session = requests.Session()

    def _fetch(self, item: str) -> dict:
        response = self._session.get(f"{self._base_url}/stock/{item}", timeout=3)
        response.raise_for_status()
        return response.json()

    def reserve(self, order: Order) -> bool:
        return all(self._fetch(line.item)["available"] >= line.quantity for line in order.lines)


class RateClient:
    def __init__(self, base_url: str) -> None:
        self._http = httpx.AsyncClient(base_url=base_url, timeout=5)

    async def rate(self, currency: str) -> float:
        if currency == "EUR":
            return 1.0
        response = await self._http.get("/rates", params={"currency": currency})
        return float(response.json()["rate"])

    def rate_sync(self, currency: str) -> float:
        """For callers without a loop."""
        return asyncio.run(self.rate(currency))
