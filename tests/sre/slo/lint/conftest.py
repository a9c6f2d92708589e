"""Documents written from a few words, and a source that knows what it holds."""

from __future__ import annotations

import numpy as np
import pytest

from sre.metrics.catalogue import Catalogue
from sre.metrics.model import Series, SeriesId
from sre.metrics.selector import series_filter
from sre.slo.lint import lint
from sre.slo.openslo import load_documents

NOW = 1_700_000_000.0


def indented(text, spaces):
    return "\n".join(" " * spaces + line for line in text.splitlines())


def side(name, query):
    return f"{name}:\n  metricSource:\n    type: Prometheus\n    spec:\n      query: {query}"


def slo_yaml(
    name="answers",
    *,
    total='sre_gateway_requests_total{outcome=~"ok|error|truncated|rejected"}',
    bad='sre_gateway_requests_total{outcome=~"error|truncated|rejected"}',
    good=None,
    raw=None,
    metric=None,
    target=0.999,
    method="Occurrences",
    period="30d",
    annotations=(("sre/runbook", "https://example.org/runbook"),),
    policies="",
    objective="",
):
    if raw is not None:
        measure = "ratioMetric:\n  counter: false\n  rawType: failure\n" + indented(side("raw", raw), 2)
    elif metric is not None:
        measure = "thresholdMetric:\n" + indented(side("", metric).split("\n", 1)[1], 0)
    else:
        part = side("good", good) if good is not None else side("bad", bad)
        measure = f"ratioMetric:\n  counter: true\n{indented(part, 2)}\n{indented(side('total', total), 2)}"
    marks = "".join(f'    {key}: "{value}"\n' for key, value in annotations)
    return (
        "apiVersion: openslo/v1\nkind: SLO\nmetadata:\n"
        f"  name: {name}\n" + (f"  annotations:\n{marks}" if marks else "") + "spec:\n  service: llm\n"
        f"  indicator:\n    metadata: {{name: {name}-sli}}\n    spec:\n{indented(measure, 6)}\n"
        f"  timeWindow:\n    - {{duration: {period}, isRolling: true}}\n  budgetingMethod: {method}\n"
        f"  objectives:\n    - {{displayName: x, target: {target}{objective}}}\n{policies}"
    )


def policy_yaml(*, threshold=14.4, lookback="1h", after=None, severity="page", annotations=""):
    """An `alertPolicies` block with one policy and its condition inline."""
    mark = f"\n            metadata:\n              name: burns\n              annotations: {{{annotations}}}"
    return (
        "  alertPolicies:\n    - kind: AlertPolicy\n      metadata: {name: fast}\n      spec:\n"
        "        alertWhenBreaching: true\n        conditions:\n          - kind: AlertCondition"
        + (mark if annotations else "\n            metadata: {name: burns}")
        + f"\n            spec:\n              severity: {severity}\n              condition:\n"
        "                kind: burnrate\n                op: gte\n"
        f"                threshold: {threshold}\n                lookbackWindow: {lookback}\n"
        + (f"                alertAfter: {after}\n" if after else "")
        + "        notificationTargets: [{targetRef: pager}]\n"
    )


PAGER = "---\napiVersion: openslo/v1\nkind: AlertNotificationTarget\nmetadata: {name: pager}\nspec: {target: pager}\n"


class Source:
    """A server's samples and what it says of itself."""

    name = "fake"

    def __init__(self, *series, retention_s=365 * 86400.0, version="2.42.0"):
        self.all = series
        self._retention_s, self._version = retention_s, version

    def series(self, selector, *, start, end):
        wanted = series_filter(selector)
        found = []
        for one in self.all:
            inside = (one.times > start) & (one.times <= end)
            if wanted(one.id) and inside.any():
                found.append(Series(one.id, one.times[inside], one.values[inside]))
        return found

    def metric_names(self):
        return frozenset(one.id.name for one in self.all)

    def bucket_bounds(self, family):
        return tuple(sorted({float(le) for le in self.label_values(f"{family}_bucket", "le")} - {float("inf")}))

    def label_values(self, name, label):
        return frozenset(one.id.label(label) for one in self.all if one.id.name == name and one.id.label(label))

    def retention_s(self):
        return self._retention_s

    def version(self):
        return self._version


def counter(name, *, per_hour=3600.0, days=60.0, step_s=30.0, **labels):
    """A counter that grows evenly up to NOW: every 30 s for the last day, before that every 10 min."""
    recent = NOW - np.arange(0, min(days, 1) * 86400, step_s)[::-1]
    older = NOW - np.arange(86400, max(days, 1) * 86400, 600.0)[::-1]
    times = np.concatenate([older, recent])
    identity = SeriesId(name, tuple(sorted({"job": "llm", "instance": "a:1", **labels}.items())))
    return Series(identity, times, np.floor((times - times[0]) / 3600.0 * per_hour))


def gateway(*, per_hour=360_000.0, days=60.0, step_s=30.0):
    """Our gateway's requests, nearly all of them good."""
    shares = {"ok": 0.9999, "error": 0.0001, "truncated": 0.0, "rejected": 0.0, "cancelled": 0.0, "invalid": 0.0}
    return [
        counter("sre_gateway_requests_total", per_hour=per_hour * share, days=days, step_s=step_s, outcome=outcome)
        for outcome, share in shares.items()
    ]


def histogram(family, shares, *, per_hour=360_000.0, count=True, **labels):
    """A histogram of which `shares` of its events lie at or below each bound."""
    found = [counter(f"{family}_bucket", per_hour=per_hour * s, le=le, **labels) for le, s in shares.items()]
    return [*found, counter(f"{family}_count", per_hour=per_hour, **labels)] if count else found


class Linting:
    """Writes documents, lints them, and says what was found."""

    policy = staticmethod(policy_yaml)
    slo = staticmethod(slo_yaml)
    source = Source
    counter = staticmethod(counter)
    gateway = staticmethod(gateway)
    histogram = staticmethod(histogram)
    pager = PAGER
    now = NOW

    def __init__(self, folder):
        self.path = folder / "slo" / "one.yaml"
        self.path.parent.mkdir()

    def findings(self, text, source=None, catalogue=None):
        self.path.write_text(text, encoding="utf-8")
        known = catalogue or Catalogue.shipped()
        return lint(load_documents([self.path]), source=source, catalogue=known, now=NOW)

    def __call__(self, *, source=None, catalogue=None, extra="", **words):
        return self.findings(slo_yaml(**words) + extra, source=source, catalogue=catalogue)

    def rules(self, **words):
        return [finding.rule for finding in self(**words)]

    def only(self, rule, **words):
        """The one finding of a rule."""
        (found,) = [finding for finding in self(**words) if finding.rule == rule]
        return found


@pytest.fixture
def linting(tmp_path):
    return Linting(tmp_path)
