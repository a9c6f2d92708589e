"""What a replica may send that makes no sense: its failure, and nobody else's."""

from __future__ import annotations

import grpc
import grpc.aio
import pytest
from tritonclient.grpc import service_pb2

from serving.gateway.backend import ReplicaChannel
from serving.gateway.errors import ReplicaFailed
from serving.gateway.prober import probe_job
from serving.gateway.wire import decode_response


def test_contents_without_a_tensor_are_a_malformed_response():
    message = service_pb2.ModelStreamInferResponse()
    message.infer_response.raw_output_contents.append(b"abc")
    with pytest.raises(ReplicaFailed, match="malformed"):
        decode_response(message)


async def test_bytes_of_another_protocol_are_the_replica_s_failure():
    async def nonsense(request, context):
        yield b"\xff\xff\xff"

    method = grpc.unary_stream_rpc_method_handler(nonsense)
    server = grpc.aio.server()
    handlers = {"ModelStreamInfer": method}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("inference.GRPCInferenceService", handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    channel = ReplicaChannel(f"127.0.0.1:{port}")
    stream = channel.start(probe_job("llm"))
    with pytest.raises(ReplicaFailed, match="malformed"):
        await stream.read(5.0)
    stream.cancel()
    await channel.close()
    await server.stop(None)
