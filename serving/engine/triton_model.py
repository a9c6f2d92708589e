"""Triton's side of the emulated engine: requests in, one response a token out, vLLM's metrics on Triton's port.

Runs inside Triton's Python stub alone. Calls into Triton are round trips, so none is made on the engine's thread: one
thread sends, another looks for cancelled streams and for faults to have, and publishes metrics.
"""

from __future__ import annotations

import os
import queue
import threading
from dataclasses import replace
from typing import Any

import triton_python_backend_utils as pb_utils

from serving.engine.cold_start import warm_up
from serving.engine.emulated import EmulatedEngine
from serving.engine.events import Event
from serving.engine.faults import NO_FAULTS, FaultFile
from serving.engine.metrics import cold_start_readings, readings
from serving.engine.parameters import parse_parameters
from serving.engine.sampling import Sampling, parse_sampling
from serving.engine.tokens import count_tokens
from serving.engine.triton_io import Publisher, Stream, read_text
from serving.errors import BadInput, ServingError
from serving.profiles import load

_WATCH_INTERVAL_S = 0.05  # each look is a round trip a stream; a cancelled one must stop within 0.1 s
_PUBLISH_INTERVAL_S = 0.25
_CRASH_STATUS = 70


class TritonPythonModel:
    """The interface Triton expects: initialize, execute, finalize."""

    def initialize(self, args: dict[str, str]) -> None:
        try:
            parameters = parse_parameters(args["model_config"])
            profile = load(parameters.profile)
        except ServingError as error:
            raise pb_utils.TritonModelException(f"INVALID_ARG: {error}") from error
        log = pb_utils.Logger.log_info
        self._cold_start_s = warm_up(profile.cold_start_s, parameters.cold_start_scale, log=log)
        scheduler = replace(profile.scheduler, enable_prefix_caching=parameters.prefix_caching)
        profile = replace(profile, scheduler=scheduler)
        self._engine = EmulatedEngine(profile, time_scale=parameters.time_scale, crash=_end_process)
        self._faults = NO_FAULTS
        self._fault_file = FaultFile.of_model(args["model_repository"])
        self._outbox: queue.SimpleQueue[tuple[Stream, Event] | None] = queue.SimpleQueue()
        self._streams: set[Stream] = set()
        self._publisher = Publisher(args["model_name"])
        self._publish()
        self._publisher.publish(cold_start_readings(self._cold_start_s))
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._send_all, name="send", daemon=True),
            threading.Thread(target=self._watch, name="watch", daemon=True),
        ]
        for thread in self._threads:
            thread.start()
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
        self._outbox.put(None)
        self._stopping.set()
        for thread in self._threads:
            thread.join(2)

    def _submit(self, stream: Stream, prompt: str, sampling: Sampling) -> None:
        stream.input_tokens = count_tokens(prompt)
        if not stream.input_tokens:
            raise BadInput("text_input: it holds no word: send at least one")
        stream.request_id = self._engine.submit(prompt, sampling, lambda event: self._outbox.put((stream, event)))
        self._streams.add(stream)

    def _send_all(self) -> None:
        while (item := self._outbox.get()) is not None:
            stream, event = item
            try:
                stream.send(event)
            except Exception as error:  # noqa: BLE001  one broken stream must not silence the others
                pb_utils.Logger.log_error(f"stream {stream.request_id}: {type(error).__name__}: {error}")
                stream.is_over = True
                self._engine.cancel(stream.request_id)

    def _watch(self) -> None:
        rounds_between = round(_PUBLISH_INTERVAL_S / _WATCH_INTERVAL_S)
        rounds = 0
        while not self._stopping.wait(_WATCH_INTERVAL_S):
            rounds += 1
            try:
                self._look_for_faults()
                self._look_for_cancelled()
                if rounds % rounds_between == 0:
                    self._publish()
            except Exception as error:  # noqa: BLE001  a failed look must not be the last one
                pb_utils.Logger.log_error(f"watch: {type(error).__name__}: {error}")

    def _publish(self) -> None:
        self._publisher.publish(readings(self._engine.read_metrics()))

    def _look_for_faults(self) -> None:
        """Have the engine fail as the control file says; one that is no good leaves things as they are."""
        try:
            faults = self._fault_file.changed()
        except (BadInput, OSError) as error:
            pb_utils.Logger.log_error(f"{error}: nothing changed")
            return
        if faults is not None:
            if faults != self._faults:
                pb_utils.Logger.log_warn(f"faults now: {faults}")
            self._faults = faults
            self._engine.set_faults(faults)

    def _look_for_cancelled(self) -> None:
        for stream in list(self._streams):
            if stream.is_over:
                self._streams.discard(stream)
            elif stream.is_cancelled():
                self._engine.cancel(stream.request_id)


def _end_process(reason: str) -> None:
    """Die as a crashed engine does: at once, without a word to Triton or to the clients."""
    pb_utils.Logger.log_error(f"{reason}: the model process exits")
    os._exit(_CRASH_STATUS)
