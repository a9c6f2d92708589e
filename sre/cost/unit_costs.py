"""What a token and a request cost, by both bases: what the whole bill says, and what the busy part of it says.

The allocation basis divides the bill, so it answers for capacity that stood idle; the usage basis divides what was
busy, so it compares engines and models. The gap between them is the price of idle capacity.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction

from sre.cost.model import CostBasis, Phase, UnitCost
from sre.cost.rounding import rounded
from sre.cost.shares import Shares
from sre.cost.work import Work

_MILLION = 1_000_000


def unit_costs(work: Work, shares: Shares, *, bill: Decimal, busy: Decimal) -> tuple[UnitCost, ...]:
    """Tokens by basis and phase, then good tokens and requests (allocation only: they are what was wanted)."""
    by_basis: tuple[tuple[CostBasis, str, Decimal], ...] = (
        ("allocation", "bill", bill),
        ("usage", "(used + wasted)", busy),
    )
    tokens = [unit for basis, name, amount in by_basis for unit in _tokens(work, shares, basis, name, Fraction(amount))]
    whole = Fraction(bill)
    return (
        *tokens,
        _unit("million good tokens", "allocation", "", whole, work.good_tokens, "bill / good tokens x 10^6", _MILLION),
        _unit("request", "allocation", "", whole, work.requests, "bill / finished requests", 1),
        _unit("good request", "allocation", "", whole, work.good_requests, "bill / good requests", 1),
    )


def _tokens(work: Work, shares: Shares, basis: CostBasis, name: str, amount: Fraction) -> Iterator[UnitCost]:
    prompt, generation = work.prompt_tokens, work.generation_tokens
    both = None if prompt is None or generation is None else prompt + generation
    phases: tuple[tuple[Phase, Fraction, int | None, str], ...] = (
        ("", Fraction(1), both, f"{name} / (prompt + generated tokens) x 10^6"),
        ("prompt", shares.prompt, prompt, f"{name} x prefill's share / prompt tokens x 10^6"),
        ("generation", shares.generation, generation, f"{name} x decode's share / generated tokens x 10^6"),
    )
    for phase, share, count, formula in phases:
        yield _unit("million tokens", basis, phase, amount * share, count, formula, _MILLION)


def _unit(
    name: str, basis: CostBasis, phase: Phase, amount: Fraction, count: int | None, formula: str, per: int
) -> UnitCost:
    if not count:
        return UnitCost(
            name, basis, phase, None, count, formula, "nobody counted them" if count is None else "there were none"
        )
    return UnitCost(name, basis, phase, rounded(amount * per / count), count, formula)
