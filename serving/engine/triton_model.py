"""Triton's side of the engine: requests in, one response a token out, vLLM's metrics on Triton's port.

Runs inside Triton's Python stub alone. Every call into Triton (send, is_cancelled, increment) is a round trip to the
server process, so none is made on the engine's thread: one thread sends, another looks for cancelled streams and
publishes metrics.
"""

from __future__ import annotations

import queue
import threading
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils

from serving.engine.emulated import EmulatedEngine, Ended, Event, Token
from serving.engine.metrics import Reading, readings
from serving.engine.parameters import parse_parameters
from serving.engine.sampling import Sampling, parse_sampling
from serving.engine.tokens import answer, count_tokens
from serving.errors import BadInput, ServingError
from serving.profiles import load

_FINAL = pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL
_WATCH_INTERVAL_S = 0.05  # each look is a round trip a stream; a cancelled one must stop within 0.1 s
_PUBLISH_INTERVAL_S = 0.25


class TritonPythonModel:
    """The interface Triton expects: initialize, execute, finalize."""

    def initialize(self, args: dict[str, str]) -> None:
        try:
            parameters = parse_parameters(args["model_config"])
            profile = load(parameters.profile)
        except ServingError as error:
            raise pb_utils.TritonModelException(f"INVALID_ARG: {error}") from error
        self._engine = EmulatedEngine(profile, time_scale=parameters.time_scale)
        self._outbox: queue.SimpleQueue[tuple[_Stream, Event] | None] = queue.SimpleQueue()
        self._streams: set[_Stream] = set()
        self._publisher = _Publisher(args["model_name"])
        self._publisher.publish(readings(self._engine.read_metrics()))
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._send_all, name="send", daemon=True),
            threading.Thread(target=self._watch, name="watch", daemon=True),
        ]
        for thread in self._threads:
            thread.start()
        self._engine.start()
        pb_utils.Logger.log_info(f"{parameters.replica}: emulated {profile.name}, time scale {parameters.time_scale:g}")

    def execute(self, requests: list[Any]) -> None:
        """Queue each request. Inputs lie in shared memory that is freed when this returns, hence are copied here."""
        for request in requests:
            stream = _Stream(request.get_response_sender())
            try:
                prompt = _text(request, "text_input") or ""
                sampling = parse_sampling(_text(request, "sampling_parameters") or "")
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

    def _submit(self, stream: _Stream, prompt: str, sampling: Sampling) -> None:
        stream.input_tokens = count_tokens(prompt)
        if not stream.input_tokens:
            raise BadInput("text_input: it holds no word: send at least one")
        stream.request_id = self._engine.submit(
            stream.input_tokens,
            lambda: answer(prompt, sampling),
            lambda event: self._outbox.put((stream, event)),
            max_tokens=sampling.max_tokens,
            priority=sampling.priority,
        )
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
                self._look_for_cancelled()
                if rounds % rounds_between == 0:
                    self._publisher.publish(readings(self._engine.read_metrics()))
            except Exception as error:  # noqa: BLE001  a failed look must not be the last one
                pb_utils.Logger.log_error(f"watch: {type(error).__name__}: {error}")

    def _look_for_cancelled(self) -> None:
        for stream in list(self._streams):
            if stream.is_over:
                self._streams.discard(stream)
            elif stream.is_cancelled():
                self._engine.cancel(stream.request_id)


class _Stream:
    """One request's way back to its client.

    After the final response the sender must not be asked anything, hence the lock between the two threads that use it.
    """

    def __init__(self, sender: Any) -> None:
        self._sender = sender
        self._lock = threading.Lock()
        self.input_tokens = 0
        self.request_id = ""
        self.is_over = False

    def is_cancelled(self) -> bool:
        with self._lock:
            return not self.is_over and bool(self._sender.is_cancelled())

    def send(self, event: Event) -> None:
        match event:
            case Token(text, _, None):
                self._sender.send(pb_utils.InferenceResponse([_string("text_output", text)]))
            case Token(text, output_tokens, reason):
                tensors = [
                    _string("text_output", text),
                    _string("finish_reason", str(reason)),
                    pb_utils.Tensor("num_input_tokens", np.array([self.input_tokens], dtype=np.uint32)),
                    pb_utils.Tensor("num_output_tokens", np.array([output_tokens], dtype=np.uint32)),
                ]
                self._end(pb_utils.InferenceResponse(tensors))
            case Ended(None):
                self._end()
            case Ended(error):
                pb_utils.Logger.log_error(f"stream {self.request_id}: {error}")
                self.fail(str(error))

    def fail(self, message: str) -> None:
        self._end(pb_utils.InferenceResponse(error=pb_utils.TritonError(message)))

    def _end(self, *last: Any) -> None:
        with self._lock:
            self.is_over = True
            self._sender.send(*last, flags=_FINAL)


class _Publisher:
    """Carries readings into Triton's custom metrics. Its counters only take increments, so the last value is kept."""

    def __init__(self, model_name: str) -> None:
        self._model_name = model_name
        self._families: dict[str, Any] = {}
        self._metrics: dict[tuple[str, tuple[tuple[str, str], ...]], Any] = {}
        self._published: dict[tuple[str, tuple[tuple[str, str], ...]], float] = {}

    def publish(self, current: list[Reading]) -> None:
        for reading in current:
            key = reading.name, reading.labels
            before = self._published.get(key, 0.0)
            metric = self._metrics.get(key) or self._create(reading)
            if reading.value != before and reading.kind == "gauge":
                metric.set(reading.value)
            elif reading.value != before:
                metric.increment(reading.value - before)
            self._published[key] = reading.value

    def _create(self, reading: Reading) -> Any:
        family = self._families.get(reading.name)
        if family is None:
            kind = pb_utils.MetricFamily.GAUGE if reading.kind == "gauge" else pb_utils.MetricFamily.COUNTER
            description = f"{reading.name} of the engine behind this model"
            family = pb_utils.MetricFamily(name=reading.name, description=description, kind=kind)
            self._families[reading.name] = family
        metric = family.Metric(labels={"model_name": self._model_name, **dict(reading.labels)})
        self._metrics[reading.name, reading.labels] = metric
        return metric


def _text(request: Any, name: str) -> str | None:
    tensor = pb_utils.get_input_tensor_by_name(request, name)
    if tensor is None:
        return None
    values = tensor.as_numpy().reshape(-1)
    if len(values) != 1:
        raise BadInput(f"{name}: {len(values)} strings: send one")
    try:
        return bytes(values[0]).decode()
    except UnicodeDecodeError as error:
        raise BadInput(f"{name}: not UTF-8 ({error.reason}): send UTF-8") from error


def _string(name: str, text: str) -> Any:
    return pb_utils.Tensor(name, np.array([text.encode()], dtype=object))
