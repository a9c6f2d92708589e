"""A statement: what a platform cost over an interval, with what is needed to account for it line by line.

From a drill's report folder (`report.json`, `events.jsonl`, `samples.jsonl`) or from a platform's state directory
(`spec.json`, `events.jsonl`, `samples/`). The bill comes from the supervisor's events alone; without samples there is a
bill and no layers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from pathlib import Path
from typing import Any

from sre.cost.activity import Slot, activity
from sre.cost.allocation import replica_time, replica_use
from sre.cost.layers import SharedPrice, layers_of
from sre.cost.model import CostLayers, CostReport, Price, ReplicaUse
from sre.cost.rounding import rounded
from sre.cost.work import Work, work_of
from sre.errors import BadDocument, NoData, SreError
from sre.incidents.codec import decode
from sre.incidents.evidence import parse_platform_events, read_jsonl, read_object
from sre.incidents.model import PlatformEvent
from sre.metrics.files import RecordedSamples

_US_PER_HOUR = 3_600_000_000
_SAME_S = 0.001
_NOBODY_COUNTED = Work(None, None, None, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """[start, end), Unix seconds, of the platform or drill `id`. `layers` is None where `reason` says why."""

    id: str
    title: str
    start: float
    end: float
    price: Price
    gpus_per_replica: int
    uses: tuple[ReplicaUse, ...]
    slots: tuple[Slot, ...] = ()
    work: Work = _NOBODY_COUNTED
    shared: SharedPrice | None = None
    layers: CostLayers | None = None
    reason: str = ""
    experiment: str | None = None
    incident: str | None = None

    @property
    def bill(self) -> Decimal:
        """GPUs and what is shared, to 12 decimal places; `layers.bill` where there are layers."""
        time = replica_time(self.uses, start=self.start, end=self.end)
        gpus = Fraction(time.billed_us, _US_PER_HOUR) * Fraction(self.price.per_gpu_hour) * self.gpus_per_replica
        return rounded(gpus + self.shared_exact)

    @property
    def shared_exact(self) -> Fraction:
        """What is shared, not rounded."""
        if self.shared is None:
            return Fraction(0)
        return Fraction(round((self.end - self.start) * 1_000_000), _US_PER_HOUR) * Fraction(self.shared.per_hour)


def statement_of_drill(
    folder: Path, *, price: Price | None = None, gpus_per_replica: int | None = None, shared: SharedPrice | None = None
) -> Statement:
    """The drill whose report lies in `folder`, at its own price unless another is given.

    Raises BadDocument for files that are absent, cut short, or tell of another bill than the report.
    """
    report = read_object(folder / "report.json")
    where = str(folder / "report.json")
    start, end = (_number(report, key, where) for key in ("started_at", "ended_at"))
    cost = decode(CostReport, report.get("cost"), f"{where}: cost")
    uses = replica_use(_events(folder / "events.jsonl"), end=end)
    billed_s = replica_time(uses, start=start, end=end).billed_us / 1_000_000
    if abs(billed_s - cost.billed_s) > _SAME_S:
        raise BadDocument(
            [
                f"{folder}: events.jsonl tells of {billed_s:.3f} replica-s, report.json bills {cost.billed_s:.3f}: "
                "one of them was changed or cut; see `sre report verify`"
            ]
        )
    return _stated(
        Statement(
            id=str(report.get("id", folder.name)),
            title=str(report.get("title", folder.name)),
            start=start,
            end=end,
            price=price or cost.price,
            gpus_per_replica=gpus_per_replica or cost.gpus_per_replica,
            uses=uses,
            shared=shared,
            experiment=_text(report.get("experiment")),
            incident=_id_of(report.get("incident")),
        ),
        folder / "samples.jsonl",
    )


def statement_of_platform(
    state_dir: Path,
    *,
    price: Price,
    gpus_per_replica: int,
    now: float,
    since: float | None = None,
    shared: SharedPrice | None = None,
) -> Statement:
    """The platform of a state directory from `since` (its start) until `now`, or until it stopped. Raises SreError."""
    events = _events(state_dir / "events.jsonl")
    if not events:
        raise NoData(f"{state_dir / 'events.jsonl'}: nothing happened yet: start a platform with `sre up`")
    stopped = [event.at for event in events if event.event == "platform_stopped"]
    begun = [event.at for event in events if event.event == "platform_starting"] or [events[0].at]
    end = stopped[-1] if stopped and stopped[-1] >= begun[-1] else now
    start = begun[0] if since is None else max(since, begun[0])
    if not start < end:
        raise SreError(f"{state_dir}: the platform stopped before the interval begins: give an earlier --since")
    return _stated(
        Statement(
            id=_platform_id(state_dir / "state.json"),
            title=f"Platform of {state_dir}",
            start=start,
            end=end,
            price=price,
            gpus_per_replica=gpus_per_replica,
            uses=replica_use(events, end=end),
            shared=shared,
        ),
        state_dir / "samples",
    )


def price_in_spec(spec: dict[str, Any], known: Sequence[Price], *, gpu: str) -> tuple[Price, int] | None:
    """The price a platform was started with, and its GPUs a replica (content of `spec.json`); None without one.

    A price that is known by name comes with its dates and its source.
    """
    found = spec.get("price")
    if not isinstance(found, dict):
        return None
    try:
        amount = Decimal(str(found["per_gpu_hour"]))
        name, currency, gpus = str(found["name"]), str(found["currency"]), int(found["gpus_per_replica"])
    except (KeyError, InvalidOperation, ValueError, TypeError) as error:
        raise BadDocument(
            [f"spec.json: price: not as `sre up` writes it ({error!r}): start the platform anew"]
        ) from error
    same = [price for price in known if (price.name, price.per_gpu_hour, price.currency) == (name, amount, currency)]
    return (same[0] if same else Price(name, gpu, amount, currency, None, "given to `sre up`")), gpus


def _stated(statement: Statement, samples: Path) -> Statement:
    """The statement with its layers, or with the reason for having none."""
    start, end = statement.start, statement.end
    try:
        if not samples.exists():
            raise NoData(f"cost layers are n/a: {samples.name} is missing")
        source = RecordedSamples(samples)
        slots, work = activity(source, start=start, end=end), work_of(source, start=start, end=end)
        layers = layers_of(
            statement.uses,
            slots,
            work,
            price=statement.price,
            gpus_per_replica=statement.gpus_per_replica,
            start=start,
            end=end,
            shared=statement.shared,
        )
    except NoData as error:
        return replace(statement, reason=str(error))
    return replace(statement, slots=slots, work=work, layers=layers)


def _platform_id(path: Path) -> str:
    """Empty once the platform is down: its state goes with it."""
    return str(read_object(path).get("platform_id", "")) if path.exists() else ""


def _events(path: Path) -> tuple[PlatformEvent, ...]:
    return parse_platform_events(read_jsonl(path), where=str(path))


def _number(report: dict[str, Any], key: str, where: str) -> float:
    value = report.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadDocument([f"{where}: {key} is {value!r}: expected Unix seconds; run the drill again"])
    return float(value)


def _id_of(incident: object) -> str | None:
    return _text(incident.get("id")) if isinstance(incident, dict) else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
