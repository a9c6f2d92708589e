"""The options that say what a GPU costs, and the price they mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from sre.cost.model import Price

PriceAsked = Annotated[
    str | None,
    typer.Option(
        "--price",
        help="Price of a GPU-hour: the name of one (`sre cost prices`) or an amount (2.10, '2.10 EUR'). "
        "Default: the profile's GPU, on demand, today.",
    ),
]
GpusPerReplica = Annotated[
    int | None,
    typer.Option("--gpus-per-replica", min=1, max=1024, help="GPUs a replica holds. Default: the profile's."),
]


def spec_price(asked: str | None, gpus_per_replica: int | None, *, profile: str, engine: str) -> Any:
    """The price of a platform that is to start; None when none was asked for and none is known.

    A real engine's GPU is not the profile's, so it has a price only when one is given.
    """
    from sre.errors import BadDocument
    from sre.platforms.local import gpu_of, gpu_price

    if asked is None and engine != "emulated":
        return None
    gpu, of_profile = gpu_of(profile)
    try:
        price = today_price(asked, gpu)
    except BadDocument:
        if asked is not None:
            raise
        return None
    return gpu_price(price.name, price.per_gpu_hour, price.currency, gpus_per_replica=gpus_per_replica or of_profile)


def today_price(asked: str | None, gpu: str) -> Price:
    """The price asked for, else the shipped one of `gpu` that holds today. Raises BadDocument, one line."""
    from datetime import UTC, datetime

    from sre.cost.prices import asked_price, price_of, shipped_prices

    prices = shipped_prices()
    if asked is not None:
        return asked_price(asked, gpu, prices)
    return price_of(gpu, prices, on=datetime.now(UTC).date())
