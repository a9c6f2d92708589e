"""Counters and histograms that travel between processes."""

from __future__ import annotations

import json

import pytest
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from serving.gateway.series import Ledger


@pytest.fixture
def ledger():
    return Ledger()


def page(ledger):
    registry = CollectorRegistry()
    registry.register(ledger)
    return registry


def test_the_page_is_the_one_prometheus_client_s_own_metrics_give(ledger):
    peer = CollectorRegistry()
    theirs = (
        Counter("requests_total", "Requests.", ["outcome"], registry=peer),
        Histogram("wait_seconds", "Wait.", buckets=(0.05, 1, 10), registry=peer),
    )
    ours = (
        ledger.counter("requests_total", "Requests.", ["outcome"]),
        ledger.histogram("wait_seconds", "Wait.", (0.05, 1, 10)),
    )
    for counter, histogram in (theirs, ours):
        counter.labels("ok").inc(3)
        counter.labels("error").inc(0)
        for value in (0.05, 0.5, 1, 11, 1e-9):
            histogram.observe(value)
    expected = [line for line in generate_latest(peer).decode().splitlines() if "_created" not in line]
    assert generate_latest(page(ledger)).decode().splitlines() == expected


def test_what_one_process_takes_another_adds(ledger):
    counter, histogram = ledger.counter("c_total", "c", ["x"]), ledger.histogram("h", "h", (1, 2))
    total = Ledger()
    total.counter("c_total", "c", ["x"]).labels("a").inc(10)
    total.histogram("h", "h", (1, 2))
    for value in (0.5, 1.5, 9.0):
        counter.labels("a").inc()
        counter.labels("new").inc(2)
        histogram.observe(value)
        total.add(json.loads(json.dumps(ledger.take())))
    summed = page(total)
    assert summed.get_sample_value("c_total", {"x": "a"}) == 13
    assert summed.get_sample_value("c_total", {"x": "new"}) == 6
    assert [summed.get_sample_value("h_bucket", {"le": le}) for le in ("1.0", "2.0", "+Inf")] == [1, 2, 3]
    assert summed.get_sample_value("h_sum") == 11.0


def test_nothing_is_taken_twice_and_nothing_when_nothing_grew(ledger):
    counter = ledger.count("c_total", "c")
    ledger.histogram("h", "h", (1,))
    assert ledger.take() == []
    counter.inc()
    assert [change.amounts for change in ledger.take()] == [[1.0]]
    assert ledger.take() == []
