"""Scaling policies in money, from the simulation that `sre autoscale compare --out DIR` wrote. Never measured.

Savings are against a baseline of the same simulation, the same traffic and the same price, scaled to a month of 30 days
by the simulated length: (baseline - policy) x 30 d / length.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from sre.errors import BadDocument

MONTH_S = Decimal(30 * 86400)
_MEND = "write it again: sre autoscale compare --out DIR"


@dataclass(frozen=True, slots=True)
class PolicyCost:
    """One simulated policy. Money is of the simulated length, but `a_month` and `saved_a_month`; `attainment` is the
    share of good requests, `saved_a_month` None for the baseline itself.
    """

    name: str
    is_baseline: bool
    attainment: Decimal
    cost: Decimal
    per_million_good: Decimal | None
    a_month: Decimal
    saved_a_month: Decimal | None


@dataclass(frozen=True, slots=True)
class PolicyCosts:
    """A comparison. `baseline` is the fixed fleet that carries the peak, unless another was asked for."""

    path: str
    currency: str
    price: str
    traffic: str
    profile: str
    duration_s: Decimal
    baseline: str
    policies: tuple[PolicyCost, ...]

    @property
    def formula(self) -> str:
        """How savings are scaled."""
        return f"(cost of {self.baseline} - cost of the policy) x 30 d / {float(self.duration_s) / 3600:.4g} h"

    def best(self, attainment: Decimal) -> PolicyCost | None:
        """The cheapest policy, no baseline, with at least this share of good requests; None when none has it."""
        kept = [one for one in self.policies if one.attainment >= attainment and not one.is_baseline]
        return min(kept, key=lambda one: one.cost, default=None)


def read_policies(path: Path, currency: str, *, baseline: str | None = None) -> PolicyCosts:
    """From a compare.json. Raises BadDocument when it is none, in another currency, or has no such baseline."""
    try:
        document = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise BadDocument([f"{path}: no comparison of policies ({error}): {_MEND}"]) from error
    if not isinstance(document, dict):
        raise BadDocument([f"{path}: no comparison of policies: {_MEND}"])
    if document.get("currency") != currency:
        raise BadDocument(
            [f"{path}: is in {document.get('currency')}, not {currency}: nothing is converted; compare with --prices"]
        )
    try:
        return _costs(document, path, baseline)
    except (KeyError, TypeError, ValueError, InvalidOperation) as error:
        raise BadDocument([f"{path}: not a whole comparison ({type(error).__name__}: {error}): {_MEND}"]) from error


def _costs(document: Mapping[str, Any], path: Path, baseline: str | None) -> PolicyCosts:
    runs, length = document["runs"], Decimal(str(document["duration_s"]))
    if not length > 0:
        raise ValueError(f"duration_s is {length}")
    chosen = _baseline(runs, path, baseline)
    scale = MONTH_S / length
    return PolicyCosts(
        path=path.name,
        currency=str(document["currency"]),
        price=str(document["price"]),
        traffic=str(document["traffic"]),
        profile=str(document["profile"]),
        duration_s=length,
        baseline=str(chosen["name"]),
        policies=tuple(_policy(run, chosen, scale) for run in runs),
    )


def _baseline(runs: list[Mapping[str, Any]], path: Path, name: str | None) -> Mapping[str, Any]:
    if name is None:
        fixed = [run for run in runs if run["is_baseline"]] or list(runs)
        return max(fixed, key=lambda run: Decimal(run["cost"]))
    for run in runs:
        if run["name"] == name:
            return run
    names = ", ".join(str(run["name"]) for run in runs)
    raise BadDocument([f"{path}: no policy is called {name!r}: there are {names}"])


def _policy(run: Mapping[str, Any], baseline: Mapping[str, Any], scale: Decimal) -> PolicyCost:
    cost, good = Decimal(run["cost"]), run["per_million_good_tokens"]
    return PolicyCost(
        name=str(run["name"]),
        is_baseline=bool(run["is_baseline"]),
        attainment=Decimal(str(run["attainment"])),
        cost=cost,
        per_million_good=None if good is None else Decimal(good),
        a_month=cost * scale,
        saved_a_month=None if run is baseline else (Decimal(baseline["cost"]) - cost) * scale,
    )
