"""`sre cost report`, `prices` and `focus` as somebody types them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from sre.cli.app import app
from sre.cli.price_options import spec_price
from sre.errors import BadDocument, SreError


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["cost", *map(str, arguments)])


def refused(*arguments: object) -> str:
    result = run(*arguments)
    assert isinstance(result.exception, SreError), result.output
    assert "\n" not in str(result.exception)
    return str(result.exception)


def test_a_drill_is_shown_with_its_layers_and_its_units(drill: Callable[..., Path]) -> None:
    shown = run("report", drill()).output
    assert "A crash: $0.38" in shown
    for word in ("used", "wasted", "idle", "shared", "bill", "million good tokens", "our contract 17"):
        assert word in shown


def test_what_is_shown_adds_up(drill: Callable[..., Path]) -> None:
    found = json.loads(run("report", drill(), "--json").output)
    layers = found["layers"]
    assert found["bill"] == "0.380000000000"
    assert sum(float(layers[name]) for name in ("used", "wasted", "idle", "shared")) == pytest.approx(0.38)


def test_the_page_is_one_file_without_a_script(drill: Callable[..., Path], tmp_path: Path) -> None:
    out = tmp_path / "cost.html"
    assert run("report", drill(title="<script>alert(1)</script>"), "--out", out).exit_code == 0
    page = out.read_text()
    assert "<script" not in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "Where the money went" in page
    assert 'role="img"' in page


def test_a_page_is_the_same_each_time(drill: Callable[..., Path], tmp_path: Path) -> None:
    folder = drill()
    for name in ("a.html", "b.html"):
        run("report", folder, "--out", tmp_path / name)
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


def test_a_drill_without_samples_has_a_bill_and_says_what_it_lacks(drill: Callable[..., Path], tmp_path: Path) -> None:
    folder = drill()
    (folder / "samples.jsonl").unlink()
    assert "layers n/a: cost layers are n/a: samples.jsonl is missing" in run("report", folder).output
    assert run("report", folder, "--out", tmp_path / "cost.html").exit_code == 0
    assert "samples.jsonl is missing" in (tmp_path / "cost.html").read_text()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--price", "none-such"), "no price is called 'none-such'"),
        (("--price", "2 ZZZ"), "ZZZ is no currency"),
        (("--shared-per-hour", "much"), "--shared-per-hour 'much' is no amount"),
        (("--since", "5m"), "--since is for a platform that runs"),
        (("--out", "/none/such/cost.html"), "there is no folder /none/such"),
    ],
)
def test_a_wrong_option_is_one_line(drill: Callable[..., Path], more: tuple[str, str], said: str) -> None:
    assert said in refused("report", drill(), *more)


def test_where_no_platform_was_started_there_is_nothing_to_report(tmp_path: Path) -> None:
    assert "no platform was started here" in refused("report", "--state-dir", tmp_path)


def test_a_platform_that_is_down_needs_a_price(tmp_path: Path) -> None:
    events = [
        (100.0, "platform_starting", None),
        (101.0, "replica_started", "llm-0"),
        (150.0, "platform_stopped", None),
    ]
    lines = [json.dumps({"at": a, "event": e, "replica": r, "pid": 1, "detail": {}}) + "\n" for a, e, r in events]
    (tmp_path / "events.jsonl").write_text("".join(lines))
    assert "its price went with it: give --price" in refused("report", "--state-dir", tmp_path)
    found = json.loads(run("report", "--state-dir", tmp_path, "--price", "3.60 EUR", "--json").output)
    assert (found["bill"], found["currency"]) == ("0.049000000000", "EUR")


def test_the_price_of_the_day_is_marked() -> None:
    lines = run("prices", "--gpu", "H100-80GB", "--on", "2026-11-25").output.splitlines()
    (taken,) = [line for line in lines if line.startswith("*")]
    assert "aws-p5-h100" in taken
    expired = next(line for line in lines if "aws-capacity-block-h100" in line)
    assert "does not hold" in expired


def test_prices_as_json_say_which_is_taken() -> None:
    found = json.loads(run("prices", "--gpu", "RTX-4090", "--on", "2026-11-25", "--json").output)
    assert [(price["name"], price["taken"]) for price in found["prices"]] == [("runpod-rtx-4090", True)]
    before = json.loads(run("prices", "--gpu", "RTX-4090", "--on", "2020-01-01", "--json").output)
    assert [price["holds"] for price in before["prices"]] == [False]


def test_a_gpu_or_a_day_that_is_unknown_is_one_line() -> None:
    assert "no price for GPU 'H900'" in refused("prices", "--gpu", "H900")
    assert "--on 'soon' is no day" in refused("prices", "--on", "soon")


def test_focus_writes_rows_that_add_up(drill: Callable[..., Path], tmp_path: Path) -> None:
    drill("one")
    drill("two")
    result = run("focus", tmp_path, "--out", tmp_path / "rows.csv", "--json")
    found = json.loads(result.output)
    assert (found["rows"], found["format"], found["bills"]) == (4, "csv", {"USD": "0.760000000000"})


def test_focus_refuses_what_it_cannot_account_for(drill: Callable[..., Path], tmp_path: Path) -> None:
    folder = drill()
    assert "given twice" in refused("focus", folder, folder, "--out", tmp_path / "rows.csv")
    assert "--format 'xml' is unknown" in refused("focus", folder, "--out", tmp_path / "x", "--format", "xml")
    (folder / "events.jsonl").unlink()
    result = run("focus", folder, "--out", tmp_path / "rows.csv")
    assert isinstance(result.exception, BadDocument)
    assert not (tmp_path / "rows.csv").exists()


def test_a_platform_starts_with_the_price_of_its_gpu_today() -> None:
    price = spec_price(None, None, profile="h100-llama3-70b-tp4", engine="emulated")
    assert (price.currency, price.gpus_per_replica) == ("USD", 4)
    assert price.replica_hour == pytest.approx(4 * float(price.per_gpu_hour))


def test_a_platform_may_be_given_another_price() -> None:
    price = spec_price("2.10 EUR", 8, profile="h100-llama3-8b-tp1", engine="emulated")
    assert (price.per_gpu_hour, price.currency, price.gpus_per_replica) == ("2.10", "EUR", 8)
    with pytest.raises(BadDocument, match="no price is called 'free'"):
        spec_price("free", None, profile="h100-llama3-8b-tp1", engine="emulated")


def test_a_real_engine_has_no_price_unless_one_is_given() -> None:
    assert spec_price(None, None, profile="h100-llama3-8b-tp1", engine="vllm") is None
    assert spec_price("1.5", None, profile="h100-llama3-8b-tp1", engine="vllm").per_gpu_hour == "1.5"
