"""Readings are a drill's own samples, with their age; a log shows what it did not say as well."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from sre.metrics.model import Series, SeriesId
from sre.tabletop.artefacts import GATEWAY, Recording, budget_text, log_text, look_up_rows, readings_text
from sre.tabletop.seen import Instants, first_tokens_at, instants_of, seen_at

OK = "sre_gateway_requests_total"
INSTANTS = Instants(calm=100.0, symptom=110.0, alert=None, worst=120.0, over=130.0)


@dataclass
class FakeSamples:
    """One counter of good requests, sampled each second until it stopped."""

    until: float
    name: str = "fake"

    def series(self, selector, *, start, end):
        times = np.arange(0.0, self.until + 1)
        inside = (times > start) & (times <= end)
        if selector.name != OK or not inside.any():
            return []
        labels = (("instance", "127.0.0.1:8400"), ("job", "gateway"), ("outcome", "ok"))
        return [Series(SeriesId(OK, labels), times[inside], 10 * times[inside])]


def recording(report, until=200.0):
    return Recording(report, INSTANTS, FakeSamples(until))


def test_readings_stand_beside_those_of_the_calm_before(example_report):
    text, absent = readings_text(recording(example_report), GATEWAY, 110.0)
    assert absent == ""
    assert text.splitlines()[-1].split() == ['sre_gateway_requests_total{outcome="ok"}', "1,000", "1,100"]


def test_an_old_sample_says_how_old_it_is(example_report):
    text, _ = readings_text(recording(example_report, until=104.0), GATEWAY, 110.0)
    assert text.endswith("(newest sample 6 s old)")
    assert "1,040" in text


def test_what_is_older_than_that_is_no_sample(example_report):
    text, _ = readings_text(recording(example_report, until=101.0), GATEWAY, 120.0)
    assert text.splitlines()[-1].endswith("no sample")


def test_without_samples_the_reason_is_given(example_report):
    assert readings_text(Recording(example_report, INSTANTS, None, "n/a (gone)"), GATEWAY, 110.0) == ("", "n/a (gone)")
    assert readings_text(recording(example_report, until=1.0), GATEWAY, 110.0) == (
        "",
        "n/a (the samples hold none of these metrics)",
    )


def test_look_ups_have_a_column_for_each_instant(example_report):
    assert look_up_rows(recording(example_report), GATEWAY, [100.0, 110.0, 120.0]) == [
        ('sre_gateway_requests_total{outcome="ok"}', "1,000", "1,100", "1,200")
    ]


def test_a_log_ends_at_its_instant(example_report):
    instants = instants_of(example_report)
    early, late = (log_text(seen_at(example_report, at), ()) for at in (instants.symptom, instants.over))
    hit = example_report.faults[0].target
    assert f"{hit} exited" in early
    assert f"gateway gives {hit} work again" not in early
    assert f"gateway gives {hit} work again" in late


def test_a_log_that_is_silent_says_so(example_report):
    assert log_text(seen_at(example_report, instants_of(example_report).calm), ()).startswith("(no line since ")


@pytest.mark.parametrize("term", ["{hit} exited", "supervisor saw"])
def test_withheld_lines_are_counted(example_report, term):
    hit = example_report.faults[0].target.replace("-", " ")
    text = log_text(seen_at(example_report, instants_of(example_report).symptom), (term.replace("{hit}", hit),))
    assert "(1 line(s) withheld by exercise control)" in text
    assert "exited" not in text


def test_budgets_are_those_of_the_instant(alerted):
    instants = instants_of(alerted)
    calm, later = (budget_text(seen_at(alerted, at)) for at in (instants.calm, instants.alert + 1))
    rows = {line.split()[0]: line for line in calm.splitlines()[1:]}
    assert rows["availability"].split()[-3:] == ["0x", "0x", "nothing"]
    assert rows["inter-token"].endswith("n/a          n/a  nothing")
    assert "availability" in later
    assert "page-1h (page)" in later


def test_no_objective_is_no_table(alerted):
    assert budget_text(replace(alerted, results=())) == ""


def test_a_first_token_counts_before_its_request_has_ended(alerted):
    at = instants_of(alerted).worst
    seen, first = seen_at(alerted, at), first_tokens_at(alerted, at)
    assert len(first.requests) > sum(point.ttft_s is not None for point in seen.requests)
    assert all(point.at + point.ttft_s <= at and point.at + point.e2e_s <= at + 1e-6 for point in first.requests)
