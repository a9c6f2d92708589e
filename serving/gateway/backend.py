"""One replica over gRPC: a channel that lives as long as the gateway, and one stream a request.

ModelStreamInfer is called as a unary-stream method: the same bytes on the wire as a stream of one request, without
a task to feed it.
"""

from __future__ import annotations

import asyncio
import math
from typing import Any

import grpc
import grpc.aio
from tritonclient.grpc import service_pb2

from serving.engine.inference import CHANNEL_OPTIONS
from serving.gateway.errors import DeadlinePassed, JobRefused, ReplicaFailed
from serving.gateway.model import Job, Piece, Resume
from serving.gateway.wire import decode_response, encode_request, failure_of

_METHOD = "/inference.GRPCInferenceService/ModelStreamInfer"
_OPTIONS = (
    *CHANNEL_OPTIONS,
    ("grpc.enable_retries", 0),  # retries are ours, and counted
    ("grpc.enable_http_proxy", 0),
)
_END_TIMEOUT_S = 1.0


class ReplicaChannel:
    """The connection to one replica. Create it inside a running event loop; close it."""

    def __init__(self, grpc_address: str) -> None:
        self._channel = grpc.aio.insecure_channel(grpc_address, options=_OPTIONS)
        self._infer = self._channel.unary_stream(
            _METHOD,
            request_serializer=service_pb2.ModelInferRequest.SerializeToString,
            response_deserializer=service_pb2.ModelStreamInferResponse.FromString,
        )

    def start(self, job: Job, resume: Resume | None = None) -> TokenStream:
        """Send the job. Failures, also to connect, show at the first read."""
        return TokenStream(self._infer(encode_request(job, resume)))

    async def close(self) -> None:
        await self._channel.close()


class TokenStream:
    """The answer to one job, piece by piece."""

    def __init__(self, call: Any) -> None:
        self._call = call

    async def read(self, timeout_s: float) -> Piece:
        """The next piece; `timeout_s` may be infinite, which is cheaper.

        Raises JobRefused, DeadlinePassed or ReplicaFailed (also when late); then the stream is over.
        """
        try:
            if timeout_s == math.inf:
                message = await self._call.read()
            else:
                async with asyncio.timeout(timeout_s):
                    message = await self._call.read()
        except TimeoutError as error:
            raise ReplicaFailed("timeout", f"no token within {timeout_s:g} s") from error
        except grpc.aio.AioRpcError as error:
            raise _failure_of_status(error) from error
        if message is grpc.aio.EOF:
            raise ReplicaFailed("error", "the stream ended without a finish reason")
        if message is None:  # what gRPC makes of bytes that are no such message
            raise ReplicaFailed("error", "malformed response: not Triton's protocol")
        return decode_response(message)

    async def finish(self) -> None:
        """Let the server close the stream after the final piece, so that it is not taken for a cancelled one."""
        try:
            async with asyncio.timeout(_END_TIMEOUT_S):
                await self._call.read()
        except (TimeoutError, grpc.aio.AioRpcError):
            return  # every token is here; how the stream closes no longer matters
        finally:
            self._call.cancel()

    def cancel(self) -> None:
        """Stop the work on the replica; no effect on an ended stream."""
        self._call.cancel()


def _failure_of_status(error: Any) -> JobRefused | DeadlinePassed | ReplicaFailed:
    details = error.details() or error.code().name
    if error.code() is grpc.StatusCode.UNAVAILABLE:
        return ReplicaFailed("connect", details)
    return failure_of(details)
