"""How a client speaks to the model `llm`: its input tensors, the gRPC channel's settings, and a probe by real
inference.

The gateway and the supervisor share this module, so that both call a replica healthy for the same reason. Read a stream
to its end even after `finish_reason`: breaking off cancels the call, and server 2.51 now and then loses track of a
cancelled one (upstream server 7368, 8078), which then delays its shutdown until `--exit-timeout-secs`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

from serving.errors import ServingError

MODEL_NAME = "llm"
PROBE_PROMPT = "are you there"
CHANNEL_OPTIONS: tuple[tuple[str, int], ...] = (
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.use_local_subchannel_pool", 1),  # a restarted replica must not wait out another channel's back-off
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.max_receive_message_length", 16 * 1024 * 1024),
    ("grpc.max_send_message_length", 16 * 1024 * 1024),
)


class ProbeFailed(ServingError):  # noqa: N818  (reads as a sentence)
    """A replica did not answer a tiny inference correctly in time."""

    exit_code = 1


def build_inputs(prompt: str, sampling: Mapping[str, Any] | None = None) -> list[Any]:
    """The request's `tritonclient.grpc.InferInput` list; `sampling` keys are listed in docs/contracts.md."""
    inputs = [_string_input("text_input", prompt)]
    if sampling:
        inputs.append(_string_input("sampling_parameters", json.dumps(dict(sampling))))
    return inputs


def _string_input(name: str, text: str) -> Any:
    import numpy as np
    from tritonclient.grpc import InferInput

    tensor = InferInput(name, [1], "BYTES")
    tensor.set_data_from_numpy(np.array([text.encode()], dtype=object))
    return tensor


def open_client(grpc_address: str) -> Any:
    """A `tritonclient.grpc.aio.InferenceServerClient` with short reconnect back-off.

    Needs a running event loop; close it.
    """
    from tritonclient.grpc.aio import InferenceServerClient

    return InferenceServerClient(grpc_address, channel_args=list(CHANNEL_OPTIONS))


async def probe(grpc_address: str, timeout_s: float) -> None:
    """Generate one token on the replica.

    Raises ProbeFailed when it errs, answers nothing, or takes over `timeout_s`.
    """
    client = open_client(grpc_address)
    try:
        async with asyncio.timeout(timeout_s):
            text = await _first_text(client)
    except TimeoutError as error:
        raise ProbeFailed(f"{grpc_address}: no token within {timeout_s:g} s: look at the replica's log") from error
    except Exception as error:
        raise ProbeFailed(f"{grpc_address}: {str(error) or type(error).__name__}: look at the replica's log") from error
    finally:
        await client.close()
    if not text:
        raise ProbeFailed(f"{grpc_address}: the inference ended without a token: look at the replica's log")


async def _first_text(client: Any) -> str:
    async def requests() -> AsyncIterator[dict[str, Any]]:
        yield {
            "model_name": MODEL_NAME,
            "inputs": build_inputs(PROBE_PROMPT, {"max_tokens": 1, "ignore_eos": True, "priority": -1}),
        }

    text = ""
    async for result, error in client.stream_infer(requests()):
        if error is not None:
            raise error
        text += result.as_numpy("text_output")[0].decode()
    return text
