"""The price of a platform: the one asked for, else the one it was started with, else its GPU's of today."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sre.cost.model import Price


def price_of_platform(state_dir: Path, asked: str | None, known: Sequence[Price]) -> tuple[Price, int]:
    """(price, GPUs a replica). Raises SreError, one line: no platform here, or no price known."""
    from datetime import UTC, datetime

    from sre.cost.prices import asked_price, price_of
    from sre.cost.statement import price_in_spec
    from sre.errors import SreError
    from sre.incidents.evidence import read_object
    from sre.platforms.local import gpu_of

    if not (state_dir / "events.jsonl").exists():
        raise SreError(f"{state_dir}: no platform was started here: give a drill's report folder, or `sre up` first")
    if not (state_dir / "spec.json").exists():
        if asked is None:
            raise SreError(f"{state_dir}: the platform is down, and its price went with it: give --price")
        return asked_price(asked, "", known), 1
    spec = read_object(state_dir / "spec.json")
    gpu, gpus = gpu_of(str(spec.get("profile", "")))
    started_with = price_in_spec(spec, known, gpu=gpu)
    if asked is not None:
        return asked_price(asked, gpu, known), gpus if started_with is None else started_with[1]
    if started_with is not None:
        return started_with
    return price_of(gpu, known, on=datetime.now(UTC).date()), gpus
