"""One scrape of gateway and replicas into a `Snapshot`, and the emulated GPU utilization.

The emulated engine has no GPU to ask, so DCGM's metric is made here: the share of the scrapes since the last decision
in which the replica was running a request. That is what the real one says too, and why it is a bad signal: one request
that decodes alone keeps the GPU 100 % busy.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Iterable

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from serving.autoscale.signals import GPU_UTILIZATION, Sample, Snapshot

RUNNING = "vllm:num_requests_running"
TIMEOUT_S = 3.0
_KEPT = ("vllm:", "sre_gateway_", "sre_engine_", "DCGM_", "nv_")


class BusyShare:
    """How often each replica was seen at work."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[int, int]] = {}

    def note(self, samples: Iterable[Sample]) -> None:
        running: dict[str, float] = {}
        for sample in samples:
            if sample.name == RUNNING and sample.replica is not None:
                running[sample.replica] = running.get(sample.replica, 0.0) + sample.value
        for replica, count in running.items():
            busy, seen = self._seen.get(replica, (0, 0))
            self._seen[replica] = busy + (count > 0), seen + 1

    def take(self) -> tuple[Sample, ...]:
        """The shares since the last call, per cent."""
        seen, self._seen = self._seen, {}
        return tuple(Sample(GPU_UTILIZATION, 100.0 * busy / n, replica) for replica, (busy, n) in sorted(seen.items()))


async def scrape(read: ReadPage, *, gateway_url: str, replicas: Iterable[tuple[str, str]]) -> Snapshot:
    """Read every target at once; one that does not answer is named in the snapshot, never guessed."""
    targets: list[tuple[str | None, str]] = [(None, f"{gateway_url}/metrics"), *replicas]
    pages = await asyncio.gather(*(read(url) for _, url in targets))
    samples: list[Sample] = []
    silent: list[tuple[str, str]] = []
    for (replica, _), page in zip(targets, pages, strict=True):
        if isinstance(page, str):
            silent.append((replica or "gateway", page))
        else:
            job = "triton" if replica else "gateway"
            samples += [Sample(n, v, replica, (("job", job), *labels)) for n, v, labels in page]
    return Snapshot(tuple(samples), tuple(silent))


Row = tuple[str, float, tuple[tuple[str, str], ...]]
ReadPage = Callable[[str], Awaitable[list[Row] | str]]
"""The kept samples of the page at a URL, or why there are none."""


async def read_page(session: aiohttp.ClientSession, url: str) -> list[Row] | str:
    """The kept samples of a page, or why there are none."""
    try:
        async with session.get(url, timeout=aiohttp.ClientTimeout(total=TIMEOUT_S)) as answer:
            if answer.status != 200:
                return f"HTTP {answer.status}"
            return parse_page(await answer.text())
    except (aiohttp.ClientError, TimeoutError) as error:
        return type(error).__name__
    except ValueError as error:
        return f"not the Prometheus format: {error}"


def parse_page(text: str) -> list[Row]:
    """Finite samples of our metrics. TYPE lines are left out, since the library renames counters by them."""
    kept = "".join(f"{line}\n" for line in text.splitlines() if line.startswith(_KEPT))
    return [
        (sample.name, sample.value, tuple(sorted(sample.labels.items())))
        for family in text_string_to_metric_families(kept)
        for sample in family.samples
        if math.isfinite(sample.value)
    ]
