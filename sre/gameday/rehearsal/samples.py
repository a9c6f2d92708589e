"""The recorder under a virtual clock: the same parser, the same files, pages handed over instead of fetched.

A scrape is written as the live recorder writes it, so that probes, SLOs and reports read a rehearsal with the code that
reads a drill.
"""

from __future__ import annotations

import math
from pathlib import Path

from sre.gameday.rehearsal.stage import Page
from sre.metrics.exposition import ExpositionParser
from sre.metrics.files import RecordedSamples
from sre.metrics.segments import SegmentWriter
from sre.metrics.targets import Target

KEPT = ("sre_gateway_", "sre_engine_", "sre_autoscaler_", "llm_", "vllm:", "nv_inference_", "DCGM_FI_DEV_")
"""What the local platform's recorder keeps; the rest of a page is nobody's business here either."""
_FOREVER_S = 1e9


class VirtualRecorder:
    """Takes the pages of one tick at a time; `samples` reads what was written so far."""

    def __init__(self, directory: Path, *, interval_s: float) -> None:
        self.interval_s = interval_s
        self._directory = directory
        self._targets: tuple[Target, ...] = ()
        self._parsers: dict[Target, ExpositionParser] = {}
        self._writer: SegmentWriter | None = None
        self._pending: list[Page] = []
        self._source = RecordedSamples(directory)
        self._newest_at = -math.inf
        self._is_blind = False
        directory.mkdir(parents=True, exist_ok=True)

    def scraped(self, page: Page) -> None:
        """One target's page of one tick. A tick is written when the next one begins, or when somebody reads."""
        if self._is_blind:
            return
        self._newest_at = page.at
        if self._pending and self._pending[0].at != page.at:
            self.flush()
        self._pending.append(page)

    def pause(self) -> None:
        """Record nothing until `resume`."""
        self._is_blind = True

    def resume(self) -> None:
        """Record again what is scraped from now on."""
        self._is_blind = False

    def newest_at(self) -> float:
        """When the newest sample was taken; -inf while there is none."""
        return self._newest_at

    def samples(self) -> RecordedSamples:
        """What is on the disk now, the present tick included."""
        self.flush()
        return self._source

    def flush(self) -> None:
        """Write the pages that came since."""
        pages, self._pending = self._pending, []
        if not pages:
            return
        at = round(pages[0].at, 3)
        self._retarget(tuple(_target(page.target) for page in pages))
        assert self._writer is not None  # noqa: S101  (for the type checker: there are targets)
        self._writer.advance(at)
        for number, page in enumerate(pages):
            self._write(at, number, page)

    def close(self) -> None:
        self.flush()
        if self._writer is not None:
            self._writer.close()

    def _write(self, at: float, number: int, page: Page) -> None:
        assert self._writer is not None  # noqa: S101  (as above)
        if page.text is None:
            self._writer.failed(at, number, "no answer in time")
            return
        self._writer.scraped(at, number, self._parsers[self._targets[number]].parse(page.text))

    def _retarget(self, targets: tuple[Target, ...]) -> None:
        """A segment numbers its targets once, so others begin a segment of their own."""
        if targets == self._targets:
            return
        if self._writer is not None:
            self._writer.close()
        self._targets = targets
        for target in targets:
            self._parsers.setdefault(target, ExpositionParser(KEPT))
        self._writer = SegmentWriter(
            self._directory, targets, interval_s=self.interval_s, segment_s=_FOREVER_S, retention_s=_FOREVER_S
        )


def _target(name: str) -> Target:
    """As the platform's own targets: the gateway and the autoscaler by job, a replica with its name."""
    url = f"http://{name}.rehearsal/metrics"
    if name in ("gateway", "autoscaler"):
        return Target(name, url)
    return Target("triton", url, (("replica", name),))
