"""whatif.html, whatif.md and whatif.json in a folder. Same inputs, same bytes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sre.errors import EnvironmentLacks
from sre.incidents.codec import encode
from sre.reliability.options import Option
from sre.reliability.rates import RateBook
from sre.reliability.whatif import Answer
from sre.reports.atomic import write_text
from sre.reports.page import page_html, page_markdown
from sre.reports.reliability.view import reliability_page
from sre.reports.reliability.words import doubts_of, meaning_of, step_words

SCHEMA = 1
HTML, MARKDOWN, JSON = "whatif.html", "whatif.md", "whatif.json"


def write_whatif(found: Answer, folder: Path) -> tuple[Path, ...]:
    """The three files in `folder`, which is made. Raises EnvironmentLacks where it cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EnvironmentLacks(f"{folder}: no folder can be made there ({error.strerror}): choose another") from error
    page = reliability_page(found)
    write_text(folder / JSON, json.dumps(whatif_json(found), indent=1, allow_nan=False) + "\n")
    write_text(folder / MARKDOWN, page_markdown(page))
    write_text(folder / HTML, page_html(page))
    return folder / HTML, folder / MARKDOWN, folder / JSON


def whatif_json(found: Answer) -> dict[str, Any]:
    """Every number behind the page; amounts are text, exact."""
    question, economics = found.question, found.economics
    finance = {name: getattr(economics.finance, name) for name in ("path", "sha256", "is_illustrative")}
    return {
        "schema": SCHEMA,
        "kind": "simulated",
        "question": encode(question),
        "slo": {"name": question.slo, "target": economics.target, "budget": economics.budget},
        "load": encode(found.world.load),
        "overload_factor": found.world.overload_factor,
        "currency": found.currency,
        "prices": encode(economics.prices),
        "finance": finance,
        "is_kept": found.is_kept,
        "chosen": found.chosen.fleet.name,
        "meaning": meaning_of(found),
        "doubts": list(doubts_of(found)),
        "options": [_option(one) for one in found.options],
        "steps": [
            {
                "from": step.before.fleet.name,
                "to": step.after.fleet.name,
                "costs": encode(step.costs),
                "saves": encode(step.saves),
                "words": step_words(step, found.currency),
            }
            for step in found.steps
        ],
        "sensitivity": encode(found.swings),
        "settling": encode(found.settled),
        "measured": encode(found.taken),
        "rates": rates_json(found.world.book, found.struck),
    }


def _option(one: Option) -> dict[str, Any]:
    sums = {"failures": encode(one.money.failures), "total": encode(one.money.total)}
    money = {**encode(one.money), **sums}
    head = {"name": one.fleet.name, "spot_replicas": one.fleet.spot_replicas, "availability": one.availability}
    return {**head, **encode(one), "lost_by": dict(one.lost_by), "money": money}


def rates_json(book: RateBook, struck: tuple[float, ...] = ()) -> dict[str, Any]:
    """The book as it was used; `an_hour` with rollouts counted in, `struck` a month of the chosen option."""
    faults = [
        {**encode(fault), "an_hour": book.an_hour(fault), "struck": struck[place] if struck else None}
        for place, fault in enumerate(book.faults)
    ]
    rest = {name: encode(getattr(book, name)) for name in ("recoveries", "failover", "rollouts", "spot_discount")}
    return {"where": book.where, "as_of": book.as_of.isoformat(), "faults": faults, **rest}
