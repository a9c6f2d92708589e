"""Triton's side of the vLLM engine. Runs inside Triton's Python stub, in the light environment.

A Triton server whose engine is dead would stay ready and refuse every request. So the model ends the server then, and
whoever keeps the server (the supervisor, Kubernetes) starts the replica anew.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils

from serving.engine.events import Ended
from serving.engine.metrics import Reading, readings
from serving.engine.sampling import parse_sampling
from serving.engine.triton_io import Publisher, Stream, read_text, string_tensor
from serving.engine.triton_serving import Serving
from serving.engine.vllm.config import VllmConfig
from serving.engine.vllm.owner import Tokens, VllmEngine, worker_command
from serving.engine.vllm.repository import parse_vllm_parameters
from serving.errors import BadInput, ServingError

_FLUSH_S = 1.0
_SERVER_EXIT_S = 6.0  # beyond Triton's own `--exit-timeout-secs`
_SERVER = "tritonserver"


class VllmStream(Stream):
    """A stream whose responses carry their tokens' ids, which a resumed answer needs."""

    def deliver(self, event: Tokens | Ended) -> None:
        if self.is_over:
            return
        if isinstance(event, Ended):
            self.send(event)
            return
        ids = pb_utils.Tensor("token_ids", np.array(event.token_ids, dtype=np.int32))
        tensors = [string_tensor("text_output", event.text), ids]
        if event.finish is None:
            self._sender.send(pb_utils.InferenceResponse(tensors))
            return
        reason, *totals = event.finish
        names = ("num_input_tokens", "num_output_tokens")
        tensors.append(string_tensor("finish_reason", reason))
        tensors += [
            pb_utils.Tensor(name, np.array([total], dtype=np.uint32)) for name, total in zip(names, totals, strict=True)
        ]
        self._end(pb_utils.InferenceResponse(tensors))


class TritonPythonModel:
    """The interface Triton expects: initialize, execute, finalize."""

    def initialize(self, args: dict[str, str]) -> None:
        """Returns when vLLM has answered a first time. Triton calls it on the stub's main thread, which vLLM's life
        hangs on (`VllmEngine.start`).
        """
        try:
            parameters = parse_vllm_parameters(args["model_config"])
            config = _read_config(parameters.config_path)
            command = worker_command(parameters.python)
            server_pid = os.getppid() if is_triton(os.getppid()) else 0
            self._engine = VllmEngine(command, config, on_death=self._end_server, server_pid=server_pid)
            self._serving = Serving[VllmStream, Tokens | Ended](
                deliver=VllmStream.deliver, cancel=self._engine.cancel, publish=self._publish
            )
            self._engine.start(parameters.config_path)
        except ServingError as error:
            raise pb_utils.TritonModelException(f"INVALID_ARG: {error}") from error
        self._publisher = Publisher(args["model_name"])
        self._publish()
        self._serving.start()
        took = ", ".join(f"{phase} {seconds:.1f} s" for phase, seconds in self._engine.cold_start_s.items())
        pb_utils.Logger.log_info(
            f"{parameters.replica}: vLLM on {config.device}, {self._engine.kv_tokens} tokens of KV cache; {took}"
        )

    def execute(self, requests: list[Any]) -> None:
        """Hand each request over. Inputs lie in shared memory that is freed when this returns, hence are copied."""
        for request in requests:
            stream = VllmStream(request.get_response_sender())
            try:
                prompt = read_text(request, "text_input") or ""
                sampling = parse_sampling(read_text(request, "sampling_parameters") or "")
            except BadInput as error:
                stream.fail(f"INVALID_ARG: {error}")
                continue
            stream.request_id = self._engine.submit(prompt, sampling, self._serving.receiver(stream))
            self._serving.add(stream)

    def finalize(self) -> None:
        """Called once Triton has no request left, or gave up waiting for them."""
        self._engine.stop()
        self._serving.stop()

    def _publish(self) -> None:
        stalled = Reading("sre_engine_stalled_seconds", "gauge", (), self._engine.stalled_s())
        self._publisher.publish([*readings(self._engine.read_metrics()), stalled])

    def _end_server(self, why: str) -> None:
        """Let the errors go out, then end the server above us, if it is one, in a thread of its own."""
        pb_utils.Logger.log_error(f"vLLM's engine is dead: {why}: the server ends, to be started anew")
        threading.Thread(target=self._flush_and_end, name="end-server", daemon=True).start()

    def _flush_and_end(self) -> None:
        deadline = time.monotonic() + _FLUSH_S
        while time.monotonic() < deadline and not self._serving.is_flushed:
            time.sleep(0.01)
        server = os.getppid()
        if not is_triton(server):
            pb_utils.Logger.log_error(f"the parent process {server} is not {_SERVER}: end it by hand")
            return
        os.kill(server, signal.SIGTERM)
        deadline = time.monotonic() + _SERVER_EXIT_S
        while os.getppid() == server and time.monotonic() < deadline:
            time.sleep(0.05)
        if os.getppid() == server:
            os.kill(server, signal.SIGKILL)


def is_triton(pid: int) -> bool:
    """Whether this process runs Triton's server (by its executable, not by a name it could have given itself)."""
    try:
        return Path("/proc", str(pid), "exe").readlink().name == _SERVER
    except OSError:
        return False


def _read_config(path: Path) -> VllmConfig:
    try:
        return VllmConfig.from_json(path.read_text(encoding="utf-8"), path=str(path))
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror}: write it with prepare_vllm") from error
