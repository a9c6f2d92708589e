"""What one drill is asked to do, and where its artefacts lie."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class DrillOptions:
    """What the command line asks for. None means: as the experiment file says.

    `tail_s` is how long load goes on after the experiment; None: until all of it was offered.
    """

    experiment: Path
    workspace: Path
    state_dir: Path
    reports_dir: Path
    trace: Path | None = None
    rate_rps: float | None = None
    duration_s: float | None = None
    seed: int | None = None
    max_prompt_tokens: int | None = None
    replicas: int | None = None
    profile: str | None = None
    time_scale: float | None = None
    port: int | None = None
    prometheus: bool = True
    prices: Path | None = None
    tail_s: float | None = None


@dataclass(frozen=True, slots=True)
class DrillFolder:
    """The artefacts of one drill, `reports/<id>/`."""

    root: Path

    @property
    def id(self) -> str:
        return self.root.name

    @property
    def requests(self) -> Path:
        return self.root / "requests.jsonl"

    @property
    def workload(self) -> Path:
        return self.root / "workload.json"

    @property
    def journal(self) -> Path:
        return self.root / "journal.json"

    @property
    def events(self) -> Path:
        return self.root / "events.jsonl"

    @property
    def ledger(self) -> Path:
        return self.root / "chaos.jsonl"

    @property
    def samples(self) -> Path:
        return self.root / "samples.jsonl"

    @property
    def chaos_log(self) -> Path:
        return self.root / "chaos.log"

    @property
    def incident(self) -> Path:
        return self.root / "incident.json"

    @property
    def cost(self) -> Path:
        return self.root / "cost.json"
