"""The index of experiments, `experiments/README.md`, from the files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sre.chaos.drill import FAMILIES
from sre.chaos.lint.document import read_experiment
from sre.chaos.lint.run import check_experiment, experiment_files
from sre.chaos.lint.tree import field, items, plain, text
from sre.chaos.model import BlastRadius, Drill, Expected
from sre.chaos.tables.markdown import table
from sre.errors import BadDocument
from sre.slo.documents import Node

HEADER = ("Id", "Experiment, fault", "Steady state", "Expected", "Blast radius, deadline", "Runbook, SLO")
PREFACE = """\
# Experiments

Written by `make docs` from the files; how to write one is in [docs/chaos.md](../docs/chaos.md). Each runs with plain
`chaos run` against a platform started with `sre up`, and as a whole drill with `sre gameday run`.
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """One row: the drill, and what its hypothesis measures, in words."""

    drill: Drill
    steady_state: tuple[str, ...]


def experiment_index(folder: Path) -> str:
    """The page. Raises BadDocument with every error of every file."""
    entries = read_entries(folder)
    parts = [PREFACE, _counted(entries)]
    for family in FAMILIES:
        rows = [_row(entry, folder) for entry in entries if entry.drill.family == family]
        if rows:
            parts.append(f"## {family}\n\n{table(HEADER, rows)}")
    weak = [entry.drill for entry in entries if entry.drill.weakness is not None]
    if weak:
        parts.append(f"## Known weaknesses\n\n{''.join(_weak(drill, folder) for drill in weak)}")
    return "\n".join(parts)


def read_entries(folder: Path) -> tuple[Entry, ...]:
    """Every experiment of a folder, by id."""
    found, errors = [], list[str]()
    for path in experiment_files([folder]):
        checked = check_experiment(path)
        errors += checked.errors
        if checked.drill is not None:
            found.append(Entry(checked.drill, tuple(_steady_state(read_experiment(path)))))
    if errors:
        raise BadDocument(errors)
    return tuple(sorted(found, key=lambda entry: entry.drill.id))


def _counted(entries: Sequence[Entry]) -> str:
    faults = {fault for entry in entries for fault in entry.drill.faults}
    experiments = f"{len(entries)} experiment{'s' * (len(entries) != 1)}"
    return f"{experiments}, {len(faults)} kind{'s' * (len(faults) != 1)} of fault.\n"


def _row(entry: Entry, folder: Path) -> tuple[str, ...]:
    drill = entry.drill
    link = drill.path.relative_to(folder).as_posix()
    faults = ", ".join(f"`{fault}`" for fault in drill.faults)
    runbook = _linked(folder, "runbooks", drill.runbook, ".md")
    return (
        drill.id,
        f"[{drill.title}]({link})<br>{faults}",
        "<br>".join(entry.steady_state),
        "<br>".join(_expected(drill.expected)),
        f"{_radius(drill.blast_radius)}<br>{drill.deadline_s:g} s",
        "<br>".join((runbook, *(_linked(folder, "slo", name, ".yaml") for name in drill.slos))),
    )


def _weak(drill: Drill, folder: Path) -> str:
    assert drill.weakness is not None  # noqa: S101  (chosen by it)
    link = drill.path.relative_to(folder).as_posix()
    return f"- {drill.weakness.risk}, [{drill.id}]({link}): {' '.join(drill.weakness.text.split())}\n"


def _expected(expected: Expected) -> Iterator[str]:
    if expected.alert_slo is None:
        yield "no alert"
    else:
        yield f"{expected.alert_slo} alert within {expected.alert_within_s:g} s"
    yield f"well again within {expected.recovered_within_s:g} s"
    most = expected.failed_requests
    if most is not None:
        yield f"at most {most} failed requests" if most else "no failed request"
    if expected.cost.max_incident_usd is not None:
        yield f"costs at most {expected.cost.max_incident_usd} USD"
    if expected.cost.max_good_token_factor is not None:
        yield f"a good token costs at most {expected.cost.max_good_token_factor:g} times as much"


def _radius(radius: BlastRadius) -> str:
    replicas = f"{radius.max_replicas} replica{'s' * (radius.max_replicas != 1)}" if radius.max_replicas else ""
    hit = ", ".join((*((replicas,) if replicas else ()), *radius.components)) or "nothing"
    return f"{hit}; {radius.min_healthy} stay healthy"


def _linked(folder: Path, where: str, name: str, ending: str) -> str:
    there = (folder.parent / where / f"{name}{ending}").is_file()
    return f"[{name}](../{where}/{name}{ending})" if there else name


def _steady_state(root: Node) -> Iterator[str]:
    """`availability 0.99 to 1`, `latency_quantile ttft 0.95 0 to 1`: what is measured, and what is good."""
    named = {text(activity, "name"): activity for activity in items(field(root, "method"))}
    for probe in items(field(field(root, "steady-state-hypothesis"), "probes")):
        target = named.get(text(probe, "ref"), probe)
        provider = field(target, "provider")
        arguments = field(provider, "arguments")
        given = [
            str(plain(value)) for key, value in ((arguments and arguments.fields) or {}).items() if key != "window_s"
        ]
        what = text(provider, "func") or text(target, "name")
        yield f"{' '.join((what, *given))}: {_good(field(probe, 'tolerance'))}"


def _good(tolerance: Node | None) -> str:
    value = None if tolerance is None else plain(tolerance)
    if isinstance(value, dict):
        value = value.get("range") or value.get("pattern") or value.get("path") or value.get("name")
    if isinstance(value, list) and len(value) == 2:
        return f"{value[0]:g} to {value[1]:g}"
    return str(value)
