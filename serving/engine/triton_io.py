"""The pieces of a Triton model that are the same whatever engine runs in it: streams, metrics, tensors.

Only for use inside Triton's Python stub. Every call into Triton (send, is_cancelled, increment) is a round trip to the
server process.
"""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils

from serving.engine.events import Ended, Event, Token
from serving.engine.metrics import Reading
from serving.errors import BadInput

_FINAL = pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL


class Stream:
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
                self._sender.send(pb_utils.InferenceResponse([string_tensor("text_output", text)]))
            case Token(text, output_tokens, reason):
                tensors = [
                    string_tensor("text_output", text),
                    string_tensor("finish_reason", str(reason)),
                    pb_utils.Tensor("num_input_tokens", np.array([self.input_tokens], dtype=np.uint32)),
                    pb_utils.Tensor("num_output_tokens", np.array([output_tokens], dtype=np.uint32)),
                ]
                self._end(pb_utils.InferenceResponse(tensors))
            case Ended(None):
                self._end()
            case Ended(error):
                if not str(error).startswith("DEADLINE_EXCEEDED"):
                    pb_utils.Logger.log_error(f"stream {self.request_id}: {error}")
                self.fail(str(error))

    def fail(self, message: str) -> None:
        self._end(pb_utils.InferenceResponse(error=pb_utils.TritonError(message)))

    def _end(self, *last: Any) -> None:
        with self._lock:
            self.is_over = True
            self._sender.send(*last, flags=_FINAL)


class Publisher:
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


def read_text(request: Any, name: str) -> str | None:
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


def string_tensor(name: str, text: str) -> Any:
    return pb_utils.Tensor(name, np.array([text.encode()], dtype=object))
