"""`sre up --engine vllm`: the whole platform on the real vLLM, and nothing of it left after a `kill -9`."""

from __future__ import annotations

import json
import os
import signal
import urllib.request

import pytest

from sre.errors import EnvironmentLacks
from sre.platforms.local import down, platform_spec, up
from sre.platforms.processes import marked

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(600)]


@pytest.fixture
def state_dir(tmp_path):
    yield tmp_path / "state"
    down(tmp_path / "state")
    assert marked(tmp_path / "state", None) == []


def test_it_answers_and_leaves_nothing_behind(state_dir):
    spec = platform_spec(state_dir, engine="vllm", replicas=1, port=0, prometheus="off")
    try:
        platform = up(spec, state_dir)
    except EnvironmentLacks as error:
        if "make setup-vllm" not in str(error):
            raise
        pytest.skip(str(error))
    body = json.dumps({"model": "llm", "prompt": "are you there", "max_tokens": 8, "ignore_eos": True}).encode()
    request = urllib.request.Request(  # noqa: S310  (loopback)
        f"{platform.gateway_url}/v1/completions", data=body, headers={"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310  (loopback)
        assert json.load(response)["usage"]["completion_tokens"] == 8
    limits = json.loads((state_dir / "gateway.json").read_text())["replicas"][0]
    assert limits["max_seqs"] > 1
    assert limits["kv_tokens"] >= 2048
    of_vllm = [p for p in marked(state_dir, None) if "vllm" in " ".join(p.process.cmdline()).lower()]
    assert of_vllm, "vLLM's processes carry our mark, by which they are found"
    supervisor = platform.state().supervisor
    assert supervisor is not None
    os.kill(supervisor.pid, signal.SIGKILL)
    down(state_dir)
    assert marked(state_dir, None) == []
    assert not [p for p in of_vllm if p.process.is_running() and p.process.status() != "zombie"]
