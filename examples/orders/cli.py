"""Commands for operators."""

from __future__ import annotations

import asyncio

import click

from .clients import PaymentClient, RateClient
from .pricing import PriceList
from .repository import OrderRepository


@click.group()
def cli() -> None:
    """Look after the order service."""


@cli.command()
@click.argument("customers", nargs=-1)
def totals(customers: tuple[str, ...]) -> None:
    """Print what these customers have ordered, in their currencies."""
    repo = OrderRepository()
    prices = PriceList(RateClient("https://rates.example"))
    for customer in customers:
        found = asyncio.run(repo.of_customer(customer))
        click.echo(f"{customer}: {sum(prices.total(order) for order in found):.2f}")


@cli.command()
@click.argument("reference")
def refund(reference: str) -> None:
    """Give back a payment."""

    async def run() -> bool:
        payments = PaymentClient("https://payments.example")
        try:
            return await payments.refund(reference)
        finally:
            await payments.close()

    click.echo("refunded" if asyncio.run(run()) else "refused")


if __name__ == "__main__":
    cli()
