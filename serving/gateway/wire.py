"""The model `llm` on the wire: protobuf messages to and from our own types.

Tensors are packed and parsed by hand: with one message a token, tritonclient's detour over numpy would be dear.
"""

from __future__ import annotations

import json
import struct
from typing import Any

from tritonclient.grpc import service_pb2

from serving.gateway.errors import JobRefused, ReplicaFailed
from serving.gateway.model import Finish, Job, Piece

_INVALID = "INVALID_ARG:"


def encode_request(job: Job) -> Any:
    """The ModelInferRequest of `job`."""
    request = service_pb2.ModelInferRequest(model_name=job.model, id=job.request_id)
    for name, text in (("text_input", job.prompt), ("sampling_parameters", json.dumps(dict(job.sampling)))):
        request.inputs.add(name=name, datatype="BYTES", shape=[1])
        request.raw_input_contents.append(_pack(text))
    return request


def _pack(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<I", len(data)) + data


def decode_response(message: Any) -> Piece:
    """One ModelStreamInferResponse. Raises JobRefused or ReplicaFailed when it carries an error or makes no sense."""
    if message.error_message:
        raise failure_of(message.error_message)
    response = message.infer_response
    raw = response.raw_output_contents
    try:
        if len(raw) == 1 and response.outputs[0].name == "text_output":
            return Piece(_unpack(raw[0]), None)
        return _decode_final({output.name: data for output, data in zip(response.outputs, raw, strict=True)})
    except (ValueError, KeyError, struct.error) as error:
        raise ReplicaFailed("error", f"malformed response: {error!r}") from error


def _decode_final(tensors: dict[str, bytes]) -> Piece:
    finish = Finish(
        _unpack(tensors["finish_reason"]),
        struct.unpack("<I", tensors["num_input_tokens"])[0],
        struct.unpack("<I", tensors["num_output_tokens"])[0],
    )
    return Piece(_unpack(tensors["text_output"]) if "text_output" in tensors else "", finish)


def _unpack(data: bytes) -> str:
    if int.from_bytes(data[:4], "little") != len(data) - 4:
        raise ValueError(f"string tensor of {len(data)} bytes has a wrong length prefix")
    return data[4:].decode()


def failure_of(text: str) -> JobRefused | ReplicaFailed:
    """What an error text from the model means: the job is bad, or the replica is."""
    if text.startswith(_INVALID):
        return JobRefused(text.removeprefix(_INVALID).strip())
    return ReplicaFailed("error", text)
