"""The catalogue as a whole: looking names up, following renames, guessing what a misspelt name meant."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

from sre.errors import BadDocument
from sre.metrics.catalogue.model import Metric
from sre.metrics.catalogue.reader import read_catalogue

_SHIPPED = Path(__file__).parent / "data"


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Metrics of every known exporter, by family name."""

    metrics: Mapping[str, Metric]
    _by_series: Mapping[str, tuple[Metric, str]] = field(init=False, repr=False, compare=False)
    _groups: Mapping[str, tuple[str, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        by_series = {series: (m, series[len(m.name) :]) for m in self.metrics.values() for series in m.series_names}
        object.__setattr__(self, "_by_series", by_series)
        object.__setattr__(self, "_groups", _rename_groups(self.metrics))

    @classmethod
    def shipped(cls) -> Catalogue:
        """What this kit knows: its gateway, vLLM, Triton."""
        return cls.read(())

    @classmethod
    def read(cls, paths: Sequence[Path]) -> Catalogue:
        """The shipped catalogues and files of the user's, which win. Raises BadDocument with the faults of all."""
        faults: list[str] = []
        metrics: dict[str, Metric] = {}
        for path in (*sorted(_SHIPPED.glob("*.yaml")), *paths):
            try:
                found = read_catalogue(path)
            except BadDocument as error:
                faults += error.faults
                continue
            faults += _twins(path, found)
            metrics |= {metric.name: metric for metric in found}
        faults += _broken_renames(metrics.values())
        if faults:
            raise BadDocument(faults)
        return cls(metrics)

    def get(self, name: str) -> Metric | None:
        """The family that `name` names, or of which it is a series (`x_bucket`, `x_count` of a histogram `x`)."""
        found = self._by_series.get(name)
        return found[0] if found else self.metrics.get(name)

    def part(self, name: str) -> str | None:
        """The suffix under which `name` is a series of its family (`_bucket`, or empty); None: it is no series."""
        found = self._by_series.get(name)
        return found[1] if found else None

    def aliases(self, name: str) -> tuple[str, ...]:
        """The other names under which exporters of other versions expose the same, newest first.

        Renames are followed in both directions and over several steps; the suffix of a histogram's series is kept.
        """
        metric = self.get(name)
        if metric is None:
            return ()
        suffix = name[len(metric.name) :]
        return tuple(other + suffix for other in self._groups.get(metric.name, ()) if other != metric.name)

    def newest(self, name: str) -> str:
        """The name that the newest version uses for what `name` names; itself when it was never renamed."""
        metric = self.get(name)
        if metric is None or metric.name not in self._groups:
            return name
        return self._groups[metric.name][0] + name[len(metric.name) :]

    def nearest(self, name: str, *, among: Iterable[str] | None = None, count: int = 3) -> tuple[str, ...]:
        """Names that look like `name`, likeliest first, out of `among` (default: every series of the catalogue)."""
        known = sorted(self._by_series if among is None else set(among))
        return tuple(get_close_matches(name, known, n=count, cutoff=0.75))

    def knows_exporter_of(self, name: str) -> str | None:
        """The exporter whose metrics begin as `name` does (`vllm:`, `nv_`, `sre_gateway_`); None: nobody's."""
        prefixes = {_prefix(metric.name): metric.exporter for metric in self.metrics.values()}
        return next((exporter for prefix, exporter in prefixes.items() if prefix and name.startswith(prefix)), None)


def _prefix(name: str) -> str:
    """The exporter's own namespace; a metric without one (`http_requests_total`) speaks for nobody."""
    if ":" in name:
        return name.partition(":")[0] + ":"
    for prefix in ("sre_gateway_", "nv_"):
        if name.startswith(prefix):
            return prefix
    return ""


def _rename_groups(metrics: Mapping[str, Metric]) -> dict[str, tuple[str, ...]]:
    """Every family that was renamed, to all names of its chain of renames, newest first."""
    group_of: dict[str, set[str]] = {}
    for metric in metrics.values():
        if metric.renamed_to is not None:
            both = group_of.get(metric.name, {metric.name}) | group_of.get(metric.renamed_to, {metric.renamed_to})
            group_of |= dict.fromkeys(both, both)
    return {name: tuple(sorted(group, key=lambda n: (_steps(metrics, n), n))) for name, group in group_of.items()}


def _steps(metrics: Mapping[str, Metric], name: str) -> int:
    """How many renames lie between a name and today's."""
    steps, metric = 0, metrics.get(name)
    while metric is not None and metric.renamed_to is not None and steps < len(metrics):
        steps, metric = steps + 1, metrics.get(metric.renamed_to)
    return steps


def _twins(path: Path, found: Sequence[Metric]) -> list[str]:
    names = [metric.name for metric in found]
    return [f"{path}: metrics: `{name}` stands there twice" for name in sorted(set(names)) if names.count(name) > 1]


def _broken_renames(metrics: Iterable[Metric]) -> list[str]:
    by_name = {metric.name: metric for metric in metrics}
    faults = []
    for metric in by_name.values():
        target = by_name.get(metric.renamed_to) if metric.renamed_to else None
        if metric.renamed_to and target is None:
            faults.append(
                f"{metric.exporter}: {metric.name}: renamed_to {metric.renamed_to}, which is not listed: add it"
            )
        elif target is not None and target.type != metric.type:
            faults.append(f"{metric.exporter}: {metric.name}: a {metric.type} cannot have become a {target.type}")
        elif _steps(by_name, metric.name) >= len(by_name):
            faults.append(f"{metric.exporter}: {metric.name}: its renames go in a circle: remove one renamed_to")
    return faults
