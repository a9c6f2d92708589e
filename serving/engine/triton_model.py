"""Triton's side of the emulated engine: requests in, one response a token out, vLLM's metrics on Triton's port.

Runs inside Triton's Python stub alone. Calls into Triton are round trips, so none is made on the engine's thread: one
thread sends, another looks for cancelled streams and for faults to have, and publishes metrics.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

import triton_python_backend_utils as pb_utils

from serving.engine.cold_start import INJECTED_PHASE, wait_longer, warm_up
from serving.engine.emulated import EmulatedEngine
from serving.engine.events import Event
from serving.engine.faults import NO_FAULTS, FaultFile, Faults, why_no_load
from serving.engine.metrics import cold_start_readings, readings, xid_reading
from serving.engine.parameters import parse_parameters
from serving.engine.sampling import Sampling, parse_sampling
from serving.engine.tokens import count_tokens
from serving.engine.triton_io import Publisher, Stream, read_text
from serving.engine.triton_serving import Serving
from serving.errors import BadInput, ServingError
from serving.profiles import load

_CRASH_STATUS = 70


class TritonPythonModel:
    """The interface Triton expects: initialize, execute, finalize."""

    def initialize(self, args: dict[str, str]) -> None:
        try:
            parameters = parse_parameters(args["model_config"])
            profile = load(parameters.profile)
            profile = replace(profile, scheduler=parameters.scheduler(profile.scheduler))
        except ServingError as error:
            raise pb_utils.TritonModelException(f"INVALID_ARG: {error}") from error
        log = pb_utils.Logger.log_info
        self._faults = NO_FAULTS
        self._fault_file = FaultFile.of_model(args["model_repository"])
        self._cold_start_s = warm_up(profile.cold_start_s, parameters.cold_start_scale, log=log)
        if (injected_s := wait_longer(self._extra_start_s)) > 0.1:
            self._cold_start_s[INJECTED_PHASE] = injected_s
        if (why := why_no_load(self._read_faults())) is not None:
            raise pb_utils.TritonModelException(why)
        self._engine = EmulatedEngine(
            profile, time_scale=parameters.time_scale, crash=self._die, past_xid=self._faults.xid
        )
        self._engine.set_faults(self._faults)
        self._publisher = Publisher(args["model_name"])
        self._publish()
        self._publisher.publish(cold_start_readings(self._cold_start_s))
        self._serving = Serving[Stream, Event](
            deliver=Stream.send, cancel=self._engine.cancel, publish=self._publish, look=self._look_for_faults
        )
        self._serving.start()
        self._look_for_faults()
        self._engine.start()
        log(f"{parameters.replica}: emulated {profile.name}, time scale {parameters.time_scale:g}")

    def execute(self, requests: list[Any]) -> None:
        """Queue each request. Inputs lie in shared memory that is freed when this returns, hence are copied here."""
        for request in requests:
            stream = Stream(request.get_response_sender())
            try:
                prompt = read_text(request, "text_input") or ""
                sampling = parse_sampling(read_text(request, "sampling_parameters") or "")
                self._submit(stream, prompt, sampling)
            except BadInput as error:
                stream.fail(f"INVALID_ARG: {error}")

    def finalize(self) -> None:
        """Called once Triton has no request left, or gave up waiting for them."""
        self._engine.stop()
        self._serving.stop()

    def _submit(self, stream: Stream, prompt: str, sampling: Sampling) -> None:
        stream.input_tokens = count_tokens(prompt)
        if not stream.input_tokens:
            raise BadInput("text_input: it holds no word: send at least one")
        stream.request_id = self._engine.submit(prompt, sampling, self._serving.receiver(stream))
        self._serving.add(stream)

    def _publish(self) -> None:
        self._publisher.publish(readings(self._engine.read_metrics()))

    def _look_for_faults(self) -> None:
        """Have the engine fail as the control file says."""
        before = self._faults
        if self._read_faults() != before:
            self._publisher.publish([xid_reading(self._faults.xid or 0)])  # the engine may not live to tell
            self._engine.set_faults(self._faults)

    def _extra_start_s(self) -> float:
        return self._read_faults().cold_start_extra_s

    def _read_faults(self) -> Faults:
        """What the control file says now; one that is no good leaves things as they are."""
        try:
            faults = self._fault_file.changed()
        except (BadInput, OSError) as error:
            pb_utils.Logger.log_error(f"{error}: nothing changed")
            return self._faults
        if faults is not None and faults != self._faults:
            pb_utils.Logger.log_warn(f"faults now: {faults}")
            self._faults = faults
        return self._faults

    def _die(self, reason: str) -> None:
        """As a crashed engine does: at once, without a word to the clients."""
        pb_utils.Logger.log_error(f"{reason}: the model process exits")
        self._serving.fall_silent()
        os._exit(_CRASH_STATUS)
