"""Options that the verbs of `sre slo` share, and the one way from them to documents and a source of samples."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from sre.metrics.model import SampleSource
    from sre.metrics.opening import OpenSource
    from sre.slo.model import Slo

Paths = Annotated[
    list[Path] | None,
    typer.Argument(help="OpenSLO v1 files, or folders of them. Default: slo/.", show_default=False),
]
PrometheusUrl = Annotated[
    str | None,
    typer.Option(
        "--prometheus", envvar="SRE_PROMETHEUS", help="Read samples from this Prometheus, e.g. http://127.0.0.1:9090."
    ),
]
SamplesPath = Annotated[
    Path | None,
    typer.Option("--samples", help="Read samples from a file or folder: recorder, OpenMetrics text, CSV, Parquet."),
]
TokenFile = Annotated[
    Path | None,
    typer.Option("--token-file", help="File with the bearer token for Prometheus (or SRE_PROMETHEUS_TOKEN)."),
]
CaFile = Annotated[
    Path | None, typer.Option("--ca-file", help="CA certificates that Prometheus's own is checked against.")
]
CatalogueFiles = Annotated[
    list[Path] | None,
    typer.Option("--catalogue", help="A metric catalogue of yours beside the shipped ones; repeatable."),
]
Only = Annotated[list[str] | None, typer.Option("--slo", help="Only this SLO, by name; repeatable.")]
Corrections = Annotated[
    Path | None, typer.Option("--corrections", help="YAML file of stretches that do not count against budgets.")
]
DrillClockFactor = Annotated[
    float,
    typer.Option("--drill-clock", help="Divide alert windows by this: 60 for a drill's samples, 1 in production."),
]


def paths_of(paths: Sequence[Path] | None) -> tuple[Path, ...]:
    """The documents asked for; slo/ of the current folder without any."""
    return tuple(paths) if paths else (Path("slo"),)


def slos_of(paths: Sequence[Path] | None, only: Sequence[str] | None = None) -> tuple[Slo, ...]:
    """Every SLO of the documents, or those named. Raises BadDocument with every fault; SreError for an unknown name."""
    from sre.errors import SreError
    from sre.slo.openslo import load_documents, resolve

    slos = resolve(load_documents(paths_of(paths)))
    if not only:
        return slos
    known = {slo.name: slo for slo in slos}
    missing = [name for name in only if name not in known]
    if missing:
        raise SreError(f"no SLO is named {', '.join(missing)}: use one of {', '.join(sorted(known))}")
    return tuple(known[name] for name in dict.fromkeys(only))


def source_of(
    *,
    prometheus: str | None,
    samples: Path | None,
    token_file: Path | None = None,
    ca_file: Path | None = None,
    state_dir: Path = Path(".sre"),
) -> OpenSource:
    """The source asked for; without any, what the platform of this folder records. Use it in a `with` block.

    Raises SreError when two are given or none can be found.
    """
    from sre.errors import SreError
    from sre.metrics.opening import SourceSpec, open_source

    if prometheus is not None and samples is not None:
        raise SreError("--prometheus and --samples are two sources: give one")
    if prometheus is None and samples is None:
        samples = state_dir / "samples"
        if not samples.is_dir():
            raise SreError(
                "no samples to read: give --prometheus URL or --samples PATH, or start a platform here with `sre up`"
            )
    return open_source(SourceSpec(prometheus=prometheus, path=samples, token_file=token_file, ca_file=ca_file))


def catalogued(source: SampleSource, catalogue: Sequence[Path] | None = None) -> SampleSource:
    """The source, asked under every name that its metrics have had."""
    from sre.metrics.catalogue import AliasedSamples, Catalogue

    return AliasedSamples(source, Catalogue.read(tuple(catalogue or ())))


def moment_of(text: str, option: str) -> float:
    """Unix seconds of a time on the command line: Unix seconds or RFC 3339 with its zone. Raises SreError."""
    from datetime import datetime

    from sre.errors import SreError

    try:
        return float(text)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise SreError(f"{option}: {text!r} is no time with its zone: write e.g. 2026-03-01T10:00:00Z, or Unix seconds")
    return moment.timestamp()
