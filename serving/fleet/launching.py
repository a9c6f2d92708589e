"""How a replica is launched: its model repository, its command line, its marks; and what it can hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from serving.engine import triton
from serving.engine.vllm import VllmPlan, prepare_vllm
from serving.engine.vllm.repository import write_vllm_repository
from serving.fleet.cold_start import StartChecks, triton_checks
from serving.fleet.gateway import Capacity
from serving.fleet.journal import Journal
from serving.fleet.model import PlatformSpec, ReplicaInfo, StateFiles
from serving.fleet.plan import port_of
from serving.fleet.replica import ReplicaKeeper, TritonProgram
from serving.profiles import load

START_TIMEOUT_S = 60.0
VLLM_START_TIMEOUT_S = 300.0  # imports alone take 20 s on a busy machine, each rank a process
PROBE_TIMEOUT_S = 2.0
VLLM_PROBE_TIMEOUT_S = 10.0  # the first inference may compile


@dataclass(frozen=True, slots=True)
class Launcher:
    """Makes the keepers of one platform's replicas."""

    files: StateFiles
    spec: PlatformSpec
    journal: Journal
    marks: Mapping[str, str]
    now: Callable[[], float]
    install: triton.TritonInstall
    backends: Path
    checks: StartChecks
    vllm: VllmPlan | None

    @classmethod
    def find(
        cls,
        files: StateFiles,
        spec: PlatformSpec,
        journal: Journal,
        *,
        marks: Mapping[str, str],
        now: Callable[[], float],
    ) -> Launcher:
        """Raises EnvironmentLacks when this machine cannot run the engine asked for."""
        install = triton.find_triton()
        backends = triton.prepare_backends(install, files.root / "backends")
        vllm = None
        if spec.engine == "vllm":
            vllm = prepare_vllm(files.root / "vllm", spec.vllm, replicas=spec.replicas)
        checks = triton_checks(inference_timeout_s=PROBE_TIMEOUT_S if vllm is None else VLLM_PROBE_TIMEOUT_S)
        return cls(files, spec, journal, marks, now, install, backends, checks, vllm)

    def keeper(self, info: ReplicaInfo) -> ReplicaKeeper:
        """Write the replica's model repository and return who will run it."""
        shm_prefix = f"sre-{self.journal.state.platform_id}-{info.name}-"  # llm-1 must not be a prefix of llm-10
        launch = triton.launch(
            self.install,
            name=info.name,
            http_port=port_of(info.http_url),
            grpc_port=port_of(info.grpc_address),
            metrics_port=port_of(info.metrics_url),
            repository=self._repository(info),
            backends=self.backends,
            shm_prefix=shm_prefix,
        )
        return ReplicaKeeper(
            info=info,
            program=TritonProgram(info.name, launch, self.marks, shm_prefix, self.files.logs / f"{info.name}.log"),
            journal=self.journal,
            checks=self.checks,
            now=self.now,
            start_timeout_s=start_timeout_s(self.spec),
        )

    def capacity(self) -> Capacity:
        """What a replica holds: sequences, and tokens of KV cache. Unknown for vLLM on a GPU: the engine asks it."""
        if self.vllm is not None:
            held = self.vllm.capacity
            return Capacity() if held is None else Capacity(held.max_num_seqs, held.kv_tokens)
        scheduler = load(self.spec.profile).scheduler
        return Capacity(
            self.spec.max_num_seqs or scheduler.max_num_seqs, scheduler.kv_blocks * scheduler.block_size_tokens
        )

    def _repository(self, info: ReplicaInfo) -> Path:
        directory = self.files.root / "models" / info.name
        if self.vllm is not None:
            return write_vllm_repository(directory, self.vllm, replica=info.name)
        return triton.write_model_repository(
            directory,
            profile=self.spec.profile,
            time_scale=self.spec.time_scale,
            replica=info.name,
            cold_start_scale=self.spec.cold_start_scale,
            limits={
                "max_num_seqs": self.spec.max_num_seqs,
                "max_num_batched_tokens": self.spec.max_num_batched_tokens,
            },
        )


def start_timeout_s(spec: PlatformSpec) -> float:
    """How long one replica may take from its spawn to its first token: its cold start is not held against it."""
    if spec.engine == "vllm":
        return VLLM_START_TIMEOUT_S
    return START_TIMEOUT_S + sum(load(spec.profile).cold_start_s.values()) * spec.cold_start_scale
