"""The report in a real browser: quiet, offline, its charts visible, nothing wider than the screen."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

CHROMIUM = Path("/usr/bin/chromium")
FACTORY = Path(__file__).parents[1] / "sre" / "reports" / "drill_factory.py"
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def report_path(tmp_path_factory):
    from sre.reports.write import write_report

    spec = importlib.util.spec_from_file_location("browser_drill_factory", FACTORY)
    factory = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(factory)
    return write_report(factory.make_drill(), tmp_path_factory.mktemp("report"))


@pytest.fixture(scope="module")
def browser():
    if not CHROMIUM.exists():
        pytest.skip("chromium is not installed (apt-get install chromium)")
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (pip install playwright)")
    with sync_api.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=str(CHROMIUM), args=list(FLAGS))
        yield started
        started.close()


@pytest.mark.parametrize("width", [400, 1200])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_opens_quietly_and_fits(browser, report_path, width, scheme):
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(report_path.as_uri())
    page.wait_for_load_state("networkidle")

    assert said == []
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    assert asked[0] == report_path.as_uri()
    assert page.evaluate("document.documentElement.scrollWidth") <= width

    charts = page.locator("svg.chart")
    assert charts.count() == 5
    for index in range(charts.count()):
        box = charts.nth(index).bounding_box()
        assert box["width"] >= min(width * 0.8, 640)
        assert box["height"] > 80
        assert charts.nth(index).locator("text").first.is_visible()
    page.close()


def test_chart_text_never_overlaps_the_edge_of_its_chart(browser, report_path):
    page = browser.new_page(viewport={"width": 1200, "height": 900})
    page.goto(report_path.as_uri())
    outside = page.evaluate(
        """() => [...document.querySelectorAll('svg.chart')].flatMap(svg => {
            const edge = svg.getBoundingClientRect();
            return [...svg.querySelectorAll('text')].filter(t => {
                const box = t.getBoundingClientRect();
                return box.left < edge.left - 1 || box.right > edge.right + 1
                    || box.top < edge.top - 1 || box.bottom > edge.bottom + 1;
            }).map(t => t.textContent);
        })"""
    )
    assert outside == []
    page.close()


def test_links_lead_to_their_sections(browser, report_path):
    page = browser.new_page(viewport={"width": 1200, "height": 900})
    page.goto(report_path.as_uri())
    page.get_by_role("link", name="Timeline").click()
    assert page.locator("#timeline").bounding_box()["y"] < 100
    assert page.evaluate("document.querySelectorAll('script').length") == 0
    page.close()
