"""The layered bill of an interval from a source of samples: the one call a drill and the CLI make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sre.cost.activity import activity
from sre.cost.layers import SharedPrice, layers_of
from sre.cost.model import CostLayers, CostReport, Price, ReplicaUse
from sre.cost.work import work_of
from sre.errors import NoData
from sre.metrics.model import SampleSource


def read_layers(
    source: SampleSource,
    uses: Sequence[ReplicaUse],
    *,
    price: Price,
    gpus_per_replica: int,
    start: float,
    end: float,
    shared: SharedPrice | None = None,
) -> CostLayers:
    """What `uses` cost over [start, end), by layer. Raises NoData as `layers_of`, and what the source raises."""
    return layers_of(
        uses,
        activity(source, start=start, end=end),
        work_of(source, start=start, end=end),
        price=price,
        gpus_per_replica=gpus_per_replica,
        start=start,
        end=end,
        shared=shared,
    )


def with_layers(
    report: CostReport,
    source: SampleSource,
    uses: Sequence[ReplicaUse],
    *,
    start: float,
    end: float,
    shared: SharedPrice | None = None,
) -> CostReport:
    """`report` with its layers; with a note that says why, where they cannot be told."""
    try:
        layers = read_layers(
            source,
            uses,
            price=report.price,
            gpus_per_replica=report.gpus_per_replica,
            start=start,
            end=end,
            shared=shared,
        )
    except NoData as error:
        told = str(error)
        return replace(report, notes=(*report.notes, f"{told[:1].upper()}{told[1:]}."))
    return replace(report, layers=layers)
