"""The FOCUS export against the FinOps Foundation's own validator, in a Python environment of its own.

The validator (PyPI `focus-validator`) wants Python 3.12 and has an exit code of 0 whatever it finds, so its output is
read. `SRE_FOCUS_VALIDATOR` names its executable; `make focus-validator` makes that environment.

What it can judge is limited: half of its rules are not executable, an OR of allowed values passes when one of them
occurs, and rules under "ChargeClass is not Correction" are not evaluated for a null one. Products of price and
quantity, and the sums, are held to the specification by tests/sre/cost/test_focus.py.

One finding is excused. The rule model says of InvoiceId "null when there is no invoice" and "not null when there is
one" as two branches of an OR without conditions, and lists the branch that does not hold as failed although the OR
passed. Only such branches are excused, and only when their OR passed.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from sre.cost.activity import Slot
from sre.cost.focus import focus_rows
from sre.cost.focus_columns import CRITERIA
from sre.cost.focus_write import write_csv, write_parquet
from sre.cost.layers import SharedPrice, layers_of
from sre.cost.model import ReplicaUse
from sre.cost.prices import price_named, shipped_prices
from sre.cost.statement import Statement, statement_of_drill
from sre.cost.work import Work

pytestmark = pytest.mark.integration

VERSION = "1.2.0.1"
EXAMPLE = Path(__file__).parents[2] / "reports" / "example"
FEWEST_PASSED = 200
"""Rules that must have been judged: a validator that skips nearly all of them proves nothing."""
_VERDICT = re.compile(r"^\W*([A-Za-z]+-[A-Z]-\d+-[A-Z]): (PASS|FAIL|SKIPPED)", re.MULTILINE)


@pytest.fixture(scope="module")
def validator() -> Path:
    named = os.environ.get("SRE_FOCUS_VALIDATOR")
    if not named:
        pytest.skip("SRE_FOCUS_VALIDATOR is not set: `make focus-validator` says how to have the FOCUS validator")
    path = Path(named).absolute()
    if not path.exists():
        pytest.fail(f"SRE_FOCUS_VALIDATOR: {path} does not exist")
    return path


def package_of(validator: Path) -> Path:
    """Where its rules lie; it reads a file relative to the folder above, so it must be started there."""
    python = validator.parent / "python"
    found = subprocess.run(
        [python, "-c", "import focus_validator; print(focus_validator.__path__[0])"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return Path(found.stdout.strip())


def verdicts(validator: Path, file: Path) -> dict[str, str]:
    """PASS, FAIL or SKIPPED by rule."""
    package = package_of(validator)
    done = subprocess.run(
        [
            validator,
            "--data-file",
            file,
            "--block-download",
            "--validate-version",
            VERSION,
            "--applicability-criteria",
            ",".join(CRITERIA),
        ],
        cwd=package.parent,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    found = dict(_VERDICT.findall(done.stdout))
    assert found, f"no verdict: {done.stdout[-500:]}{done.stderr[-500:]}"
    return found


def excused(validator: Path, found: dict[str, str]) -> set[str]:
    """The rules that are branches of an OR that passed."""
    path = package_of(validator) / "rules" / f"model-{VERSION}.json"
    rules: dict[str, Any] = json.loads(path.read_text("utf-8"))["ModelRules"]
    return {
        branch["ModelRuleId"]
        for name, rule in rules.items()
        if found.get(name) == "PASS" and rule["ValidationCriteria"]["Requirement"].get("CheckFunction") == "OR"
        for branch in rule["ValidationCriteria"]["Requirement"]["Items"]
        if branch.get("CheckFunction") == "CheckModelRule"
    }


def statements() -> Iterator[Statement]:
    """The committed drill, and one of each way to buy over three clock hours and a month's end."""
    if (EXAMPLE / "events.jsonl").exists():
        yield statement_of_drill(EXAMPLE)
    start = 1_796_077_800.0  # 2026-11-30 22:30 UTC
    for name in ("aws-p5-h100", "gcp-a3-h100-spot", "hyperstack-h100-sxm-reserved"):
        uses = (ReplicaUse("llm-0", start, start + 20, start + 6300), ReplicaUse("llm-1", start + 5, None, start + 90))
        slots = (Slot("llm-0", start, start + 5000, "busy"),)
        work, shared = Work(1000, 500, 400, 50, 10, 10, 9), SharedPrice(Decimal("0.40"), "a bill")
        price = price_named(name, shipped_prices())
        layers = layers_of(
            uses, slots, work, price=price, gpus_per_replica=2, start=start, end=start + 6300, shared=shared
        )
        yield Statement(
            id=name,
            title=name,
            start=start,
            end=start + 6300,
            price=price,
            gpus_per_replica=2,
            uses=uses,
            slots=slots,
            work=work,
            shared=shared,
            layers=layers,
        )


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_the_validator_finds_no_fault(validator: Path, tmp_path: Path, kind: str) -> None:
    file = tmp_path / f"rows.{kind}"
    rows = list(focus_rows(list(statements())))
    (write_csv if kind == "csv" else write_parquet)(rows, file)
    found = verdicts(validator, file)
    passed = [name for name, verdict in found.items() if verdict == "PASS"]
    failed = {name for name, verdict in found.items() if verdict == "FAIL"} - excused(validator, found)
    assert failed == set(), f"{kind}: {len(rows)} rows, {len(passed)} of {len(found)} rules passed"
    assert len(passed) >= FEWEST_PASSED


def test_the_validator_would_have_found_one(validator: Path, tmp_path: Path) -> None:
    rows = list(focus_rows(list(statements())))
    rows[0] = {**rows[0], "BilledCost": None, "ProviderName": None, "BillingCurrency": "DOLLARS"}
    write_csv(rows, tmp_path / "rows.csv")
    found = verdicts(validator, tmp_path / "rows.csv")
    failed = {name for name, verdict in found.items() if verdict == "FAIL"} - excused(validator, found)
    assert {"BilledCost-C-003-M", "ProviderName-C-003-M"} <= failed
    assert any(name.startswith("BillingCurrency") for name in failed)
