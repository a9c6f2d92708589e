"""A drill made by code: three replicas, several hundred requests, llm-1 killed at 30 s and back at 36.4 s.

Built the way a real one is, raw file records first, through the same parsers and builders. Loaded by path (see
`conftest.py`), because test folders are no packages.
"""

from __future__ import annotations

import json
import random
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import numpy as np

from sre.chaos.leases.ledger import LedgerRecord
from sre.cost.model import CostReport, Price
from sre.incidents.build import build_incident
from sre.incidents.evidence import parse_client_records, parse_journal, parse_platform_events
from sre.incidents.model import Observation
from sre.metrics.model import Matcher, Selector
from sre.reports.ledger_faults import incident_faults
from sre.reports.model import (
    Check,
    DrillReport,
    LatencySummary,
    PlatformFacts,
    ReplicaSpan,
    RequestPoint,
    WorkloadFacts,
)
from sre.slo.model import Alert, BurnCurve, BurnTier, RatioSli, Slo, SloResult

START = 1_790_000_000.0
END = START + 90.0
FAULT_AT = START + 30.0
GONE_AT = FAULT_AT + 0.08
READY_AT = FAULT_AT + 6.4
FACTOR = 60.0
REPLICAS = ("llm-0", "llm-1", "llm-2")
TTFT_LIMIT_S = 1.0
PAGE_FAST = BurnTier("page-1h", "page", 14.4, 3600.0, 300.0, 0.02)
PAGE_SLOW = BurnTier("page-6h", "page", 6.0, 21600.0, 1800.0, 0.05)
TICKET = BurnTier("ticket-1d", "ticket", 3.0, 86400.0, 7200.0, 0.10)


def request_rows(count: int = 420, seed: int = 7) -> list[dict[str, object]]:
    """Lines of requests.jsonl: a stream on llm-1 is cut by the crash, the others slow down until it is back."""
    rng = random.Random(seed)
    return [_request_row(rng, index, START + 1.0 + 86.0 * index / count) for index in range(count)]


def _request_row(rng: random.Random, index: int, sent: float) -> dict[str, object]:
    replica = REPLICAS[index % 3]
    lost = GONE_AT <= sent < READY_AT
    crowded = FAULT_AT <= sent < READY_AT + 3
    ttft = rng.lognormvariate(-2.4, 0.35) * (rng.uniform(2, 9) if crowded else 1)
    tokens = rng.randint(24, 160)
    last = sent + ttft + tokens * 0.012
    tried = [replica]
    outcome, status, error = "ok", 200, None
    first: float | None = sent + ttft
    if replica == "llm-1" and lost:
        tried = ["llm-1", "llm-2"]
        if sent < GONE_AT + 3.0:
            outcome, status, error, first, tokens, last = "error", 502, "no replica answered", None, 0, sent + 0.3
    elif replica == "llm-1" and sent < GONE_AT < last:
        outcome, error, last = "truncated", "stream cut", GONE_AT + 0.01
        tokens = max(1, int((last - sent - ttft) / 0.012))
    return {
        "id": f"r{index:06d}",
        "scheduled_at": sent,
        "sent_at": sent,
        "first_token_at": first,
        "last_token_at": None if first is None else last,
        "finished_at": last + 0.001,
        "prompt_tokens": 512,
        "max_tokens": 160,
        "output_tokens": tokens,
        "max_gap_s": None if tokens < 2 else 0.013 + (rng.random() * 0.4 if crowded else 0.0),
        "outcome": outcome,
        "status": status,
        "error": error,
        "finish_reason": "length" if outcome == "ok" else None,
        "replicas": tried,
    }


def ledger_rows() -> list[dict[str, object]]:
    common = {"fault_id": "f-1", "fault": "replica-crash", "target": "llm-1"}
    proof = {"pid": 4242, "how": "pid 4242 is gone"}
    return [
        {"at": FAULT_AT, "event": "fault_begin", **common, "detail": {}},
        {"at": GONE_AT, "event": "fault_proven", **common, "detail": proof},
        {"at": READY_AT + 0.05, "event": "fault_end", **common, "detail": {}},
    ]


def event_rows() -> list[dict[str, object]]:
    def row(at: float, event: str, replica: str | None = None, **detail: object) -> dict[str, object]:
        return {"at": at, "event": event, "replica": replica, "pid": 1, "detail": detail}

    starts = [row(START - 9 + i * 0.1, "replica_started", name) for i, name in enumerate(REPLICAS)]
    readies = [row(START - 6 + i * 0.2, "replica_ready", name) for i, name in enumerate(REPLICAS)]
    return [
        row(START - 10, "platform_starting"),
        *starts,
        *readies,
        row(START - 5, "gateway_ready"),
        row(START - 4.9, "platform_ready"),
        row(FAULT_AT + 0.21, "replica_exited", "llm-1", returncode=-9),
        row(FAULT_AT + 0.22, "replica_restart_scheduled", "llm-1", delay_s=0.5),
        row(FAULT_AT + 0.75, "replica_started", "llm-1"),
        row(READY_AT, "replica_ready", "llm-1"),
        row(END + 1, "platform_stopping"),
        row(END + 2, "platform_stopped"),
    ]


def journal_dict() -> dict[str, object]:
    def run(name: str, kind: str, start: float, end: float, **more: object) -> dict[str, object]:
        stamps = {"start": _iso(start), "end": _iso(end)}
        return {"activity": {"name": name, "type": kind}, "status": "succeeded", **stamps, **more}

    return {
        "status": "completed",
        "deviated": False,
        "steady_states": {
            "before": {
                "steady_state_met": True,
                "probes": [run("availability-holds", "probe", START + 20, START + 20.2, tolerance_met=True)],
            },
            "after": {
                "steady_state_met": True,
                "probes": [run("availability-holds", "probe", START + 80, START + 80.2, tolerance_met=True)],
            },
            "during": [],
        },
        "run": [
            run("kill-one-replica", "action", FAULT_AT - 0.02, GONE_AT + 0.01),
            run("wait-until-it-serves-again", "action", GONE_AT + 0.02, READY_AT + 0.06),
        ],
        "rollbacks": [run("heal", "action", START + 81, START + 81.1)],
    }


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()


def slo_results(rows: list[dict[str, object]], source: str) -> tuple[SloResult, ...]:
    """Availability, TTFT, goodput and an objective nobody measured, evaluated on the drill clock from the records."""
    finished = np.array([r["finished_at"] for r in rows], dtype=float)
    failed = np.array([r["outcome"] != "ok" for r in rows])
    slow = np.array([r["first_token_at"] is None or r["first_token_at"] - r["sent_at"] > TTFT_LIMIT_S for r in rows])
    return (
        _result("availability", "Availability", 0.999, finished, failed, source),
        _result("ttft", "Time to first token", 0.95, finished, slow, source, le="1.0"),
        _result("goodput", "Goodput", 0.95, finished, failed | slow, source),
        _unmeasured("inter-token", "Inter-token latency", source),
    )


def _slo(name: str, title: str, target: float, le: str | None = None) -> Slo:
    metric = "sre_gateway_ttft_seconds_bucket" if le else "sre_gateway_requests_total"
    matcher = Matcher("le", "=", le) if le else Matcher("outcome", "=", "ok")
    sli = RatioSli(total=(Selector("sre_gateway_requests_total"),), good=(Selector(metric, (matcher,)),))
    return Slo(name, title, f"{title} of the gateway", "llm", target, 28 * 86400.0, sli, f"slo/{name}.yaml")


def _result(
    name: str, title: str, target: float, at: np.ndarray, bad: np.ndarray, source: str, *, le: str | None = None
) -> SloResult:
    slo = _slo(name, title, target, le)
    times = np.arange(START + 1, END, 1.0)
    curves = tuple(_curve(tier, times, at, bad, slo.budget) for tier in (PAGE_FAST, PAGE_SLOW, TICKET))
    alerts = tuple(alert for curve in curves if (alert := _alert(name, curve)) is not None)
    good, total = float((~bad).sum()), float(len(bad))
    return SloResult(slo, source, START, END, good, total, 1 - good / total, None, curves, alerts)


def _curve(tier: BurnTier, times: np.ndarray, at: np.ndarray, bad: np.ndarray, budget: float) -> BurnCurve:
    def burn(window_s: float) -> np.ndarray:
        inside = [(at > t - window_s) & (at <= t) for t in times]
        return np.array([bad[i].mean() / budget if i.any() else np.nan for i in inside])

    return BurnCurve(tier, times, burn(tier.long_s / FACTOR), burn(tier.short_s / FACTOR))


def _alert(slo: str, curve: BurnCurve) -> Alert | None:
    with np.errstate(invalid="ignore"):
        firing = (curve.long_burn >= curve.tier.factor) & (curve.short_burn >= curve.tier.factor)
    if not firing.any():
        return None
    first = int(firing.argmax())
    quiet = np.flatnonzero(~firing[first:])
    reset = float(curve.times[first + int(quiet[0])]) if len(quiet) else None
    return Alert(slo, curve.tier.name, curve.tier.severity, float(curve.times[first]), reset)


def _unmeasured(name: str, title: str, source: str) -> SloResult:
    return SloResult(_slo(name, title, 0.95), source, START, END, 0.0, 0.0, None, "no samples in the window", (), ())


def cost_report() -> CostReport:
    price = Price("list-2026", "H100 80GB", Decimal("2.99"), "USD", "2026-01-01", "price list of a cloud, by hand")
    return CostReport(
        price=price,
        gpus_per_replica=1,
        billed_s=302.4,
        serving_s=287.1,
        not_serving_s=15.3,
        total=Decimal("0.251160"),
        tokens=38_210,
        good_tokens=36_902,
        wasted_tokens=214,
        per_million_tokens=Decimal("6.573148"),
        per_million_good_tokens=Decimal("6.806135"),
        incident_capacity=Decimal("0.005316"),
        incident_wasted_tokens=Decimal("0.001407"),
        incident_total=Decimal("0.006723"),
        notes=("Time scale 1: replica-seconds are as long as they would be on the GPU.",),
    )


def make_drill(
    *, requests: int = 420, seed: int = 7, verdict: str = "passed", title: str = "Replica crash under load"
) -> DrillReport:
    """The whole report object."""
    rows = request_rows(requests, seed)
    results = (*slo_results(rows, "scraper"), *slo_results(rows, "prometheus")[:1])
    faults = incident_faults([LedgerRecord(**row) for row in ledger_rows()])
    incident = build_incident(
        incident_id="inc-1",
        title="replica-crash on llm-1",
        faults=faults,
        events=parse_platform_events(event_rows()),
        journal=parse_journal(journal_dict()),
        results=results,
        records=parse_client_records(rows),
        observation=Observation(START, END, "scraper", supervisor_poll_s=0.2, ttft_limit_s=TTFT_LIMIT_S),
    )
    points = tuple(_point(row) for row in rows)
    return DrillReport(
        id="20260921-replica-crash",
        title=title,
        experiment="experiments/replica-crash.yaml",
        hypothesis="With one of three replicas killed, 99 % of requests succeed and the replica is back within 20 s.",
        started_at=START,
        ended_at=END,
        verdict=verdict,
        verdict_reasons=("steady state held before and after", "llm-1 was back after 6.4 s (limit 20 s)"),
        checks=(
            Check("fault proven", True, "llm-1's process gone", "pid 4242 is gone", key="proven"),
            Check("recovery", True, "ready again within 20 s", "6.40 s", key="recovery"),
            Check("page fired", True, "a page within 60 s of the fault", "availability / page-1h", key="alert"),
        ),
        platform=PlatformFacts(
            "local", "Triton 2.51.0", "emulated", "h100-llama3-8b", 1.0, REPLICAS, 4.1, 612.0, "2 cores, Linux"
        ),
        workload=WorkloadFacts(
            "generator", 4.9, 86.0, seed, (("burstiness", "1.0 (Poisson)"), ("prompt", "512 tokens"))
        ),
        clock_factor=FACTOR,
        primary_source="scraper",
        results=results,
        faults=faults,
        spans=_spans(),
        requests=points,
        latency=_latency(points),
        incident=incident,
        cost=cost_report(),
        tool_versions=(("sre", "0.1.0"), ("chaostoolkit", "1.19.0")),
        limits=(
            "The engine is emulated: step times come from a profile, not from a GPU.",
            "One machine, loopback network.",
        ),
    )


def without_fault(report: DrillReport) -> DrillReport:
    """The same load with nothing injected and nothing failed: every milestone is n/a."""
    incident = build_incident(
        incident_id="inc-0",
        title="none",
        faults=(),
        events=(),
        journal=None,
        results=(),
        records=(),
        observation=Observation(START, END, "scraper"),
    )
    fine = tuple(replace(p, outcome="ok") for p in report.requests)
    quiet = tuple(replace(r, alerts=()) for r in report.results)
    return replace(report, faults=(), incident=incident, requests=fine, results=quiet, spans=())


def as_plain(report: DrillReport) -> object:
    """For comparison: numpy arrays have no usable equality inside dataclasses."""
    from sre.reports.json_report import to_json

    return json.loads(to_json(report))


def _point(row: dict[str, object]) -> RequestPoint:
    sent, first = row["sent_at"], row["first_token_at"]
    return RequestPoint(
        at=sent,
        ttft_s=None if first is None else first - sent,
        e2e_s=row["finished_at"] - sent,
        max_gap_s=row["max_gap_s"],
        outcome=row["outcome"],
        replicas=tuple(row["replicas"]),
        output_tokens=row["output_tokens"],
    )


def _spans() -> tuple[ReplicaSpan, ...]:
    whole = [ReplicaSpan(name, "ready", START, END) for name in ("llm-0", "llm-2")]
    exited, restarted = FAULT_AT + 0.21, FAULT_AT + 0.75
    return (
        *whole,
        ReplicaSpan("llm-1", "ready", START, exited),
        ReplicaSpan("llm-1", "down", exited, restarted),
        ReplicaSpan("llm-1", "starting", restarted, READY_AT),
        ReplicaSpan("llm-1", "ready", READY_AT, END),
    )


def _latency(points: tuple[RequestPoint, ...]) -> tuple[LatencySummary, ...]:
    phases = (("before", START, FAULT_AT), ("during", FAULT_AT, READY_AT), ("after", READY_AT, END))
    rows = []
    for phase, low, high in phases:
        values = [p.ttft_s for p in points if low <= p.at < high and p.ttft_s is not None]
        found = [float(v) for v in np.percentile(values, (50, 95, 99))] if values else [None] * 3
        rows.append(LatencySummary("TTFT", phase, len(values), *found))
    return tuple(rows)
