"""A Triton server as the gateway sees it: real gRPC on loopback, the model `llm` replaced by scripts.

What a prompt gets is written in the prompt itself, word by word, so that a test reads as one line:
`w5` five tokens; `forever` tokens until released, one each 20 ms; `pause` a wait until `release()`; `die` the whole
server goes (as after kill -9); `crash` a status UNAVAILABLE; `stub` the model's error for a dead stub; `hang` silence;
`bad` the model refuses; `eof` the stream ends; `junk` an unreadable response; `slow` 50 ms; `poison` the engine dies:
this stream stays silent, later ones get the error for a dead stub. Anything else is answered like `w3`. The replica's
`script` is played before the prompt's. A resumed request plays the rest of its prompt: what happened up to its
position, a fault there included, is passed over.
"""

from __future__ import annotations

import asyncio
import json
import re
import struct
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import grpc.aio
from tritonclient.grpc import service_pb2, service_pb2_grpc

from serving.engine.inference import PROBE_PROMPT

STUB_ERROR = "Stub process 'llm_0_0' is not healthy."


class FakeTriton(service_pb2_grpc.GRPCInferenceServiceServicer):
    """Start it, point a replica at `address`, look at `prompts`, `samplings` and `cancelled` afterwards."""

    def __init__(self, script: str = "") -> None:
        self.script = script
        self.probe_script = ""
        self.prompts: list[str] = []
        self.samplings: list[str] = []
        self.resumed: list[int] = []
        self.probes = 0
        self.cancelled = 0
        self.ended = 0
        self.port = 0
        self.poisoned = False
        self._released = asyncio.Event()
        self._thawed = asyncio.Event()
        self._thawed.set()
        self._server: Any = None
        self._deaths: set[asyncio.Task[None]] = set()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Listen on a free port; after a death, on the same one again."""
        self._server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(self, self._server)
        self.port = self._server.add_insecure_port(self.address)
        await self._server.start()

    async def stop(self) -> None:
        await self._server.stop(None)

    async def kill(self) -> None:
        """As kill -9: every connection is cut."""
        await self._server.stop(None)

    def freeze(self) -> None:
        """As SIGSTOP: nothing more is sent, calls stay open."""
        self._thawed.clear()

    def thaw(self) -> None:
        self._thawed.set()

    def release(self) -> None:
        """Let everything that waits at `pause` go on."""
        self._released.set()

    async def ModelStreamInfer(self, requests: Any, context: Any) -> AsyncIterator[Any]:  # noqa: N802
        async for request in requests:
            prompt, sampling = (raw[4:].decode() for raw in request.raw_input_contents)
            sent = json.loads(sampling).get("resume", {}).get("output_tokens", 0)
            script = self._script_of(prompt, sampling, sent)
            try:
                async for response in self._play(script, prompt, sent, context):
                    await self._thawed.wait()
                    yield response
            except asyncio.CancelledError:
                self.cancelled += 1
                raise
        self.ended += 1

    def _script_of(self, prompt: str, sampling: str, sent: int) -> str:
        if self.poisoned:
            return "stub"
        if prompt == PROBE_PROMPT:
            self.probes += 1
            return self.probe_script or "w1"
        self.prompts.append(prompt)
        self.samplings.append(sampling)
        if sent:
            self.resumed.append(sent)
        return f"{self.script} {left_of(prompt if _makes_tokens(f'{self.script} {prompt}') else f'{prompt} w3', sent)}"

    async def _play(self, script: str, prompt: str, sent: int, context: Any) -> AsyncIterator[Any]:
        produced = sent
        steps: dict[str, Callable[[], Any]] = {
            "pause": self._released.wait,
            "slow": lambda: asyncio.sleep(0.05),
            "hang": lambda: asyncio.sleep(3600),
            "die": self._die,
            "poison": self._be_poisoned,
            "crash": lambda: context.abort(grpc.StatusCode.UNAVAILABLE, "Socket closed"),
        }
        for word in script.split():
            if word in steps:
                await steps[word]()
            elif re.fullmatch(r"w\d+", word):
                for _ in range(int(word[1:])):
                    yield response_of(token_text(produced))
                    produced += 1
            elif word == "forever":
                while not self._released.is_set():
                    yield response_of(token_text(produced))
                    produced += 1
                    await asyncio.sleep(0.02)
            elif word == "eof":
                return
            elif word in _ERRORS:
                yield service_pb2.ModelStreamInferResponse(error_message=_ERRORS[word])
                return
            elif word == "junk":
                yield response_of("", raw=b"\xff\xff\xff\xff")
        yield final_response(len(prompt.split()), produced)

    async def _be_poisoned(self) -> None:
        self.poisoned = True
        await asyncio.sleep(3600)

    async def _die(self) -> None:
        """Cut every connection. In a task of its own: this coroutine is one of those that are cut."""
        self._deaths.add(asyncio.create_task(self._server.stop(None)))
        await asyncio.sleep(3600)


def _makes_tokens(script: str) -> bool:
    return any(re.fullmatch(r"w\d+|forever", word) for word in script.split())


def left_of(prompt: str, sent: int) -> str:
    """The script of `prompt` after its first `sent` tokens, without the faults that came before the next one."""
    words = prompt.split()
    if not sent:
        return prompt
    position = 0
    while position < sent:
        word = words.pop(0)
        if word == "forever":
            return " ".join([word, *words])
        count = int(word[1:]) if re.fullmatch(r"w\d+", word) else 0
        if position + count > sent:
            return " ".join([f"w{position + count - sent}", *words])
        position += count
    until_next = next((n for n, word in enumerate(words) if re.fullmatch(r"w\d+|forever", word)), len(words))
    happened = next((n + 1 for n in range(until_next) if words[n] in _FAULTS), 0)
    return " ".join(words[happened:])


_FAULTS = {"die", "crash", "stub", "eof", "junk", "hang"}
_ERRORS = {"stub": STUB_ERROR, "bad": "INVALID_ARG: sampling_parameters: max_tokens is 0"}


def token_text(position: int) -> str:
    """Also holds what JSON and SSE must escape."""
    words = ("Hällo", ' "quoted"', " line\nbreak", " \\", " ✓", " data:")
    return words[position % len(words)]


def text_of(count: int) -> str:
    return "".join(token_text(position) for position in range(count))


def packed(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<I", len(data)) + data


def response_of(text: str, *, raw: bytes | None = None) -> Any:
    message = service_pb2.ModelStreamInferResponse()
    message.infer_response.outputs.add(name="text_output", datatype="BYTES", shape=[1])
    message.infer_response.raw_output_contents.append(packed(text) if raw is None else raw)
    return message


def final_response(input_tokens: int, output_tokens: int, *, reason: str = "length", text: str = "") -> Any:
    message = response_of(text)
    extra = {
        "finish_reason": ("BYTES", packed(reason)),
        "num_input_tokens": ("UINT32", struct.pack("<I", input_tokens)),
        "num_output_tokens": ("UINT32", struct.pack("<I", output_tokens)),
    }
    for name, (kind, raw) in extra.items():
        message.infer_response.outputs.add(name=name, datatype=kind, shape=[1])
        message.infer_response.raw_output_contents.append(raw)
    return message
