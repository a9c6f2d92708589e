"""The model repository of one vLLM replica, and what its model reads from it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from serving.engine.inference import MODEL_NAME
from serving.engine.triton import REPOSITORY_TEMPLATE, with_parameters
from serving.engine.vllm.prepare import VllmPlan
from serving.errors import BadInput

TEMPLATE = REPOSITORY_TEMPLATE / "llm_vllm"
_UNQUOTABLE = re.compile(r'["\\\n]')


@dataclass(frozen=True, slots=True)
class VllmParameters:
    """`replica` is the name in log lines; the paths are vLLM's Python and the configuration `prepare_vllm` wrote."""

    replica: str
    python: Path
    config_path: Path


def write_vllm_repository(directory: Path, plan: VllmPlan, *, replica: str) -> Path:
    """Write the replica's model repository (model `llm` on vLLM) below `directory` and return it.

    Raises BadInput for a replica name or a path Triton could not use.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", replica):
        raise BadInput(f"replica name is {replica!r}: use letters, digits, '.', '-' and '_'")
    values = {"replica": replica, "vllm_python": str(plan.python), "vllm_config": str(plan.config_path)}
    for key, value in values.items():
        if _UNQUOTABLE.search(value):
            raise BadInput(f"{key} is {value!r}: use a path without quotes, backslashes and line breaks")
    config = with_parameters((TEMPLATE / "config.pbtxt").read_text(encoding="utf-8"), values)
    code = (TEMPLATE / "1" / "model.py").read_text(encoding="utf-8")
    target = directory / MODEL_NAME
    (target / "1").mkdir(parents=True, exist_ok=True)
    (target / "1" / "model.py").write_text(code, encoding="utf-8")
    (target / "config.pbtxt").write_text(config, encoding="utf-8")
    return directory.resolve()


def parse_vllm_parameters(model_config: str) -> VllmParameters:
    """Read Triton's model configuration (JSON text). Raises BadInput, one line, for a missing parameter."""
    given: Mapping[str, Any] = json.loads(model_config).get("parameters", {})
    values = {key: str(entry.get("string_value", "")) for key, entry in given.items()}
    if missing := [key for key in ("replica", "vllm_python", "vllm_config") if not values.get(key)]:
        raise BadInput(
            f"config.pbtxt: parameters: {', '.join(missing)} missing: write it with write_vllm_repository from "
            "serving/model_repository/llm_vllm"
        )
    return VllmParameters(values["replica"], Path(values["vllm_python"]), Path(values["vllm_config"]))
