"""A drill's folder and a platform's directory as a statement; what is missing or cut is one line."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from sre.cost.allocation import replica_use
from sre.cost.layers import SharedPrice
from sre.cost.ledger import with_layers
from sre.cost.model import CostReport, Price
from sre.cost.statement import price_in_spec, statement_of_drill, statement_of_platform
from sre.errors import BadDocument, NoData, SreError
from sre.incidents.codec import decode
from sre.incidents.evidence import parse_platform_events, read_jsonl
from sre.metrics.files import RecordedSamples

Drill = Callable[..., Path]
START = 1_795_626_000.0
OURS = Price("ours", "H100-80GB", Decimal("7.20"), "EUR", None, "a contract")


def test_a_drill_is_priced_as_its_report_says(drill: Drill) -> None:
    """190 replica-s x 2 GPUs x 3.60 / 3600 = 0.38."""
    found = statement_of_drill(drill())
    assert found.bill == Decimal("0.38")
    assert found.layers is not None
    assert found.layers.bill == found.bill
    assert (found.experiment, found.incident, found.price.name) == ("crash.yaml", found.id, "lab-h100")


def test_its_layers_are_what_the_replicas_did(drill: Drill) -> None:
    layers = statement_of_drill(drill()).layers
    assert layers is not None
    spans = {part.name: part.replica_s for part in layers.parts}
    assert spans["not serving"] == pytest.approx(10.0)
    assert spans["vacant"] == pytest.approx(50.0, abs=1.01)
    assert spans["unseen"] == 0
    busy = [spans[name] or 0.0 for name in ("good", "late", "failed", "recomputed")]
    assert sum(busy) == pytest.approx(130.0, abs=1.01)
    assert spans["failed"] == pytest.approx(sum(busy) / 10, rel=0.02)


def test_another_price_changes_the_amounts_and_not_the_time(drill: Drill) -> None:
    folder = drill()
    found = statement_of_drill(folder, price=OURS, gpus_per_replica=1)
    assert (found.bill, found.price.currency) == (Decimal("0.38"), "EUR")
    shared = statement_of_drill(folder, shared=SharedPrice(Decimal("3.60"), "a bill"))
    assert shared.bill == Decimal("0.48")


def test_without_samples_there_is_a_bill_and_a_reason(drill: Drill) -> None:
    folder = drill()
    (folder / "samples.jsonl").unlink()
    found = statement_of_drill(folder)
    assert found.bill == Decimal("0.38")
    assert found.layers is None
    assert found.reason == "cost layers are n/a: samples.jsonl is missing"


def test_events_that_tell_of_another_bill_are_not_believed(drill: Drill) -> None:
    folder = drill()
    lines = (folder / "events.jsonl").read_text().splitlines(keepends=True)
    (folder / "events.jsonl").write_text("".join(lines[:3]))
    with pytest.raises(BadDocument, match=r"events.jsonl tells of 100.000 replica-s, report.json bills 190.000"):
        statement_of_drill(folder)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda folder: (folder / "report.json").unlink(), "report.json: cannot be read"),
        (lambda folder: (folder / "report.json").write_text('{"id": '), "report.json: not JSON"),
        (lambda folder: (folder / "report.json").write_text("[]"), "report.json: expected an object"),
        (lambda folder: (folder / "report.json").write_text("{}"), "report.json: started_at is None"),
        (lambda folder: (folder / "events.jsonl").unlink(), "events.jsonl: cannot be read"),
        (lambda folder: (folder / "events.jsonl").write_text("nothing\n{}\n"), "events.jsonl:1: not JSON"),
        (lambda folder: (folder / "events.jsonl").write_text('{"event": "x"}\n'), "events.jsonl:1"),
    ],
)
def test_what_is_missing_or_cut_is_one_line(drill: Drill, spoil: Callable[[Path], Any], said: str) -> None:
    folder = drill()
    spoil(folder)
    with pytest.raises(BadDocument) as raised:
        statement_of_drill(folder)
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_damaged_cost_names_its_faults(drill: Drill) -> None:
    with pytest.raises(BadDocument, match=r"report.json: cost"):
        statement_of_drill(drill(cost={"total": "much"}))


def platform(folder: Path, *events: tuple[float, str, str | None]) -> Path:
    (folder / "events.jsonl").write_text(
        "".join(
            json.dumps({"at": at, "event": event, "replica": replica, "pid": 1, "detail": {}}) + "\n"
            for at, event, replica in events
        )
    )
    return folder


def stated(folder: Path, **more: Any) -> Any:
    asked = {"price": OURS, "gpus_per_replica": 1, "now": 200.0, **more}
    return statement_of_platform(folder, **asked)


BEGUN = ((100.0, "platform_starting", None), (101.0, "replica_started", "llm-0"), (102.0, "replica_ready", "llm-0"))


def test_a_platform_is_billed_from_its_start_until_now(tmp_path: Path) -> None:
    found = stated(platform(tmp_path, *BEGUN))
    assert (found.start, found.end) == (100.0, 200.0)
    assert found.bill == Decimal("0.198"), "99 s at 7.20 an hour"
    assert found.reason == "cost layers are n/a: samples is missing"


def test_a_platform_that_stopped_is_billed_until_then(tmp_path: Path) -> None:
    found = stated(platform(tmp_path, *BEGUN, (150.0, "platform_stopped", None)))
    assert (found.end, found.bill) == (150.0, Decimal("0.098"))
    with pytest.raises(SreError, match="stopped before the interval begins: give an earlier --since"):
        stated(tmp_path, since=160.0)


def test_since_cuts_the_interval(tmp_path: Path) -> None:
    assert stated(platform(tmp_path, *BEGUN), since=190.0).bill == Decimal("0.02")
    assert stated(tmp_path, since=0.0).start == 100.0


def test_a_platform_of_which_nothing_is_known_has_no_bill(tmp_path: Path) -> None:
    with pytest.raises(NoData, match="nothing happened yet"):
        stated(platform(tmp_path))


def test_the_price_a_platform_was_started_with_has_the_source_of_its_book() -> None:
    known = [Price("p", "H100-80GB", Decimal("2.10"), "USD", "2026-01-01", "a page")]
    spec = {"price": {"name": "p", "per_gpu_hour": "2.10", "currency": "USD", "gpus_per_replica": 4}}
    assert price_in_spec(spec, known, gpu="H100-80GB") == (known[0], 4)
    spec["price"]["per_gpu_hour"] = "9"
    found = price_in_spec(spec, known, gpu="H100-80GB")
    assert found is not None
    assert (found[0].per_gpu_hour, found[0].source) == (Decimal(9), "given to `sre up`")
    assert price_in_spec({}, known, gpu="x") is None
    with pytest.raises(BadDocument, match=r"spec.json: price: not as `sre up` writes it"):
        price_in_spec({"price": {"name": "p"}}, known, gpu="x")


def a_report(folder: Path) -> CostReport:
    return decode(CostReport, json.loads((folder / "report.json").read_text())["cost"], "cost")


def test_a_cost_report_gets_its_layers_from_the_samples(drill: Drill) -> None:
    folder = drill()
    uses = replica_use(parse_platform_events(read_jsonl(folder / "events.jsonl")), end=START + 100)
    report = a_report(folder)
    found = with_layers(report, RecordedSamples(folder / "samples.jsonl"), uses, start=START, end=START + 100)
    assert found.layers == statement_of_drill(folder).layers
    assert found.notes == report.notes


def test_a_cost_report_without_layers_says_why(drill: Drill, tmp_path: Path) -> None:
    report = a_report(drill())
    found = with_layers(report, RecordedSamples(tmp_path / "none"), (), start=START, end=START + 100)
    assert found.layers is None
    assert found.notes[-1].endswith(".")
    assert "\n" not in found.notes[-1]


def test_an_incident_that_is_no_object_has_no_id(drill: Drill) -> None:
    folder = drill()
    report = json.loads((folder / "report.json").read_text())
    (folder / "report.json").write_text(json.dumps({**report, "incident": True}))
    assert statement_of_drill(folder).incident is None
