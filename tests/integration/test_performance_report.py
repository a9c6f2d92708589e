"""The measuring bench on the real platform: a knee in small, a kill, and the report made of both."""

from __future__ import annotations

from decimal import Decimal

import pytest

from sre.cost.model import Price
from sre.errors import EnvironmentLacks
from sre.gameday.measure import parts, sizes
from sre.gameday.measure.report import Surroundings, build_report
from sre.platforms.local import server_description
from sre.platforms.processes import marked
from sre.reports.performance.model import PerformanceReport, RunOptions, kind_of

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]
TINY = sizes.Sizes(
    requests=12,
    knee_levels=(1, 4),
    knee_window_s=0.5,
    batching_measured=(),
    batching_grid=(),
    batching_requests=0,
    policy_s=0.0,
    failover_s=2.5,
    kill_after_s=1.0,
)


class Silent:
    def step(self, text: str) -> None: ...
    def detail(self, text: str) -> None: ...
    def note(self, text: str) -> None: ...
    def done(self, result: str = "") -> None: ...
    def fail(self, result: str = "") -> None: ...


def no_price(gpu: str) -> Price:
    return Price("none", gpu, Decimal(1), "USD", None, "a test")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> PerformanceReport:
    try:
        server_description()
    except EnvironmentLacks as error:
        pytest.skip(str(error))
    state_dir = tmp_path_factory.mktemp("bench") / "state"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts, "sizes_of", lambda *, quick: TINY)
        patch.setattr(parts, "FAILOVER_REPLICAS", 2)
        options = RunOptions(sections=("knee", "failover"), quick=True, time_scale=2.0)
        made = build_report(options, Surroundings(state_dir, no_price, Silent()), command="sre report performance")
    assert marked(state_dir, None) == [], "no process is left of any of the platforms"
    return made


def value_of(report: PerformanceReport, name: str) -> float:
    value = dict(report.figures())[name].value
    assert value is not None, name
    return value


def test_more_clients_get_more_tokens_on_the_platform_and_in_the_simulator(report: PerformanceReport) -> None:
    for side in ("measured", "simulated"):
        one, four = (value_of(report, f"knee/{side}/c{n}/tokens_per_s") for n in (1, 4))
        assert one < four < 5 * one


def test_a_kill_loses_no_token_and_the_replica_comes_back(report: PerformanceReport) -> None:
    for side in ("measured", "simulated"):
        assert value_of(report, f"failover/{side}/crash/failed") == 0
        assert value_of(report, f"failover/{side}/crash/lost_tokens") == 0
        assert value_of(report, f"failover/{side}/crash/recovery") > 0
    assert value_of(report, "failover/measured/crash/under_way") > 0


def test_every_figure_has_the_origin_its_table_is_named_by(report: PerformanceReport) -> None:
    for name, figure in report.figures():
        assert name.split("/")[1] == kind_of(figure.origin)
