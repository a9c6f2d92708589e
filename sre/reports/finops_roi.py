"""The return of the drill programme as a page of its own, and as lines for a terminal."""

from __future__ import annotations

from pathlib import Path

from sre.cost.finance import Finance
from sre.cost.roi_model import Roi
from sre.reports.atomic import write_text
from sre.reports.facts import Figure
from sre.reports.finops_charts import WORDS, roi_chart
from sre.reports.finops_inputs import input_rows
from sre.reports.finops_tables import return_table
from sre.reports.finops_view import FinopsView, Section, illustrative
from sre.reports.finops_words import simulated
from sre.reports.finops_write import render_html
from sre.reports.formats import percent


def roi_view(found: Roi, assumed: Roi | None, finance: Finance) -> FinopsView:
    """`assumed` is the return with assumed minutes where `found` took measured ones."""
    currency, even = found.currency, found.break_even
    ratio = "n/a" if found.ratio is None else f"{found.ratio:.2f}"
    avoided = "never" if even.avoided is None else str(even.avoided)
    band = f"p10 {simulated(found.net.p10, currency)}, p90 {simulated(found.net.p90, currency)}"
    doubt = f"± {percent(float(found.standard_error), 1)}, the simulation's own error"
    return FinopsView(
        title="Return of the drill programme",
        subtitle=f"a year, in {currency}; {found.years:,} simulated years, seed {found.seed}",
        warning=illustrative(finance.path) if finance.is_illustrative else "",
        headline=roi_lines(found),
        figures=(
            Figure("net benefit, p50", simulated(found.net.p50, currency), band),
            Figure(
                "positive years",
                percent(float(found.chance_positive), 1),
                doubt,
            ),
            Figure("return on investment", ratio, "mean net benefit / mean cost"),
            Figure("break-even", avoided, "incidents a year to avoid; cost a year / cost of one"),
        ),
        sections=(
            Section("roi", "Net benefit", (return_table(found, assumed),), (roi_chart(found),)),
            Section("inputs", "Inputs", (input_rows(found.inputs),)),
        ),
        limits=found.notes,
        footer=f"Economics: {finance.path}, sha256 {finance.sha256[:16]}.",
    )


def roi_lines(found: Roi) -> tuple[str, str, str]:
    """Three sentences: what it returns, when it pays, what decides it."""
    currency, even = found.currency, found.break_even
    net = f"p10 {simulated(found.net.p10, currency)}, p90 {simulated(found.net.p90, currency)}"
    costs = f"It costs {simulated(found.cost.p50, currency)} a year"
    shortened = "never by shortening them" if even.shortened is None else f"{even.shortened} shortened ones"
    pays = (
        f"and pays from {even.avoided} avoided incidents a year, or {shortened}" if even.avoided else "and never pays"
    )
    widest = ", ".join(WORDS[swing.name] for swing in found.swings[:3]) or "nothing: no input has a range"
    return (
        f"Net benefit {simulated(found.net.p50, currency)} a year ({net}), positive in "
        f"{percent(float(found.chance_positive), 1)} of simulated years.",
        f"{costs} {pays}.",
        f"What moves the result most: {widest}.",
    )


def write_roi(found: Roi, assumed: Roi | None, finance: Finance, path: Path) -> None:
    """One offline HTML file at `path`. Raises EnvironmentLacks when it cannot be written."""
    write_text(path, render_html(roi_view(found, assumed, finance)))
