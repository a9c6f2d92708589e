"""`python -m serving.autoscale --config autoscale.json`: decides until SIGTERM or SIGINT; one JSON line a decision.

Exit codes: 0, 2 wrong use or a policy that cannot be followed here, 3 the environment lacks something.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
import time
from pathlib import Path

import aiohttp

from serving.autoscale.config import AutoscaleConfig, load_config
from serving.autoscale.documents import load_policy
from serving.autoscale.exporter import HOST, serve
from serving.autoscale.loop import Loop, require_answerable, within
from serving.autoscale.supervisor import FleetState
from serving.autoscale.surroundings import HttpSurroundings, Surroundings
from serving.errors import EnvironmentLacks, ServingError

START_WAIT_S = 30.0
_POLL_S = 0.2


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


async def run(config: AutoscaleConfig) -> None:
    """Follow the policy until a signal ends it."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    policy = load_policy(config.policy)
    async with aiohttp.ClientSession() as session:
        around = HttpSurroundings(session, config.control)
        state = await _first_state(around, stop)
        if state is None:
            return
        require_answerable(policy, config.prometheus_url or (state.prometheus.url if state.prometheus else None))
        policy = within(policy, state.spec.max_replicas)
        loop = Loop(config, policy, around, clock=time.monotonic, now=time.time, log=_say)
        runner, port = await serve(loop.metrics, config.metrics_port)
        url = f"http://{HOST}:{port}/metrics"
        started = {"policy": policy.name, "max_replicas": policy.max_replicas, "metrics_url": url}
        _say(json.dumps({"at": round(time.time(), 3), "event": "started", **started}))
        try:
            await loop.run(stop)
        finally:
            await runner.cleanup()


async def _first_state(around: Surroundings, stop: asyncio.Event) -> FleetState | None:
    """The supervisor starts us, perhaps before it answers itself. None when told to stop meanwhile."""
    deadline = time.monotonic() + START_WAIT_S
    while not stop.is_set():
        try:
            return await around.state()
        except EnvironmentLacks:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(_POLL_S)
    return None


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m serving.autoscale", description="Scales the local platform by a Kubernetes policy document."
    )
    parser.add_argument("--config", type=Path, required=True, help="path of autoscale.json, see docs/contracts.md")
    options = parser.parse_args(arguments)
    try:
        asyncio.run(run(load_config(options.config)))
    except ServingError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
