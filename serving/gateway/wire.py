"""The model `llm` on the wire: protobuf messages to and from our own types.

Tensors are packed and parsed by hand: with one message a token, tritonclient's detour over numpy would be dear.
"""

from __future__ import annotations

import json
import struct
from typing import Any

from tritonclient.grpc import service_pb2

from serving.gateway.errors import DeadlinePassed, JobRefused, ReplicaFailed
from serving.gateway.model import Finish, Job, Piece, Resume

_INVALID = "INVALID_ARG:"
_TOO_LATE = "DEADLINE_EXCEEDED:"


def encode_request(job: Job, resume: Resume | None = None) -> Any:
    """The ModelInferRequest of `job`, or of what is left of it after `resume`."""
    request = service_pb2.ModelInferRequest(model_name=job.model, id=job.request_id)
    sampling = json.dumps(sampling_of(job, resume))
    for name, text in (("text_input", job.prompt), ("sampling_parameters", sampling)):
        request.inputs.add(name=name, datatype="BYTES", shape=[1])
        request.raw_input_contents.append(_pack(text))
    return request


def sampling_of(job: Job, resume: Resume | None = None) -> dict[str, Any]:
    """The model's `sampling_parameters` for `job`, or for what is left of it."""
    sampling = dict(job.sampling)
    if resume is not None:
        sampling["priority"] = job.priority - 1  # its client waits in mid-answer: ahead of those that have nothing yet
        sampling["resume"] = {"output_tokens": resume.output_tokens, "text": resume.text}
        if resume.token_ids:
            sampling["resume"]["token_ids"] = list(resume.token_ids)
    return sampling


def _pack(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<I", len(data)) + data


def decode_response(message: Any) -> Piece:
    """One ModelStreamInferResponse.

    Raises JobRefused, DeadlinePassed or ReplicaFailed when it carries an error or makes no sense.
    """
    if message.error_message:
        raise failure_of(message.error_message)
    response = message.infer_response
    raw = response.raw_output_contents
    try:
        if len(raw) == 1 and response.outputs[0].name == "text_output":
            return Piece(_unpack(raw[0]), None)
        return _decode_tensors({output.name: data for output, data in zip(response.outputs, raw, strict=True)})
    except (ValueError, LookupError, struct.error) as error:
        raise ReplicaFailed("error", f"malformed response: {error!r}") from error


def _decode_tensors(tensors: dict[str, bytes]) -> Piece:
    text = _unpack(tensors["text_output"]) if "text_output" in tensors else ""
    ids = tensors.get("token_ids", b"")
    token_ids = struct.unpack(f"<{len(ids) // 4}i", ids)
    if "finish_reason" not in tensors:
        return Piece(text, None, token_ids, len(token_ids) or 1)
    finish = Finish(
        _unpack(tensors["finish_reason"]),
        struct.unpack("<I", tensors["num_input_tokens"])[0],
        struct.unpack("<I", tensors["num_output_tokens"])[0],
    )
    return Piece(text, finish, token_ids, len(token_ids) or int(bool(text)))


def _unpack(data: bytes) -> str:
    if int.from_bytes(data[:4], "little") != len(data) - 4:
        raise ValueError(f"string tensor of {len(data)} bytes has a wrong length prefix")
    return data[4:].decode()


def failure_of(text: str) -> JobRefused | DeadlinePassed | ReplicaFailed:
    """What an error text from the model means: the job is bad, it came too late, or the replica is bad."""
    if text.startswith(_TOO_LATE):
        return DeadlinePassed(text.removeprefix(_TOO_LATE).strip())
    if text.startswith(_INVALID):
        return JobRefused(text.removeprefix(_INVALID).strip())
    return ReplicaFailed("error", text)
