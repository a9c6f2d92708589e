"""One OpenAI-compatible replica (such as `vllm serve`): the same channel and stream as Triton's, over HTTP.

The gateway always streams from it. A generation goes on from its text: completions send prompt + text, chats vLLM's
`continue_final_message`; the replica tokenizes that text anew, and a template that strips messages drops its last
spaces, so only `continuation` is certain, not `exact`. The replica has to serve the model under the gateway's name.
"""

from __future__ import annotations

import asyncio
import json
import math
from typing import Any

import aiohttp

from serving.gateway.errors import JobRefused, ReplicaFailed
from serving.gateway.model import Finish, Job, Piece, Resume
from serving.gateway.openai_chunks import ChunkReader, error_text

_CONNECT_TIMEOUT_S = 2.0
_KEEPALIVE_S = 2.0  # shorter than uvicorn's 5 s: the server must not be the one that closes an idle connection
_END_TIMEOUT_S = 1.0
_MAX_ERROR_BYTES = 64 * 1024
_JOBS_FAULT = frozenset({400, 413, 422})  # the rest of 4xx (key, path, rate) is between this gateway and that replica
_PASSED = ("stop", "seed", "temperature", "top_p", "presence_penalty", "frequency_penalty", "ignore_eos")


class OpenAIChannel:
    """The connections to one replica. Create it inside a running event loop; close it.

    `url` is the server's root, with or without `/v1`.
    """

    def __init__(self, url: str) -> None:
        root = url.rstrip("/").removesuffix("/v1")
        self._completions = f"{root}/v1/completions"
        self._chats = f"{root}/v1/chat/completions"
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEPALIVE_S),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_TIMEOUT_S),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={
                "Content-Type": "application/json",
                "Accept": "text/event-stream",
                "Accept-Encoding": "identity",
            },
        )

    def start(self, job: Job, resume: Resume | None = None) -> OpenAIStream | ToldStream:
        """Send the job. Failures, also to connect, show at the first read."""
        if resume is not None and resume.output_tokens >= job.max_tokens:
            return ToldStream(job, resume)
        given = resume if resume is not None and resume.text else None
        url = self._chats if job.messages else self._completions
        return OpenAIStream(self._session, url, job, given)

    async def close(self) -> None:
        await self._session.close()


class ToldStream:
    """A generation whose replica died between the last token and its finish reason: nothing is left to compute."""

    def __init__(self, job: Job, resume: Resume) -> None:
        self._last = Piece("", Finish("length", job.prompt_tokens_estimate, resume.output_tokens), (), 0)

    async def read(self, timeout_s: float) -> Piece:
        return self._last

    async def finish(self) -> None:
        """Nothing runs anywhere."""

    def cancel(self) -> None:
        """Nothing runs anywhere."""


class OpenAIStream:
    """The answer to one job, piece by piece. The request is on its way from the start, read or not."""

    def __init__(self, session: aiohttp.ClientSession, url: str, job: Job, resume: Resume | None) -> None:
        self._session = session
        self._url = url
        self._reader = ChunkReader(job, resume)
        self._body = json.dumps(request_body(job, resume)).encode()
        self._headers = _headers(job)
        self._response: aiohttp.ClientResponse | None = None
        self._opening = asyncio.create_task(self._open(), name=f"open {job.request_id}")
        self._opening.add_done_callback(_retrieve)

    async def read(self, timeout_s: float) -> Piece:
        """The next piece. Raises JobRefused or ReplicaFailed (also when late); then the stream is over.

        An infinite `timeout_s` costs no timer, and there is one wait a token.
        """
        reader = self._reader
        if not reader.pieces and reader.failure is None:
            if timeout_s == math.inf:
                await self._fill()
            else:
                await self._fill_within(timeout_s)
        if reader.pieces:
            return reader.pieces.popleft()
        raise reader.failure or ReplicaFailed("error", "read after the end of the stream")

    async def finish(self) -> None:
        """Read the body's end, so that the connection serves again and the server sees no disconnect."""
        try:
            async with asyncio.timeout(_END_TIMEOUT_S):
                content = (await self._opening).content
                while await content.readany():
                    pass
        except (TimeoutError, aiohttp.ClientError, OSError, JobRefused, ReplicaFailed):
            return  # every token is here; how the stream closes no longer matters
        finally:
            self.cancel()

    def cancel(self) -> None:
        """Close the connection, which ends the work on the replica; no effect on an ended stream."""
        self._opening.cancel()
        if self._response is not None:
            self._response.close()

    async def _fill_within(self, timeout_s: float) -> None:
        try:
            async with asyncio.timeout(timeout_s):
                await self._fill()
        except TimeoutError as error:
            raise ReplicaFailed("timeout", f"no token within {timeout_s:g} s") from error

    async def _fill(self) -> None:
        """Read until there is a piece or a failure."""
        reader = self._reader
        try:
            content = (self._response or await self._opening).content
            while not reader.pieces and reader.failure is None:
                data = await content.readany()
                if data:
                    reader.feed(data)
                else:
                    reader.end()
                    break
        except (aiohttp.ClientError, OSError) as error:
            if not reader.cut():
                raise _lost(error) from error

    async def _open(self) -> aiohttp.ClientResponse:
        try:
            response = await self._post()
        except aiohttp.ServerDisconnectedError:
            # the server may have closed the idle connection just now: a new one tells whether it is there
            response = await self._retry()
        except (aiohttp.ClientError, OSError) as error:
            raise _lost(error) from error
        if response.status != 200:
            raise await _refusal(response)
        self._response = response
        return response

    async def _retry(self) -> aiohttp.ClientResponse:
        try:
            return await self._post()
        except (aiohttp.ClientError, OSError) as error:
            raise _lost(error) from error

    async def _post(self) -> aiohttp.ClientResponse:
        return await self._session.post(self._url, data=self._body, headers=self._headers, allow_redirects=False)


def request_body(job: Job, resume: Resume | None) -> dict[str, Any]:
    """What the replica is asked. `priority` and `deadline_at` stay here: vLLM refuses the first unless configured."""
    sent = resume.output_tokens if resume else 0
    body: dict[str, Any] = {
        "model": job.model,
        "max_tokens": job.max_tokens - sent,
        "stream": True,
        "stream_options": {"include_usage": True, "continuous_usage_stats": True},
    }
    body |= {name: job.sampling[name] for name in _PASSED if job.sampling.get(name) is not None}
    text = resume.text if resume else ""
    if not job.messages:
        return body | {"prompt": job.prompt + text}
    messages: list[Any] = [dict(message) for message in job.messages]
    if not text:
        return body | {"messages": messages}
    messages.append({"role": "assistant", "content": text})
    return body | {"messages": messages, "continue_final_message": True, "add_generation_prompt": False}


def _headers(job: Job) -> dict[str, str]:
    headers = {"X-Request-Id": job.request_id}
    if job.traceparent is not None:
        headers["traceparent"] = job.traceparent
    return headers


async def _refusal(response: aiohttp.ClientResponse) -> JobRefused | ReplicaFailed:
    """What a status other than 200 means: the job is bad, or the replica is."""
    raw = await _start_of(response)
    try:
        text = error_text(json.loads(raw))
    except ValueError:
        text = error_text(raw.decode(errors="replace"))
    if response.status in _JOBS_FAULT:
        return JobRefused(text)
    return ReplicaFailed("error", f"HTTP {response.status}: {text}")


async def _start_of(response: aiohttp.ClientResponse) -> bytes:
    """The body's beginning; a longer or broken one costs its connection."""
    raw = b""
    try:
        while len(raw) < _MAX_ERROR_BYTES and (data := await response.content.readany()):
            raw += data
    except (aiohttp.ClientError, OSError):
        return raw  # the status alone decides
    finally:
        response.close()
    return raw


def _lost(error: Exception) -> ReplicaFailed:
    return ReplicaFailed("connect", f"{type(error).__name__}: {' '.join(str(error).split())}"[:300])


def _retrieve(task: asyncio.Task[aiohttp.ClientResponse]) -> None:
    """Look at the result, so that a request nobody read any more leaves no warning."""
    if not task.cancelled():
        task.exception()
