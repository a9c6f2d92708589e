"""The configuration file: accepted, or refused in one line that names every fault."""

from __future__ import annotations

import json

import pytest

from serving.errors import BadInput
from serving.gateway.config import load_config, parse_config

REPLICAS = [{"name": "llm-0", "grpc_address": "127.0.0.1:1"}]


def parse(**fields):
    return parse_config(json.dumps({"replicas": REPLICAS} | fields), path="gateway.json")


def test_everything_but_the_replicas_has_a_default():
    config = parse()
    assert (config.host, config.port, config.model) == ("127.0.0.1", 8400, "llm")
    assert (config.ttft_threshold_s, config.tpot_threshold_s) == (1.0, 0.05)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"host": "0.0.0.0"}, "host: Value error, '0.0.0.0' is not a loopback address"),  # noqa: S104
        ({"host": "example.org"}, "not a loopback address"),
        ({"port": 70000}, "port: Input should be less than or equal to 65535"),
        ({"port": "8400"}, "port: Input should be a valid integer"),
        ({"replicas": [{"name": "a", "url": "http://a"}] * 65}, "replicas: List should have at most 64 items"),
        ({"replicas": [{"name": "a"}]}, "give either grpc_address (Triton) or url"),
        ({"health": {"stall_steps": 1}}, "health.stall_steps: Input should be greater than or equal to 2"),
        ({"failover": {"unreplayable": "maybe"}}, "failover.unreplayable: Input should be 'continue' or 'fail'"),
        ({"control": {"port": 0, "token": "short"}}, "control.token: String should have at least 16"),
        ({"replicas": [{"name": "a b", "grpc_address": "nowhere"}]}, "replicas.0.grpc_address"),
        ({"replicas": REPLICAS * 2}, "replica names must be unique: llm-0"),
        ({"max_atempts": 3}, "max_atempts: Extra inputs are not permitted"),
        ({"idle_timeout_s": 0}, "idle_timeout_s: Input should be greater than 0"),
    ],
)
def test_a_fault_is_named_with_its_place(fields, words):
    with pytest.raises(BadInput) as caught:
        parse(**fields)
    assert str(caught.value).startswith("gateway.json: ")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_gateway_may_start_without_replicas():
    assert parse(replicas=[]).replicas == []


def test_all_faults_come_at_once():
    with pytest.raises(BadInput, match=r"port: .*; max_inflight: "):
        parse(port=-1, max_inflight=0)


def test_what_is_not_json_is_said_so():
    with pytest.raises(BadInput, match="Invalid JSON"):
        parse_config("{", path="gateway.json")


def test_a_missing_file_is_one_line(tmp_path):
    with pytest.raises(BadInput, match="cannot be read"):
        load_config(tmp_path / "none.json")
