"""The committed example is whole, and can be rendered again from its report.json."""

from pathlib import Path

from sre.reports.html import render_html
from sre.reports.json_report import from_json, load_report, to_json
from sre.reports.manifest import verify

ROOT = Path(__file__).resolve().parents[3]
EXAMPLE = ROOT / "reports" / "example"


def test_the_example_is_as_its_manifest_says():
    assert verify(EXAMPLE) == []


def test_the_example_is_a_passed_drill_of_a_shipped_experiment():
    report = load_report(EXAMPLE / "report.json")
    assert report.verdict == "passed"
    assert (ROOT / "experiments" / report.experiment).is_file()
    assert {r.source for r in report.results} == {"scraper", "prometheus"}


def test_the_example_can_be_rendered_again():
    report = load_report(EXAMPLE / "report.json")
    assert to_json(from_json(to_json(report))) == to_json(report)
    assert report.title in render_html(report, [])


def test_the_readme_shows_what_is_committed():
    readme = (ROOT / "README.md").read_text()
    for path in ("docs/images/report.png", "reports/example/", "runbooks/replica-crash.md"):
        assert path in readme
        assert (ROOT / path).exists()
