"""Thresholds against bucket bounds: by the catalogue, by the source, with the error as measured."""

from __future__ import annotations

import numpy as np

from sre.metrics.model import HistogramSeries, SeriesId

TTFT = "sre_gateway_ttft_seconds"


def latency(le, family=TTFT):
    return {"good": f'{family}_bucket{{le="{le}"}}', "total": f"{family}_count", "target": 0.99}


def test_a_threshold_on_a_bound_is_fine_however_it_is_spelt(linting):
    assert linting.rules(**latency("1.0")) == linting.rules(**latency("1")) == []


def test_a_threshold_between_default_bounds_is_refused_with_both(linting):
    found = linting.only("SLO010", **latency("1.2"))
    assert "1.2 in good lies between the exporter's default bounds 1 and 1.5" in found.what
    assert found.mend.startswith('write le="1.0" (stricter) or le="1.5" (looser)')
    assert found.path.endswith("good.metricSource.spec.query")


def test_a_threshold_outside_all_bounds(linting):
    assert "lies above the exporter's default highest bound 10" in linting.only("SLO010", **latency("30")).what
    assert "lies below the exporter's default lowest bound 0.05" in linting.only("SLO010", **latency("0.01")).what


def test_infinity_is_every_event(linting):
    assert "SLO010" not in linting.rules(**latency("+Inf"))


def source(linting, shares, family=TTFT):
    return linting.source(*linting.histogram(family, shares))


def test_the_source_knows_better_than_the_catalogue(linting):
    own = source(linting, {"0.5": 0.5, "1.2": 0.98, "+Inf": 1.0})
    assert linting.rules(source=own, **latency("1.2")) == []
    assert "lies between the source's bounds 0.5 and 1.2" in linting.only("SLO010", source=own, **latency("1.0")).what


def test_the_error_is_measured_as_a_share_of_events(linting):
    own = source(linting, {"0.5": 0.90, "1.5": 0.98, "+Inf": 1.0})
    assert "8.00% of the last 6 h's events lie there" in linting.only("SLO010", source=own, **latency("1.0")).what
    assert "2.00% of the last 6 h's events" in linting.only("SLO010", source=own, **latency("3")).what
    assert "90.00% of the last 6 h's events" in linting.only("SLO010", source=own, **latency("0.1")).what


def test_a_spelling_the_source_does_not_use_is_warned_of(linting):
    own = source(linting, {"0.5": 0.9, "1.0": 0.98, "+Inf": 1.0})
    found = linting.only("SLO011", source=own, **latency("1"))
    assert found.severity == "warning"
    assert found.mend == 'write le="1.0"'
    assert linting.rules(source=own, **latency("1.0")) == []


def test_a_native_histogram_has_every_threshold(linting):
    class Native(linting.source):
        def histograms(self, selector, *, start, end):
            empty = np.empty(0)
            return [HistogramSeries(SeriesId(selector.name, ()), empty, empty, (), (), ())]

    own = Native(*linting.histogram(TTFT, {"0.5": 0.9, "+Inf": 1.0}))
    assert "SLO010" not in linting.rules(source=own, **latency("1.2"))
    assert linting.rules(source=Native(linting.counter(TTFT)), **latency("1.2")) == []  # no classic series at all


def test_the_renamed_familys_bounds_count(linting):
    old, new = "vllm:time_per_output_token_seconds", "vllm:inter_token_latency_seconds"
    own = source(linting, {"0.05": 0.5, "0.1": 0.9, "+Inf": 1.0}, old)
    assert linting.rules(source=own, **latency("0.1", new)) == ["SLO022"] * 2
    assert "SLO010" in linting.rules(source=own, **latency("0.2", new))
