"""`sre up`, `sre status`, `sre down`: the platform alone."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import typer

from sre.cli.options import (
    DEFAULT_PORT,
    DEFAULT_PROFILE,
    DEFAULT_STATE_DIR,
    Autoscale,
    AutoscaleClock,
    ColdStart,
    GatewayWorkers,
    Json,
    MaxReplicas,
    Port,
    Profile,
    Prometheus,
    Replicas,
    Routing,
    Seats,
    StateDir,
    Tenants,
    TimeScale,
    TokenBudget,
    UnhealthyRestart,
)
from sre.cli.price_options import GpusPerReplica, PriceAsked, spec_price
from sre.cli.vllm_options import (
    Device,
    Dtype,
    Engine,
    GpuMemory,
    MaxModelLen,
    Model,
    PipelineParallel,
    Quantization,
    TensorParallel,
)

if TYPE_CHECKING:
    from sre.console import Progress
    from sre.platforms.local import LocalPlatform, PlatformSpec

DEFAULT_REPLICAS = MappingProxyType({"emulated": 3, "vllm": 1})


def up(
    replicas: Replicas = None,
    profile: Profile = DEFAULT_PROFILE,
    time_scale: TimeScale = 1.0,
    cold_start: ColdStart = 0.0,
    port: Port = DEFAULT_PORT,
    prometheus: Prometheus = True,
    autoscale: Autoscale = None,
    autoscale_clock: AutoscaleClock = 1.0,
    max_replicas: MaxReplicas = 16,
    tenants: Tenants = None,
    gateway_workers: GatewayWorkers = 1,
    unhealthy_restart: UnhealthyRestart = 20.0,
    routing: Routing = "affinity",
    max_num_seqs: Seats = None,
    max_num_batched_tokens: TokenBudget = None,
    price: PriceAsked = None,
    gpus_per_replica: GpusPerReplica = None,
    engine: Engine = "emulated",
    model: Model = None,
    device: Device = None,
    tensor_parallel_size: TensorParallel = None,
    pipeline_parallel_size: PipelineParallel = None,
    quantization: Quantization = None,
    max_model_len: MaxModelLen = None,
    gpu_memory_utilization: GpuMemory = None,
    dtype: Dtype = None,
    state_dir: StateDir = DEFAULT_STATE_DIR,
    as_json: Json = False,
) -> None:
    """Start the platform in the background: Triton replicas behind an OpenAI gateway. Stop it with `sre down`."""
    from sre.platforms.local import platform_spec

    vllm = {
        "model": model,
        "device": device,
        "tensor_parallel_size": tensor_parallel_size,
        "pipeline_parallel_size": pipeline_parallel_size,
        "quantization": quantization,
        "max_model_len": max_model_len,
        "gpu_memory_utilization": gpu_memory_utilization,
        "dtype": dtype,
    }
    spec = platform_spec(
        state_dir,
        replicas=replicas or DEFAULT_REPLICAS.get(engine, 1),
        profile=profile,
        time_scale=time_scale,
        cold_start_scale=cold_start,
        port=port,
        prometheus="auto" if prometheus else "off",
        autoscale=autoscale,
        autoscale_clock_factor=autoscale_clock,
        max_replicas=max_replicas,
        tenants=tenants,
        gateway_workers=gateway_workers,
        unhealthy_restart_s=unhealthy_restart,
        routing=routing,
        max_num_seqs=max_num_seqs,
        max_num_batched_tokens=max_num_batched_tokens,
        engine=engine,
        vllm=vllm,
        price=spec_price(price, gpus_per_replica, profile=profile, engine=engine),
    )
    _start(spec, state_dir, as_json=as_json)


def _start(spec: PlatformSpec, state_dir: Path, *, as_json: bool) -> None:
    from sre.console import Progress, print_json
    from sre.platforms.local import up as start

    progress = Progress()
    progress.step(f"platform: {spec.replicas} Triton replicas ({spec.engine}), gateway")
    try:
        platform = start(spec, state_dir, on_progress=progress.note)
    except BaseException:
        progress.fail()
        raise
    progress.done(platform.gateway_url)
    if as_json:
        print_json(_status(platform))
    else:
        typer.echo(f"OpenAI API   {platform.gateway_url}/v1   (model llm)")
        typer.echo(f"Prometheus   {platform.state().prometheus_url or 'not running'}")
        typer.echo("stop it with `sre down`")


def status(state_dir: StateDir = DEFAULT_STATE_DIR, as_json: Json = False) -> None:
    """Show the running platform. Exit 1 when a replica does not serve, 3 when no platform is up."""
    from sre.console import print_json
    from sre.platforms.local import LocalPlatform

    seen = _status(LocalPlatform(state_dir))
    if as_json:
        print_json(seen)
    else:
        _print_status(seen)
    raise typer.Exit(0 if seen["ok"] else 1)


def down(state_dir: StateDir = DEFAULT_STATE_DIR, as_json: Json = False) -> None:
    """Stop the platform and whatever it left behind, also after a kill -9. Harmless when nothing runs."""
    from dataclasses import asdict

    from sre.console import Progress, print_json
    from sre.platforms.local import down as stop

    progress = Progress()
    _heal_first(state_dir, progress)
    progress.step("platform down")
    report = stop(state_dir)
    progress.done()
    if as_json:
        print_json({"ok": True, **asdict(report)})
        return
    for line in (*report.notes, *(f"killed {orphan}: it did not end with the platform" for orphan in report.orphans)):
        typer.echo(line)
    typer.echo("nothing is left running" if report.was_up else f"no platform was up in {state_dir.resolve()}")


def _heal_first(state_dir: Path, progress: Progress) -> None:
    """A stopped process or a full disk must not be in the way of an orderly stop, nor outlive it."""
    from sre.chaos.leases.healing import heal_all, may_have_leftovers
    from sre.platforms.local import LocalPlatform

    if may_have_leftovers(state_dir):
        for lease in heal_all(LocalPlatform(state_dir), by="sre down").undone:
            progress.note(f"undid {lease.fault} of {lease.plan.target}")


def _status(platform: LocalPlatform) -> dict[str, Any]:
    from dataclasses import asdict

    from sre.errors import PlatformError
    from sre.platforms.local import footprint_mb

    state = platform.state()
    replicas = platform.replicas()
    try:
        inflight, queued = dict(platform.inflight()), platform.queue_depth()
    except PlatformError:
        inflight, queued = {}, None
    at_work = [replica for replica in replicas if replica.state not in ("draining", "drained")]
    serving = all(r.state == "ready" and r.serving is not False for r in at_work) and bool(at_work)
    return {
        "ok": state.phase == "ready" and bool(inflight) and serving,
        "phase": state.phase,
        "platform_id": state.platform_id,
        "engine": state.engine,
        "gateway_url": state.gateway_url,
        "gateway_answers": bool(inflight),
        "queue_depth": queued,
        "prometheus_url": state.prometheus_url,
        "autoscaler": None if state.autoscaler is None else asdict(state.autoscaler),
        "desired_replicas": state.desired_replicas,
        "started_at": state.started_at,
        "memory_mb": footprint_mb(platform),
        "replicas": [{**asdict(r), "inflight": inflight.get(r.name)} for r in replicas],
    }


def _print_status(seen: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("replica", "process", "gateway", "pid", "restarts", "in flight", box=None)
    for replica in seen["replicas"]:
        inflight = replica["inflight"]
        table.add_row(
            replica["name"],
            replica["state"],
            replica["rotation"] or "n/a",
            str(replica["pid"] or "-"),
            str(replica["restarts"]),
            "n/a" if inflight is None else f"{inflight:g}",
        )
    console = Console(highlight=False)
    memory = "n/a" if seen["memory_mb"] is None else f"{seen['memory_mb']:.0f} MB"
    queued = "n/a" if seen["queue_depth"] is None else f"{seen['queue_depth']:g}"
    answers = f"  ({queued} waiting)" if seen["gateway_answers"] else "  (does not answer)"
    console.print(f"platform {seen['platform_id']}: {seen['phase']}, engine {seen['engine'] or 'n/a'}, memory {memory}")
    console.print(f"gateway    {seen['gateway_url']}{answers}")
    console.print(f"prometheus {seen['prometheus_url'] or 'not running'}")
    if seen["autoscaler"] is not None:
        sizes = f"{len(seen['replicas'])} replicas, {seen['desired_replicas']} wanted"
        console.print(f"autoscaler {seen['autoscaler']['policy']} ({seen['autoscaler']['state']}): {sizes}")
    console.print(table)
