"""Data that travels between the layers."""

from datetime import datetime, timezone

from pydantic import BaseModel, Field


class Line(BaseModel):
    item: str
    quantity: int = Field(gt=0)
    price: float


class Order(BaseModel):
    id: str
    customer: str
    currency: str = "EUR"
    lines: list[Line]
    status: str = "new"
    created: datetime = Field(default_factory=lambda: datetime.now(timezone.utc))


class Receipt(BaseModel):
    order_id: str
    charged: float
    reference: str
