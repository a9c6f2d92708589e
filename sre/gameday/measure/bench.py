"""The real platform as a measuring bench: a fleet comes up, is offered a load, and goes down whatever happens."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sre.errors import EnvironmentLacks
from sre.gameday.load import RunningLoad, load_running
from sre.gameday.measure.pacing import Pacing
from sre.gameday.prepare import NO_GATEWAY_YET, write_plan
from sre.gameday.running import RunningPlatform, platform_running
from sre.incidents.evidence import read_jsonl
from sre.platforms.local import PlatformSpec, platform_spec
from sre.platforms.local.work import load_fields
from sre.platforms.performance import Answer, Fleet, Offer

_HITS, _QUERIES = "vllm:prefix_cache_hits_total", "vllm:prefix_cache_queries_total"


@dataclass(frozen=True, slots=True)
class Bench:
    """`state_dir` is the platform's and nobody else's; the load's files go below it and are left for a look."""

    state_dir: Path
    pacing: Pacing

    @contextlib.contextmanager
    def fleet(self, fleet: Fleet, **more: Any) -> Iterator[RunningPlatform]:
        """The platform of `fleet`, fresh, so that no cache is warm; `more` goes to its specification."""
        asked: dict[str, Any] = {
            "replicas": fleet.replicas,
            "profile": fleet.profile,
            "time_scale": fleet.time_scale,
            "routing": fleet.routing,
            "max_num_seqs": fleet.max_num_seqs,
            "max_num_batched_tokens": fleet.max_num_batched_tokens,
            "port": 0,
            "prometheus": "off",
        }
        with self.on(platform_spec(self.state_dir, **(asked | more))) as running:
            yield running

    @contextlib.contextmanager
    def on(self, spec: PlatformSpec) -> Iterator[RunningPlatform]:
        """A platform by its own specification, for as long as the block lasts."""
        with platform_running(spec, self.state_dir, progress=self.pacing) as running:
            yield running

    def offer(self, running: RunningPlatform, offer: Offer, name: str, **more: Any) -> tuple[Answer, ...]:
        """Offer it all and read what clients saw. `more` are fields of the load plan on top."""
        with self.offering(running, offer, name, **more) as load:
            load.watch(until=load.ended, progress=self.pacing)
        return answers_in(self._out(name))

    @contextlib.contextmanager
    def offering(self, running: RunningPlatform, offer: Offer, name: str, **more: Any) -> Iterator[RunningLoad]:
        """The load for as long as the block lasts; `answers` afterwards."""
        out = self._out(name)
        shutil.rmtree(out, ignore_errors=True)
        try:
            out.mkdir(parents=True)
        except OSError as error:
            raise EnvironmentLacks(f"{out}: no folder can be made there ({error.strerror})") from error
        plan = {"url": NO_GATEWAY_YET, "out": str(out), "timeout_s": 600.0, **load_fields(offer), **more}
        path = write_plan(plan, out / "plan.json", url=running.platform.gateway_url)
        with load_running(running.platform, path, log=out / "load.log") as load:
            yield load

    def answers(self, name: str) -> tuple[Answer, ...]:
        return answers_in(self._out(name))

    def _out(self, name: str) -> Path:
        return self.state_dir.resolve() / "measured" / name


def answers_in(folder: Path) -> tuple[Answer, ...]:
    """The load generator's records in `folder`, in order of sending."""
    found = [
        Answer(
            sent_at=row["sent_at"],
            first_at=row["first_token_at"],
            last_at=row["last_token_at"],
            ended_at=row["finished_at"],
            tokens=row["output_tokens"],
            wanted=row["max_tokens"],
            outcome=row["outcome"],
            longest_gap_s=row["max_gap_s"],
        )
        for row in read_jsonl(folder / "requests.jsonl")
    ]
    return tuple(sorted(found, key=lambda one: one.sent_at))


def hit_share(running: RunningPlatform) -> float | None:
    """Prompt tokens found in prefix caches over those looked up, over all replicas, since the platform started."""
    hits, queries = (_total(running, name) for name in (_HITS, _QUERIES))
    return hits / queries if queries else None


def _total(running: RunningPlatform, name: str) -> float:
    names = [replica.name for replica in running.platform.replicas()]
    return sum(sample.value for where in names for sample in running.platform.metric(where, name))
