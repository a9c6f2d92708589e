"""`autoscale.json`: which policy, for which platform, how often."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from serving.autoscale.model import DEFAULT_SYNC_PERIOD_S
from serving.errors import BadInput


class AutoscaleConfig(BaseModel):
    """What `autoscale.json` may say. Times are seconds.

    `control` is the supervisor's `control.json`. `gateway_url` and `prometheus_url` are taken from the supervisor's
    state when absent. `clock_factor` runs the policy's own clock faster (60: its 300 s window takes 5 s), for drills of
    minutes; it compresses `interval_s` alike. `metrics_port` 0 picks a free one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    policy: Path
    control: Path
    gateway_url: str | None = None
    prometheus_url: str | None = None
    interval_s: Annotated[float, Field(ge=1, le=3600)] = DEFAULT_SYNC_PERIOD_S
    scrape_interval_s: Annotated[float, Field(ge=0.1, le=60)] = 1.0
    clock_factor: Annotated[float, Field(ge=1, le=600)] = 1.0
    metrics_port: Annotated[int, Field(ge=0, le=65535)] = 0


def load_config(path: Path) -> AutoscaleConfig:
    """Raises BadInput: one line that names every fault with its place."""
    try:
        return AutoscaleConfig.model_validate_json(path.read_bytes())
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror}): give an existing file to --config") from error
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, e['loc'])) or 'file'}: {e['msg']}" for e in error.errors(include_url=False)]
        raise BadInput(f"{path}: {'; '.join(faults)}: see docs/contracts.md, Autoscaler") from error
