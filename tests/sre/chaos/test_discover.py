"""Chaos Toolkit finds our activities."""

from chaoslib.discovery.package import get_discover_function

import sre.chaos


def test_chaos_toolkit_finds_actions_and_probes_with_their_arguments():
    found = get_discover_function(sre.chaos)(discover_system=False)
    activities = {
        (a["type"], a["name"]): [argument["name"] for argument in a["arguments"]] for a in found["activities"]
    }
    assert activities == {
        ("action", "crash_replica"): ["replica", "min_healthy", "seed", "configuration"],
        ("action", "restore_replicas"): ["timeout_s", "configuration"],
        ("action", "wait_recovered"): ["timeout_s", "configuration"],
        ("probe", "availability"): ["window_s", "configuration"],
        ("probe", "goodput"): ["window_s", "configuration"],
        ("probe", "healthy_replicas"): ["configuration"],
        ("probe", "unhealthy_replicas"): ["configuration"],
        ("probe", "latency_quantile"): ["signal", "quantile", "window_s", "configuration"],
    }
