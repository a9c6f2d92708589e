"""One answer from vLLM's AsyncLLM: prompt and resumed ids in, text and ids out. Runs in vLLM's environment alone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from vllm import SamplingParams
from vllm.engine.arg_utils import AsyncEngineArgs
from vllm.exceptions import VLLMClientError
from vllm.sampling_params import RequestOutputKind
from vllm.v1.engine.async_llm import AsyncLLM
from vllm.v1.engine.detokenizer import IncrementalDetokenizer

from serving.engine.vllm.capacity import read_model, require_fits
from serving.engine.vllm.config import VllmConfig
from serving.engine.vllm.decoding import AnswerText
from serving.engine.vllm.protocol import TOKENS
from serving.engine.vllm.stats import Stats, logger_factory
from serving.errors import BadInput

_DEFAULTS = {"temperature": 1.0, "top_p": 1.0, "presence_penalty": 0.0, "frequency_penalty": 0.0}
Message = tuple[Any, ...]


class EngineFault(Exception):  # noqa: N818  (reads as a sentence)
    """vLLM ended this request by itself."""


def start_engine(config: VllmConfig, end_phase: Callable[[str], None]) -> tuple[Any, Stats]:
    """vLLM's engine and its statistics. Raises BadInput when the model does not fit into the GPU."""
    if config.device == "cuda":
        import torch

        memory_bytes = int(torch.cuda.get_device_properties(0).total_memory)
        require_fits(read_model(Path(str(config.model)), config), config, memory_bytes=memory_bytes)
    arguments = AsyncEngineArgs(**config.engine_arguments())
    resolved = arguments.create_engine_config()
    end_phase("configure")
    stats = Stats()
    engine = AsyncLLM.from_vllm_config(resolved, stat_loggers=[logger_factory(stats)], disable_log_stats=True)
    end_phase("load")
    return engine, stats


class Generator:
    """Answers requests with `engine`."""

    def __init__(self, engine: Any) -> None:
        self._engine = engine
        self._tokenizer = engine.renderer.tokenizer
        self._max_length = int(engine.model_config.max_model_len)
        self._tokenizing = ThreadPoolExecutor(1, "tokenize")  # a tokenizer is not safe to share, and must not block

    @property
    def is_dead(self) -> bool:
        return bool(self._engine.errored)

    @property
    def kv_tokens(self) -> int:
        cache = self._engine.vllm_config.cache_config
        return int(cache.num_gpu_blocks or 0) * int(cache.block_size)

    async def warm_up(self, tokens: int) -> None:
        """One short answer: the first inference is slow, and shows whether the engine answers at all."""
        async for _ in self.answer("warm-up", "are you there", {"max_tokens": tokens, "ignore_eos": True}):
            pass

    async def answer(self, request_id: str, prompt: str, sampling: dict[str, Any]) -> AsyncIterator[Message]:
        """Messages of one request, the last with how it finished.

        Raises BadInput for a request that cannot be served, TimeoutError when its deadline passed unanswered.
        """
        prompt_ids = await self._ids(prompt, add_special_tokens=True)
        resume = sampling.get("resume") or {}
        had = int(resume.get("output_tokens", 0))
        had_ids = await self._resumed_ids(resume, had)
        self._require_room(len(prompt_ids), sampling)
        text = AnswerText(self._step_after(prompt_ids), sampling.get("stop", ()))
        seam = text.resume(had_ids, resume.get("text", ""))
        if reason := self._over_at_seam(seam.is_stopped, had, had_ids, sampling):
            yield (TOKENS, request_id, seam.text + text.finish(), [], [reason, len(prompt_ids), had])
            return
        made, carried = had, seam.text
        async with aclosing(self._outputs(request_id, [*prompt_ids, *had_ids], sampling, had)) as outputs:
            async for ids, reason in outputs:
                delta = text.feed(ids[:-1] if reason == "stop" else ids)
                counted = ids if reason == "stop" and not delta.is_stopped else ids[: delta.tokens]
                made += len(counted)
                piece, carried = carried + delta.text, ""
                if delta.is_stopped:
                    yield (TOKENS, request_id, piece, counted, ["stop", len(prompt_ids), made])
                    return
                if reason is not None:
                    yield (TOKENS, request_id, piece + text.finish(), counted, [reason, len(prompt_ids), made])
                    return
                yield (TOKENS, request_id, piece, counted, None)

    async def _outputs(
        self, request_id: str, ids: list[int], sampling: dict[str, Any], had: int
    ) -> AsyncGenerator[tuple[list[int], str | None], None]:
        """New ids as vLLM makes them, with the reason on the last."""
        params = self._params(sampling, had)
        deadline = sampling.get("deadline_at")
        wait_s = None if deadline is None else max(0.0, deadline - time.time())
        try:
            async with asyncio.timeout(wait_s) as until_first_token:
                stream = self._engine.generate(
                    {"prompt_token_ids": ids}, params, request_id, priority=sampling.get("priority", 0)
                )
                async with aclosing(stream):
                    async for output in stream:
                        until_first_token.reschedule(None)
                        made = output.outputs[0]
                        yield list(made.token_ids), self._reason(made.finish_reason)
        except VLLMClientError as error:
            raise BadInput(f"vLLM: {error}") from error

    @staticmethod
    def _reason(given: str | None) -> str | None:
        if given in {"abort", "error"}:
            raise EngineFault(f"the engine ended the request ({given})")
        return "stop" if given == "repetition" else given

    def _params(self, sampling: dict[str, Any], had: int) -> Any:
        chosen = {key: default if sampling.get(key) is None else sampling[key] for key, default in _DEFAULTS.items()}
        return SamplingParams(
            **chosen,
            seed=sampling.get("seed"),
            ignore_eos=sampling.get("ignore_eos", False),
            max_tokens=sampling["max_tokens"] - had,
            detokenize=False,
            output_kind=RequestOutputKind.DELTA,
        )

    def _require_room(self, prompt_tokens: int, sampling: dict[str, Any]) -> None:
        most = sampling["max_tokens"]
        if prompt_tokens == 0:
            raise BadInput("text_input: it holds no token: send at least one")
        if prompt_tokens + most > self._max_length:
            raise BadInput(
                f"{prompt_tokens} prompt tokens and max_tokens {most} exceed the model's length of {self._max_length}: "
                "shorten one of them"
            )

    def _over_at_seam(self, is_stopped: bool, had: int, had_ids: list[int], sampling: dict[str, Any]) -> str | None:
        """How an answer ended that the client has whole but for its end."""
        eos = getattr(self._tokenizer, "eos_token_id", None)
        if is_stopped or (had_ids and had_ids[-1] == eos and not sampling.get("ignore_eos", False)):
            return "stop"
        return "length" if had >= sampling["max_tokens"] else None

    async def _resumed_ids(self, resume: dict[str, Any], had: int) -> list[int]:
        """The ids the client has; from their text when it was told none, which need not give the same ones."""
        ids = [int(token_id) for token_id in resume.get("token_ids") or ()]
        if not ids and had:
            return await self._ids(resume.get("text", ""), add_special_tokens=False)
        if len(ids) != had:
            raise BadInput(f"resume: {len(ids)} token_ids for output_tokens {had}: send one a token, or none")
        size = int(self._engine.model_config.get_vocab_size())
        if any(not 0 <= token_id < size for token_id in ids):
            raise BadInput(f"resume: token_ids outside the vocabulary of {size}: they are another model's")
        return ids

    async def _ids(self, text: str, *, add_special_tokens: bool) -> list[int]:
        def encode() -> list[int]:
            return list(self._tokenizer.encode(text, add_special_tokens=add_special_tokens))

        return await asyncio.get_running_loop().run_in_executor(self._tokenizing, encode)

    def _step_after(self, prompt_ids: list[int]) -> Callable[[int], str]:
        """vLLM's incremental detokenizer, primed with the prompt: text by token, unfinished characters held back."""
        request = SimpleNamespace(
            request_id="", prompt_token_ids=prompt_ids, prompt_embeds=None, sampling_params=SamplingParams()
        )
        decoder = IncrementalDetokenizer.from_new_request(self._tokenizer, request)

        def step(token_id: int) -> str:
            decoder.update([token_id], False)
            return str(decoder.get_next_output_text(False, True))

        return step
