"""A profile from the tables of aiconfigurator-core, which is stood in for by a script that answers as it does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from serving.errors import BadInput, EnvironmentLacks
from serving.profiles import DoesNotFit, read_profile
from serving.profiles.aiconfigurator import Tables, document_from_tables
from serving.profiles.aiconfigurator_child import CONTEXT, EARLIER, LONG_CONTEXT, MIXED_DECODES, SEQUENCES, TOKENS

ANSWER: dict[str, Any] = {
    "version": "0.12.0",
    "memory_bytes": 85_899_345_920,
    "decode_ms": {str(n): 14 + 0.03 * n for n in SEQUENCES},
    "decode_long_ms": {str(n): 14 + 0.03 * n + 0.04 * n * (LONG_CONTEXT - CONTEXT) / 1000 for n in SEQUENCES},
    "prefill_ms": {str(n): 15 + 0.06 * n for n in TOKENS},
    "prefill_late_ms": 15 + 0.06 * TOKENS[5] + 2.0 * TOKENS[5] * EARLIER / 1e6,
    "mixed_ms": {str(n + MIXED_DECODES): 16 + 0.06 * n for n in TOKENS},
}


def interpreter(folder: Path, script: str) -> str:
    """A program that is run as the interpreter would be."""
    path = folder / "python"
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)
    return str(path)


def tables(python: str, *, tensor: int = 4) -> Tables:
    return Tables("meta-llama/Meta-Llama-3.1-70B", "h100_sxm", tensor, 1, python)


def test_tables_become_a_profile_of_three_regimes(tmp_path: Path) -> None:
    python = interpreter(tmp_path, f"echo loading; echo '{json.dumps(ANSWER)}'")
    path = tmp_path / "mine.yaml"
    path.write_text(document_from_tables("mine", tables(python)), encoding="utf-8")
    profile = read_profile(path)
    times = profile.step_time
    assert times.duration_of_s(decode_seqs=64, prefill_tokens=0, context_tokens=64 * CONTEXT) == pytest.approx(0.01592)
    assert times.duration_of_s(decode_seqs=32, prefill_tokens=2048) == pytest.approx((16 + 0.06 * 2048) / 1000)
    assert times.kv_ms_per_1k_tokens == pytest.approx(0.04)
    assert times.prefill_ms_per_1m_pairs == pytest.approx(2.0)
    assert (profile.gpu, profile.error.basis if profile.error else "") == ("H100-80GB", "planning")
    assert "aiconfigurator-core 0.12.0" in profile.source


def test_a_table_that_falls_is_made_to_rise(tmp_path: Path) -> None:
    falling = {**ANSWER, "decode_ms": {**ANSWER["decode_ms"], "8": 13.0}}
    python = interpreter(tmp_path, f"echo '{json.dumps(falling)}'")
    path = tmp_path / "mine.yaml"
    path.write_text(document_from_tables("mine", tables(python)), encoding="utf-8")
    assert read_profile(path).step_time.decode_ms.at(8) == pytest.approx(14.12)


def test_a_model_that_the_gpus_cannot_hold_is_refused(tmp_path: Path) -> None:
    python = interpreter(tmp_path, f"echo '{json.dumps(ANSWER)}'")
    with pytest.raises(DoesNotFit, match="GB a GPU"):
        document_from_tables("mine", tables(python, tensor=1))


@pytest.mark.parametrize(
    ("script", "error", "words"),
    [
        (
            "echo \"ModuleNotFoundError: No module named 'aiconfigurator_core'\" >&2; exit 1",
            EnvironmentLacks,
            "numpy 2",
        ),
        ("echo 'ValueError: no such system' >&2; exit 1", BadInput, "has no tables for .*: ValueError: no such system"),
    ],
)
def test_what_the_package_lacks_is_told_in_one_line(
    tmp_path: Path, script: str, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words) as caught:
        document_from_tables("mine", tables(interpreter(tmp_path, script)))
    assert len(str(caught.value).splitlines()) == 1
