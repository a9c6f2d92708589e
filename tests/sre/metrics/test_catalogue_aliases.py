"""One name asked for, several names about: an upgrade that rolls through a fleet must not change a count."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sre.metrics.catalogue import AliasedSamples, Catalogue
from sre.metrics.model import HistogramSeries, HistogramSource, Matcher, Selector, Series, SeriesId, SourceFacts
from sre.metrics.selector import series_filter
from sre.slo.counters import event_curve

OLD, NEW = "vllm:gpu_prefix_cache_hits_total", "vllm:prefix_cache_hits_total"
SHIPPED = Catalogue.shipped()


class Memory:
    name = "memory"

    def __init__(self, *series):
        self.all = series
        self.closed = False

    def series(self, selector, *, start, end):
        wanted = series_filter(selector)
        cut = []
        for one in self.all:
            inside = (one.times > start) & (one.times <= end)
            if wanted(one.id) and inside.any():
                cut.append(Series(one.id, one.times[inside], one.values[inside]))
        return cut

    def close(self):
        self.closed = True


class Knowing(Memory):
    def metric_names(self):
        return frozenset(one.id.name for one in self.all)

    def bucket_bounds(self, family):
        return (0.1, 0.5) if any(one.id.name == f"{family}_bucket" for one in self.all) else ()

    def label_values(self, name, label):
        return frozenset(one.id.label(label) for one in self.all if one.id.name == name and one.id.label(label))

    def retention_s(self):
        return 60.0

    def version(self):
        return "2.42.0"


def counter(name, times, values, instance="a:1", **labels):
    everything = {"job": "vllm", **({"instance": instance} if instance else {}), **labels}
    identity = SeriesId(name, tuple(sorted(everything.items())))
    return Series(identity, np.array(times, dtype=float), np.array(values, dtype=float))


def aliased(*series, kind=Memory):
    return AliasedSamples(kind(*series), SHIPPED)


def ask(source, name=NEW, *matchers, start=-1.0, end=100.0):
    return source.series(Selector(name, matchers), start=start, end=end)


@pytest.mark.parametrize(("has", "asked"), [(OLD, NEW), (NEW, OLD), (NEW, NEW), (OLD, OLD)])
def test_whichever_name_exists_answers_under_the_asked_one(has, asked):
    (found,) = ask(aliased(counter(has, [1, 2], [5, 7])), asked)
    assert found.id.name == asked
    assert found.values.tolist() == [5, 7]


def test_matchers_hold_for_aliases_too():
    source = aliased(counter(OLD, [1], [5], model_name="a"), counter(OLD, [1], [9], model_name="b"))
    (found,) = ask(source, NEW, Matcher("model_name", "=", "b"))
    assert found.values.tolist() == [9]


def test_different_instances_are_united():
    source = aliased(counter(OLD, [1, 2], [5, 6], "old:1"), counter(NEW, [1, 2], [7, 9], "new:1"))
    found = {one.id.label("instance"): one.values.tolist() for one in ask(source)}
    assert found == {"old:1": [5, 6], "new:1": [7, 9]}


def test_an_instance_that_exposes_both_counts_once_with_the_new_name():
    source = aliased(counter(OLD, [1, 2, 3], [1, 2, 3]), counter(NEW, [1, 2, 3], [10, 20, 30], engine="0"))
    (found,) = ask(source, OLD)
    assert found.values.tolist() == [10, 20, 30]


def test_an_instance_upgraded_in_place_goes_on_under_its_new_name():
    source = aliased(counter(OLD, [1, 2, 3], [90, 95, 100]), counter(NEW, [5, 6], [2, 8]))
    (found,) = ask(source)
    assert found.times.tolist() == [1, 2, 3, 5, 6]
    assert event_curve([found]).between(1, 6) == 10 + 8  # the restart counts from 0


def test_an_upgrade_that_shows_both_names_for_a_while_counts_nothing_twice():
    source = aliased(counter(OLD, [1, 2, 3, 4], [10, 20, 1, 2]), counter(NEW, [3, 4, 5], [1, 2, 4]))
    (found,) = ask(source)
    assert found.values.tolist() == [10, 20, 1, 2, 4]


PHASES = st.lists(st.tuples(st.sampled_from(["old", "both", "new"]), st.integers(2, 4)), min_size=1, max_size=4)


@settings(deadline=None)
@given(fleet=st.lists(PHASES, min_size=1, max_size=3), asked=st.sampled_from([OLD, NEW]))
def test_however_an_upgrade_rolls_every_event_counts_once(fleet, asked):
    """Each instance goes through phases in the order of an upgrade, restarts between them and counts one a scrape."""
    order = ["old", "both", "new"]
    everything, truth = [], 0
    for number, phases in enumerate(fleet):
        at, seen = 0, {OLD: ([], []), NEW: ([], [])}
        for which, scrapes in sorted(phases, key=lambda phase: order.index(phase[0])):
            for i in range(1, scrapes + 1):
                at += 1
                for name in {"old": (OLD,), "both": (OLD, NEW), "new": (NEW,)}[which]:
                    seen[name][0].append(at)
                    seen[name][1].append(1.0 * i)
        for name, (times, values) in seen.items():
            if times:
                everything.append(counter(name, times, values, f"host:{number}"))
        truth += at - 1  # the first sample of an instance is its base
    found = ask(aliased(*everything), asked)
    assert len(found) == len(fleet)
    assert event_curve(found).between(0, 1000) == truth


def test_a_rolled_back_instance_is_seen_again():
    source = aliased(counter(OLD, [1, 5], [10, 3]), counter(NEW, [2, 3], [1, 2]))
    (found,) = ask(source)
    assert found.times.tolist() == [1, 2, 3, 5]


def test_without_an_instance_label_only_equal_labels_are_one():
    source = aliased(counter(OLD, [1], [5], None, replica="a"), counter(NEW, [1], [7], None, replica="b"))
    assert len(ask(source)) == 2


def test_histogram_parts_keep_their_suffix():
    source = aliased(counter("vllm:time_per_output_token_seconds_bucket", [1], [5], le="0.1"))
    (found,) = ask(source, "vllm:inter_token_latency_seconds_bucket", Matcher("le", "=", "0.1"))
    assert found.id.name == "vllm:inter_token_latency_seconds_bucket"


def test_a_metric_without_aliases_is_passed_on():
    source = aliased(counter("up", [1], [1]))
    assert len(ask(source, "up")) == 1
    assert ask(source, "down") == []
    assert source.name == "memory"


def test_facts_are_there_exactly_when_the_source_has_them():
    assert not isinstance(aliased(), SourceFacts)
    assert isinstance(aliased(kind=Knowing), SourceFacts)


def test_facts_know_both_names():
    old = "vllm:time_per_output_token_seconds"
    source = aliased(counter(f"{old}_bucket", [1], [5], le="0.1"), kind=Knowing)
    assert source.metric_names() == {f"{old}_bucket", "vllm:inter_token_latency_seconds_bucket"}
    assert source.bucket_bounds("vllm:inter_token_latency_seconds") == (0.1, 0.5)
    assert source.label_values("vllm:inter_token_latency_seconds_bucket", "le") == {"0.1"}
    assert (source.retention_s(), source.version()) == (60.0, "2.42.0")


def test_closing_closes_the_source_within():
    inner = Knowing()
    AliasedSamples(inner, Catalogue.shipped()).close()
    assert inner.closed


class Native(Memory):
    """A source whose vLLM has native histograms, on one instance under both names."""

    def histograms(self, selector, *, start, end):
        owners = {
            "vllm:inter_token_latency_seconds": ("a:1",),
            "vllm:time_per_output_token_seconds": ("a:1", "b:1"),
        }
        empty = np.empty(0)
        return [
            HistogramSeries(SeriesId(selector.name, (("instance", one), ("job", "v"))), empty, empty, (), (), ())
            for one in owners.get(selector.name, ())
        ]


def test_native_histograms_are_united_too():
    source = aliased(kind=Native)
    asked = Selector("vllm:time_per_output_token_seconds")
    found = source.histograms(asked, start=0, end=1)
    assert [(one.id.name, one.id.label("instance")) for one in found] == [(asked.name, "a:1"), (asked.name, "b:1")]


def test_without_native_histograms_there_are_none():
    source = aliased()
    assert isinstance(source, HistogramSource)
    assert source.histograms(Selector("x"), start=0, end=1) == []
