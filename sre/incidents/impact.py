"""What clients lost, counted over the requests that were in flight while the fault lasted.

A request belongs to the fault when [sent_at, finished_at] touches [fault begin, fault end); with no fault end, the end
of the observation. So a stream opened before the crash and cut by it counts, and one sent after recovery does not.
"""

from __future__ import annotations

from collections.abc import Sequence

from sre.incidents.model import ClientRecord, FaultWindow, Impact, Observation


def overlapping(records: Sequence[ClientRecord], fault: FaultWindow, observation: Observation) -> list[ClientRecord]:
    """The records in flight at any instant of the fault's window."""
    end = _window_end(fault, observation)
    return [r for r in records if r.sent_at < end and r.finished_at >= fault.begin]


def degraded_at(record: ClientRecord, observation: Observation) -> float | None:
    """When a request became slower than its limits allow; None when it stayed within them.

    A late first token is late from `sent_at + limit` on. Where in the stream the widest gap lay is not recorded, so
    a request with too wide a gap counts from its last token.
    """
    limit, ttft_s = observation.ttft_limit_s, record.ttft_s
    if limit is not None and ttft_s is not None and ttft_s > limit:
        return record.sent_at + limit
    gap_limit = observation.gap_limit_s
    if gap_limit is not None and record.max_gap_s is not None and record.max_gap_s > gap_limit:
        return record.last_token_at if record.last_token_at is not None else record.finished_at
    return None


def measure(records: Sequence[ClientRecord], fault: FaultWindow | None, observation: Observation) -> Impact:
    """The impact of `fault`; all zeros with no window when there was none."""
    if fault is None:
        return Impact(0, 0, 0, 0, 0, 0, 0)
    concerned = overlapping(records, fault, observation)
    failed = [r for r in concerned if r.failed]
    return Impact(
        requests=len(concerned),
        failed=len(failed),
        truncated=sum(r.outcome == "truncated" for r in failed),
        rejected=sum(r.outcome == "rejected" for r in failed),
        retried=sum(r.retried for r in concerned),
        tokens_delivered=sum(r.output_tokens for r in concerned),
        tokens_in_failed=sum(r.output_tokens for r in failed),
        degraded=sum(r.outcome == "ok" and degraded_at(r, observation) is not None for r in concerned),
        window_start=fault.begin,
        window_end=_window_end(fault, observation),
    )


def _window_end(fault: FaultWindow, observation: Observation) -> float:
    return observation.end if fault.end is None else fault.end
