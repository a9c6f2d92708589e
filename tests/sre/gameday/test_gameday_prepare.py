"""Bad input is refused with its place and its mend before anything starts."""

import shutil
from pathlib import Path

import pytest

from sre.errors import BadDocument, EnvironmentLacks, SreError
from sre.gameday.listing import list_experiments
from sre.gameday.model import DrillOptions
from sre.gameday.prepare import prepare

ROOT = Path(__file__).resolve().parents[3]
RISKS = """risks:
  - {id: RISK-001, title: slow, status: open, owner: us, found_by: [EXP-001], shows: [alert], measured: m, mend: n}
"""


@pytest.fixture
def workspace(tmp_path):
    shutil.copytree(ROOT / "slo", tmp_path / "slo")
    (tmp_path / "experiments").mkdir()
    shutil.copy(ROOT / "experiments" / "replica-crash.yaml", tmp_path / "experiments")
    return tmp_path


def options(workspace, **changes):
    return DrillOptions(
        experiment=workspace / "experiments" / "replica-crash.yaml",
        workspace=workspace,
        state_dir=workspace / ".sre",
        reports_dir=workspace / "reports",
        **changes,
    )


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_the_shipped_experiment_is_ready_to_run(workspace):
    prepared = prepare(options(workspace), now=0.0)
    assert prepared.folder.name == "19700101T000000Z-replica-crash"
    assert prepared.price.gpu == "H100-80GB"
    assert prepared.warmup_s == 12
    assert not prepared.folder.exists()
    assert not (workspace / ".sre").exists()


def test_the_command_line_overrides_the_file(workspace):
    prepared = prepare(options(workspace, rate_rps=2.5, duration_s=30.0, seed=9, replicas=2), now=0.0)
    assert (prepared.load["rate_rps"], prepared.load["duration_s"], prepared.load["seed"]) == (2.5, 30.0, 9)
    assert prepared.spec.replicas == 2
    assert prepared.warmup_s == 10


def test_a_trace_replaces_the_generators_shape(workspace):
    trace = workspace / "t.csv"
    rows = "".join(f"2023-11-16 18:15:{i:02d}.0000000,{100 + i},20\n" for i in range(40))
    trace.write_text("TIMESTAMP,ContextTokens,GeneratedTokens\n" + rows)
    prepared = prepare(options(workspace, trace=trace, rate_rps=4.0), now=0.0)
    assert prepared.load["trace"] == str(trace)
    assert "cv" not in prepared.load


def test_a_missing_trace_is_one_line(workspace):
    with pytest.raises(SreError, match=r"no-such\.csv") as caught:
        prepare(options(workspace, trace=workspace / "no-such.csv"), now=0.0)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


def test_a_bad_trace_row_is_named_with_its_line(workspace):
    trace = workspace / "t.csv"
    trace.write_text("TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.68,ten,20\n")
    with pytest.raises(SreError, match=r"t\.csv:2"):
        prepare(options(workspace, trace=trace), now=0.0)


def test_a_malformed_slo_is_named_with_its_line(workspace):
    edit(workspace / "slo" / "availability.yaml", "0.999", "1.5")
    with pytest.raises(BadDocument, match=r"availability\.yaml:\d+: "):
        prepare(options(workspace), now=0.0)


def test_a_misspelt_experiment_key_is_named_with_its_line(workspace):
    edit(workspace / "experiments" / "replica-crash.yaml", "\nrollbacks:\n", "\nrollback:\n")
    with pytest.raises(BadDocument, match=r"replica-crash\.yaml:\d+: .*did you mean `rollbacks`"):
        prepare(options(workspace), now=0.0)


def test_an_expected_alert_without_its_slo_is_refused(workspace):
    edit(workspace / "experiments" / "replica-crash.yaml", "slo: availability", "slo: latency")
    with pytest.raises(BadDocument, match=r"no SLO is named 'latency': use one of .*availability"):
        prepare(options(workspace), now=0.0)


def test_a_drill_of_an_slo_that_does_not_exist_is_refused(workspace):
    edit(workspace / "experiments" / "replica-crash.yaml", "slo: [availability]", "slo: [availability, nope]")
    with pytest.raises(BadDocument, match=r"no SLO is named 'nope': use one of .*availability"):
        prepare(options(workspace), now=0.0)


def test_an_unknown_profile_lists_the_known_ones(workspace):
    with pytest.raises(SreError, match="h100-llama3-8b-tp1") as caught:
        prepare(options(workspace, profile="tpu"), now=0.0)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("changes", [{"rate_rps": -1.0}, {"duration_s": 0.0}, {"time_scale": 0.0}, {"replicas": 99}])
def test_impossible_numbers_are_refused(workspace, changes):
    with pytest.raises(SreError) as caught:
        prepare(options(workspace, **changes), now=0.0)
    assert "\n" not in str(caught.value)


def test_a_missing_slo_folder_is_refused(workspace):
    shutil.rmtree(workspace / "slo")
    with pytest.raises(BadDocument, match="no such folder"):
        prepare(options(workspace), now=0.0)


def test_a_price_book_of_ones_own_is_used(workspace):
    book = workspace / "prices.yaml"
    book.write_text(
        "schema: 1\nprices:\n  - {name: lab, gpu: H100-80GB, per_gpu_hour: '1.50', currency: EUR, source: our ledger}\n"
    )
    price = prepare(options(workspace, prices=book), now=0.0).price
    assert (str(price.per_gpu_hour), price.currency) == ("1.50", "EUR")
    book.write_text(book.read_text().replace("H100-80GB", "A100-40GB"))
    with pytest.raises(BadDocument, match="no price for GPU 'H100-80GB'"):
        prepare(options(workspace, prices=book), now=0.0)


def test_experiments_are_listed_with_what_is_wrong_with_them(workspace):
    (workspace / "experiments" / "broken.yaml").write_text("title: [\n")
    broken, good = list_experiments(workspace)
    assert broken.faults
    assert "broken.yaml" in broken.faults[0]
    assert not good.faults
    assert good.failure_mode == "replica-crash"


def test_a_drill_clock_too_fast_for_the_scrapes_is_refused_before_the_drill(workspace):
    edit(workspace / "experiments" / "replica-crash.yaml", "clock_factor: 60", "clock_factor: 300")
    with pytest.raises(SreError, match="use at most 150x"):
        prepare(options(workspace), now=0.0)


def test_a_failure_mode_nobody_knows_runs_without_a_runbook(workspace):
    assert prepare(options(workspace), now=0.0).has_runbook
    edit(workspace / "experiments" / "replica-crash.yaml", "failure_mode: replica-crash", "failure_mode: meteor")
    assert not prepare(options(workspace), now=0.0).has_runbook


def test_the_platform_is_what_the_experiment_needs_unless_the_command_line_says_otherwise(workspace):
    edit(workspace / "experiments" / "replica-crash.yaml", "replicas: 3", "replicas: 4\n      cold_start_scale: 0.5")
    spec = prepare(options(workspace), now=0.0).spec
    assert (spec.replicas, spec.cold_start_scale) == (4, 0.5)
    assert prepare(options(workspace, replicas=2), now=0.0).spec.replicas == 2


def test_a_drill_that_needs_prometheus_is_refused_without(workspace):
    edit(workspace / "experiments" / "replica-crash.yaml", "replicas: 3", "replicas: 3\n      prometheus: true")
    assert prepare(options(workspace), now=0.0).spec.prometheus == "auto"
    with pytest.raises(SreError, match="leave --no-prometheus out"):
        prepare(options(workspace, prometheus=False), now=0.0)


def test_a_weakness_must_be_on_the_risk_list(workspace):
    edit(
        workspace / "experiments" / "replica-crash.yaml",
        "    deadline_s: 120 ",
        "    weakness: {risk: RISK-009, text: slow}\n    deadline_s: 120 ",
    )
    (workspace / "risks.yaml").write_text(RISKS)
    with pytest.raises(BadDocument, match=r"RISK-009 is not in risks\.yaml: .* it has RISK-001"):
        prepare(options(workspace), now=0.0)
    (workspace / "risks.yaml").write_text(RISKS.replace("RISK-001", "RISK-009"))
    assert prepare(options(workspace), now=0.0).risk.shows == ("alert",)


def test_a_drill_prepared_earlier_gets_its_folder_when_it_starts(workspace):
    later = prepare(options(workspace), now=0.0).at(61.0)
    assert later.folder.name == "19700101T000101Z-replica-crash"
    assert later.load["out"] == str(later.folder.resolve())


def test_a_reports_folder_that_cannot_be_made_is_refused_before_the_drill(workspace):
    (workspace / "reports").write_text("a file")
    with pytest.raises(EnvironmentLacks, match=r"reports: .*choose another --reports"):
        prepare(options(workspace), now=0.0)
