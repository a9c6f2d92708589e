"""docs/serving.md lists every setting with its default; the code is the authority."""

import dataclasses
import re
from pathlib import Path

import pytest

from serving.batching import SchedulerConfig
from serving.engine.vllm.config import VllmConfig
from serving.fleet.spec import PlatformSpec
from serving.gateway import config as gateway

PAGE = Path(__file__).parents[2] / "docs" / "serving.md"
SETTINGS = (
    gateway.GatewayConfig,
    gateway.HealthConfig,
    gateway.FailoverConfig,
    gateway.AdmissionConfig,
    gateway.RoutingConfig,
    SchedulerConfig,
    PlatformSpec,
    VllmConfig,
)
NO_PLAIN_DEFAULT = "..."


def in_code(settings):
    if dataclasses.is_dataclass(settings):
        missing = dataclasses.MISSING
        return {
            f.name: NO_PLAIN_DEFAULT
            if f.default_factory is not missing
            else "(required)"
            if f.default is missing
            else shown(f.default)
            for f in dataclasses.fields(settings)
        }
    fields = settings.model_fields.items()
    return {name: "(required)" if field.is_required() else shown(field.default) for name, field in fields}


def shown(default):
    plain = {None: "none", True: "true", False: "false", "": '""'}
    if isinstance(default, str | None | bool) and default in plain:
        return plain[default]
    if isinstance(default, int | float):
        return f"{default:g}" if isinstance(default, float) else str(default)
    return default if isinstance(default, str) else NO_PLAIN_DEFAULT


def on_page(settings):
    table = PAGE.read_text(encoding="utf-8").split(f"<!-- {settings.__name__} -->\n")[1].split("\n\n")[0]
    return dict(re.findall(r"^\| `(\w+)` \| ([^|]+) \|", table, flags=re.MULTILINE))


@pytest.mark.parametrize("settings", SETTINGS, ids=lambda settings: settings.__name__)
def test_every_setting_is_on_the_page_with_its_default(settings):
    assert on_page(settings) == in_code(settings)
