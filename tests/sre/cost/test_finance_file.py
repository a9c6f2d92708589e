"""finance.yaml: strict, every fault at once with its line, nothing taken for 0."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from sre.cost.finance_reader import read_finance
from sre.errors import BadDocument

ROOT = Path(__file__).parents[3]
HEAD = "schema: 1\ncurrency: USD\n"


def read(tmp_path: Path, text: str) -> list[str]:
    """The faults of a file, without its folder; [] when there is none."""
    path = tmp_path / "finance.yaml"
    path.write_text(text, "utf-8")
    try:
        read_finance(path)
    except BadDocument as error:
        return [fault.removeprefix(f"{tmp_path}/") for fault in error.faults]
    return []


def test_the_committed_example_is_whole_and_marked_illustrative() -> None:
    found = read_finance(ROOT / "finance.yaml")
    assert found.is_illustrative
    assert found.good_request is not None
    assert (found.good_request.value, found.good_request.unit) == (Decimal("0.01"), "USD")
    assert found.credits is not None
    assert [step.percent for step in found.credits.steps] == [10, 25, 100]
    assert found.programme is not None
    assert "illustrative" in found.programme.minutes_with.source


def test_a_number_is_the_digits_that_were_written(tmp_path: Path) -> None:
    path = tmp_path / "finance.yaml"
    path.write_text(HEAD + "good_request: {value: 0.1, basis: measured, source: ledger}\n", "utf-8")
    found = read_finance(path).good_request
    assert found is not None
    assert found.value == Decimal("0.1")


def test_what_is_not_there_is_none_with_a_reason(tmp_path: Path) -> None:
    path = tmp_path / "finance.yaml"
    path.write_text(HEAD, "utf-8")
    found = read_finance(path)
    assert (found.good_request, found.credits, found.programme) == (None, None, None)
    assert found.missing("sla") == "finance.yaml has no sla"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("schema: 1\ncurrency: USS\n", "finance.yaml:2: currency: 'USS' is no currency of ISO 4217"),
        ("schema: 2\ncurrency: USD\n", "finance.yaml:1: schema: is 2: this version reads schema 1"),
        ("schema: 1\n", "finance.yaml:1: currency: missing"),
        (
            HEAD + "good_request: {value: -1, basis: assumed, source: x}\n",
            ":3: good_request.value: is -1: an amount is",
        ),
        (
            HEAD + "good_request: {value: 1, low: 2, basis: assumed, source: x}\n",
            ":3: good_request: low, value and high are 2, 1: write them in rising order",
        ),
        (
            HEAD + "good_request: {value: 1, low: 0, high: 0.5, basis: assumed, source: x}\n",
            "low, value and high are 0, 1, 0.5",
        ),
        (HEAD + "good_request: {value: 1, source: x}\n", ":3: good_request.basis: missing: write measured or assumed"),
        (HEAD + "good_request: {value: 1, basis: assumed}\n", ":3: good_request.source: missing"),
        (HEAD + "good_request: {value: 1, basis: asumed, source: x}\n", "did you mean `assumed`?"),
        (
            HEAD + "good_request: {value: .nan, basis: assumed, source: x}\n",
            "good_request.value: is nan: write a number",
        ),
        (
            HEAD + "good_request: {value: yes, basis: assumed, source: x}\n",
            "good_request.value: is True: write a number",
        ),
        (
            HEAD + "good_request: {value: 1, currency: EUR, basis: assumed, source: x}\n",
            "good_request.currency: is 'EUR' in a file in USD: currencies are never mixed",
        ),
        (HEAD + "slow_request_share: {value: 2, basis: assumed, source: x}\n", "write a number up to 1"),
        (HEAD + "good_requests: 1\n", "finance.yaml:3: good_requests: unknown key: did you mean `good_request`?"),
        (HEAD + "recovery_capacity: sometimes\n", "write counted or not counted"),
        (
            HEAD + "sla:\n  monthly_fee: {value: 1, basis: assumed, source: x}\n  source: x\n  credits:\n"
            "    - {below: 0.999, percent: 25}\n    - {below: 0.99, percent: 10}\n",
            ":6: sla.credits: gives less back for a worse availability",
        ),
        (HEAD + "sla:\n  source: x\n  credits: []\n", ":3: sla.monthly_fee: missing"),
        (
            HEAD + "labour:\n  - {role: SRE, people: 0, hourly_rate: {value: 1, basis: assumed, source: x}}\n",
            ":4: labour[0].people: is 0: write a whole number of people",
        ),
        (
            HEAD + "drill:\n  traffic: generated\n  team:\n    - {role: SRE, people: 1, "
            "hours: {value: 1, basis: assumed, source: x}}\n",
            ":3: drill: has a 'SRE' in its team, whom labour does not know: use one of none",
        ),
        (HEAD + "programme: {}\n", "programme.drills_a_month: missing: a return needs it"),
        (HEAD + "monthly_budgets: {gpu: {value: 1, basis: assumed, source: x}}\n", "did you mean `gpus`?"),
        ("schema: 1\n---\nschema: 1\n", "holds 2 documents"),
        ("", "holds 0 documents"),
        ("schema: [1\n", "not YAML"),
    ],
)
def test_a_bad_line_is_named_with_the_mend(tmp_path: Path, text: str, fault: str) -> None:
    assert any(fault in found for found in read(tmp_path, text)), read(tmp_path, text)


def test_all_faults_come_at_once_in_order_of_their_lines(tmp_path: Path) -> None:
    faults = read(tmp_path, "currency: usd\ngood_request: {value: -1}\nfoo: 1\n")
    assert len(faults) == 6
    assert [fault.split(":")[1] for fault in faults] == ["1", "1", "2", "2", "2", "3"]
