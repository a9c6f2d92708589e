"""The FinOps briefing in a real browser: quiet, offline, no wider than the screen, two pages on paper."""

from __future__ import annotations

import importlib.util
import re
from decimal import Decimal
from pathlib import Path

import pytest

from sre.cost.finance_reader import read_finance
from sre.cost.policies import PolicyCost, PolicyCosts
from sre.reports.finops_build import Options
from sre.reports.finops_write import write_finops

CHROMIUM = Path("/usr/bin/chromium")
ROOT = Path(__file__).parents[2]
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync")
pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def briefing_path(tmp_path_factory):
    factory_path = ROOT / "tests" / "sre" / "reports" / "drill_factory.py"
    spec = importlib.util.spec_from_file_location("finops_browser_factory", factory_path)
    factory = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(factory)
    numbers = (Decimal(1), Decimal(9), Decimal(2), Decimal(6480))
    policies = tuple(PolicyCost(f"policy {n}", n == 0, *numbers, Decimal(n)) for n in range(7))
    compared = PolicyCosts("compare.json", "USD", "p", "a day", "h100", Decimal(3600), "policy 0", policies)
    finance = read_finance(ROOT / "finance.yaml")
    asked = Options(policies=compared, years=500)
    return write_finops(tmp_path_factory.mktemp("finops"), report=factory.make_drill(), finance=finance, options=asked)


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
def test_it_opens_quietly_and_fits(browser, briefing_path, width):
    page = browser.new_page(viewport={"width": width, "height": 900})
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(briefing_path.as_uri())
    page.wait_for_load_state("networkidle")
    assert said == []
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator("svg.chart").count() == 3  # one drill has no chart of several
    page.close()


def test_a_drill_with_labour_and_seven_policies_prints_on_two_pages(browser, briefing_path):
    page = browser.new_page()
    page.goto(briefing_path.as_uri())
    printed = page.pdf(prefer_css_page_size=True)
    page.close()
    counts = [int(found) for found in re.findall(rb"/Count (\d+)", printed)]
    assert max(counts) == 2
