"""Totals in the customer's currency."""

from __future__ import annotations

from .clients import RateClient
from .models import Order


class PriceList:
    def __init__(self, rates: RateClient) -> None:
        self._rates = rates

    def net(self, order: Order) -> float:
        return sum(line.price * line.quantity for line in order.lines)

    def total(self, order: Order) -> float:
        return round(self.net(order) * self._rates.rate_sync(order.currency), 2)
