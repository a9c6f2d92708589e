"""An OpenAI-compatible worker without a model, one process: `python stub_worker.py --port P --delay-ms 10`.

Its answer is a pure function of the prompt up to the mark `MARK`; what follows the mark is taken for tokens sent
before, and the answer goes on after them. So a stream resumed elsewhere can be checked byte for byte. Raw asyncio:
the same worker stands behind every gateway that is measured, and it must not be what is measured.
"""

from __future__ import annotations

import argparse
import asyncio
import json

from serving.engine.tokens import Voice

MARK = "\nAnswer:"
DEFAULT_MAX_TOKENS = 16


class Generation:
    """What one request still wants: pieces from `first` on, up to `last`."""

    def __init__(self, body):
        prompt = body["prompt"] if "prompt" in body else render(body["messages"])
        original, _, sent = prompt.partition(MARK)
        self.voice = Voice(original + MARK)
        self.prompt_tokens = len(prompt.split())
        self.position = self.first = len(sent.split())
        self.last = self.first + body.get("max_tokens", DEFAULT_MAX_TOKENS)
        self.usage = bool((body.get("stream_options") or {}).get("include_usage"))
        self.chat = "messages" in body

    def next(self):
        """The event of the next token."""
        text = self.voice.token(self.position)
        self.position += 1
        return self.event(text, None)

    def ending(self):
        totals = {"prompt_tokens": self.prompt_tokens, "completion_tokens": self.position - self.first}
        end = [self.event("", "length")]
        if self.usage:
            end.append(sse({"id": "cmpl-1", "object": "text_completion", "choices": [], "usage": totals}))
        return b"".join([*end, b"data: [DONE]\n\n"])

    def event(self, text, reason):
        content = {"delta": {"content": text}} if self.chat else {"text": text}
        choice = {"index": 0, **content, "logprobs": None, "finish_reason": reason}
        return sse({"id": "cmpl-1", "object": "text_completion", "created": 1, "model": "llm", "choices": [choice]})


def render(messages):
    """A chat whose assistant message is to be continued: its text follows the mark."""
    return MARK.join(message["content"] for message in messages)


def sse(data):
    return b"data: " + json.dumps(data, separators=(",", ":")).encode() + b"\n\n"


class Connection(asyncio.Protocol):
    """One kept-alive HTTP/1.1 connection, a request at a time."""

    def __init__(self, engine):
        self.engine = engine
        self.received = b""
        self.transport = None

    def connection_made(self, transport):
        self.transport = transport

    def connection_lost(self, _):
        self.engine.leave(self)

    def data_received(self, data):
        self.received += data
        head, found, rest = self.received.partition(b"\r\n\r\n")
        if not found:
            return
        length = next(
            (int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0
        )
        if len(rest) < length:
            return
        self.received = rest[length:]
        method, path, _ = head.split(b" ", 2)
        if method == b"POST" and path.endswith(b"/completions"):
            self.transport.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
            )
            self.engine.enter(self, Generation(json.loads(rest[:length])))
        else:
            self.answer(path)

    def answer(self, path):
        pages = {b"/health": {}, b"/v1/models": {"object": "list", "data": [{"id": "llm", "object": "model"}]}}
        status = b"200 OK" if path in pages else b"404 Not Found"
        body = json.dumps(pages.get(path, {})).encode()
        head = b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (status, len(body))
        self.transport.write(head + body)

    def chunk(self, data, *, end=False):
        self.transport.write(b"%x\r\n%b\r\n%b" % (len(data), data, b"0\r\n\r\n" if end else b""))


class Engine:
    """One token for every running request each `delay_s`, as a batch step gives; the first at the next step."""

    def __init__(self, delay_s):
        self.delay_s = delay_s
        self.running = {}
        self.work = asyncio.Event()

    def enter(self, connection, generation):
        self.running[connection] = generation
        self.work.set()

    def leave(self, connection):
        self.running.pop(connection, None)

    async def run(self):
        while True:
            await self.work.wait()
            self.step()
            if not self.running:
                self.work.clear()
            await asyncio.sleep(self.delay_s)

    def step(self):
        for connection, generation in list(self.running.items()):
            if generation.position < generation.last:
                connection.chunk(generation.next())
            else:
                self.leave(connection)
                connection.chunk(generation.ending(), end=True)


async def serve(port, delay_s):
    engine = Engine(delay_s)
    await asyncio.get_running_loop().create_server(lambda: Connection(engine), "127.0.0.1", port)
    await engine.run()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--delay-ms", type=float, default=10.0)
    options = parser.parse_args()
    asyncio.run(serve(options.port, options.delay_ms / 1000))
