"""The committed example is whole, and can be rendered again from its report.json."""

from pathlib import Path

from sre.reports.html import render_html
from sre.reports.json_report import load_report, to_json
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
    text = (EXAMPLE / "report.json").read_text()
    report = load_report(EXAMPLE / "report.json")
    assert to_json(report) == text
    assert report.title in render_html(report, [])


def test_the_readme_shows_what_is_committed():
    readme = (ROOT / "README.md").read_text()
    pages = ("post-incident.md", "finops.md")
    paths = ("docs/images/report.png", "docs/images/post-incident.png", "reports/example/", "runbooks/replica-crash.md")
    for path in (*paths, *(f"reports/example/{page}" for page in pages)):
        assert path in readme
        assert (ROOT / path).exists()
