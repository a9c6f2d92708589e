"""OpenAI's request bodies, checked at the edge and turned into jobs.

Fields that would change the answer's shape or meaning and that the model cannot honour are refused. Sampling fields
(`temperature`, `top_p`, penalties) are checked; the vLLM engine gets them, the emulated one has no use for them.
Unknown fields are ignored, as clients send many.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from serving.gateway.config import GatewayConfig
from serving.gateway.errors import ApiError, invalid
from serving.gateway.model import Job, Replay
from serving.gateway.routing import prefix_hashes
from serving.gateway.sse import Api
from serving.gateway.suspects import fingerprint_of
from serving.gateway.tenants import Tenant

_COMPLETION_MAX_TOKENS = 16  # OpenAI's default for /v1/completions
_VLLM_CHARS_PER_TOKEN = 4  # of English text; words alone would let a prompt without blanks pass for one token
_VLLM_SAMPLING = ("temperature", "top_p", "presence_penalty", "frequency_penalty")
_UNSUPPORTED: dict[str, tuple[object, ...]] = {
    "n": (1,),
    "best_of": (1,),
    "echo": (False,),
    "suffix": ("",),
    "logprobs": (False,),
    "top_logprobs": (0,),
    "logit_bias": ({},),
    "tools": ([],),
    "tool_choice": ("none",),
    "functions": ([],),
    "function_call": ("none",),
    "response_format": ({"type": "text"},),
    "modalities": (["text"],),
    "audio": (),
    "prediction": (),
    "prompt_embeds": (),
    "use_beam_search": (False,),
}

Text = Annotated[str, StringConstraints(min_length=1)]
Limit = Annotated[int, Field(ge=1, le=2**31 - 1)]
Penalty = Annotated[float, Field(ge=-2, le=2, allow_inf_nan=False)]


class StreamOptions(BaseModel):
    model_config = ConfigDict(strict=True)

    include_usage: bool | None = None


class _GenerationBody(BaseModel):
    """What both routes share. `extra` is allowed so that unsupported fields can be told apart from unknown ones."""

    model_config = ConfigDict(strict=True, extra="allow")

    model: str
    max_tokens: Limit | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    stop: Text | Annotated[list[Text], Field(max_length=4)] | None = None
    seed: Annotated[int, Field(ge=-(2**63), le=2**63 - 1)] | None = None
    priority: Annotated[int, Field(ge=-(2**31), le=2**31 - 1)] | None = None
    ignore_eos: bool | None = None
    temperature: Annotated[float, Field(ge=0, le=2, allow_inf_nan=False)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] | None = None
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None


class CompletionBody(_GenerationBody):
    prompt: Text | Annotated[list[Text], Field(min_length=1, max_length=1)]

    def text(self) -> str:
        return self.prompt if isinstance(self.prompt, str) else self.prompt[0]

    def limit(self, default: int) -> int:
        return self.max_tokens or _COMPLETION_MAX_TOKENS


class TextPart(BaseModel):
    model_config = ConfigDict(strict=True)

    type: Literal["text"]
    text: str


class Message(BaseModel):
    model_config = ConfigDict(strict=True)

    role: Literal["developer", "system", "user", "assistant", "tool"]
    content: str | list[TextPart]

    def text(self) -> str:
        return self.content if isinstance(self.content, str) else "".join(part.text for part in self.content)


class ChatBody(_GenerationBody):
    messages: Annotated[list[Message], Field(min_length=1)]
    max_completion_tokens: Limit | None = None

    def text(self) -> str:
        return render_chat(self.messages)

    def limit(self, default: int) -> int:
        return self.max_completion_tokens or self.max_tokens or default


@dataclass(frozen=True, slots=True)
class Order:
    """A checked request: the job, and how its answer is to be delivered."""

    api: Api
    job: Job
    stream: bool
    include_usage: bool


def render_chat(messages: list[Message]) -> str:
    """The prompt of a conversation: each message after its role's marker, then the marker that asks for the answer."""
    return "".join(f"<|{message.role}|>\n{message.text()}\n" for message in messages) + "<|assistant|>\n"


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose request it is; `deadline_at` (Unix seconds) and `traceparent` are what its headers said."""

    request_id: str
    tenant: Tenant | None = None
    deadline_at: float | None = None
    traceparent: str | None = None

    def priority(self, asked: int | None) -> int:
        """A tenant's requests may go behind its own priority, not before it."""
        return self.tenant.clamp(asked) if self.tenant else asked or 0


@dataclass(frozen=True, slots=True)
class Rules:
    """What the gateway's configuration says about every request. No prefix is hashed when `block_chars` is None.

    `by_text`: some replica goes on from the text alone, which tokenizes anew, so that no replay is certain to be exact.
    """

    model: str
    default_max_tokens: int
    engine: Literal["emulated", "vllm"] = "emulated"
    block_chars: int | None = None
    continues: bool = True
    by_text: bool = False

    @classmethod
    def of(cls, config: GatewayConfig) -> Self:
        block_chars = config.routing.block_chars if config.routing.affinity else None
        continues = config.failover.unreplayable == "continue"
        return cls(config.model, config.default_max_tokens, config.engine, block_chars, continues)

    def for_openai(self) -> Self:
        """The same with OpenAI-compatible replicas: a real engine's rules, whatever `engine` says of the others."""
        return replace(self, engine="vllm", by_text=True)

    def replay(self, temperature: float | None) -> Replay:
        """The emulated engine and greedy sampling give the same bytes again; OpenAI's default temperature is 1."""
        if not self.by_text and (self.engine == "emulated" or temperature == 0):
            return "exact"
        return "continuation" if self.continues else "off"

    def prompt_tokens(self, prompt: str) -> int:
        """Estimated; exact for the emulated engine, whose tokens are words."""
        words = len(prompt.split())
        return words if self.engine == "emulated" else max(words, len(prompt) // _VLLM_CHARS_PER_TOKEN)


def parse_order(raw: bytes, *, api: Api, caller: Caller, rules: Rules) -> Order:
    """Check a request body. Raises ApiError, shaped as OpenAI's own refusals."""
    body: CompletionBody | ChatBody
    try:
        body = ChatBody.model_validate_json(raw) if api == "chat" else CompletionBody.model_validate_json(raw)
    except ValidationError as error:
        raise _refusal(error) from error
    _refuse_unsupported(body.model_extra or {})
    if body.model != rules.model:
        message = f"The model {body.model!r} does not exist: this gateway serves {rules.model!r}"
        raise invalid(message, param="model", code="model_not_found", status=404)
    if body.stream_options is not None and not body.stream:
        raise invalid("stream_options is only allowed when stream is true", param="stream_options")
    include_usage = body.stream_options is not None and bool(body.stream_options.include_usage)
    return Order(api, _job(body, caller, rules), stream=bool(body.stream), include_usage=include_usage)


def _job(body: CompletionBody | ChatBody, caller: Caller, rules: Rules) -> Job:
    prompt = body.text()
    max_tokens = body.limit(rules.default_max_tokens)
    return Job(
        caller.request_id,
        rules.model,
        prompt,
        _sampling(body, caller, rules, max_tokens),
        max_tokens,
        rules.prompt_tokens(prompt),
        messages=tuple(_plain(message) for message in body.messages) if isinstance(body, ChatBody) else (),
        priority=caller.priority(body.priority),
        tenant=caller.tenant.name if caller.tenant else "",
        deadline_at=caller.deadline_at,
        prefix=() if rules.block_chars is None else prefix_hashes(prompt, rules.block_chars),
        replay=rules.replay(body.temperature),
        traceparent=caller.traceparent,
        fingerprint=fingerprint_of(prompt),
    )


def _sampling(body: CompletionBody | ChatBody, caller: Caller, rules: Rules, max_tokens: int) -> dict[str, Any]:
    """The model's `sampling_parameters`: what was asked for, without defaults."""
    sampling: dict[str, Any] = {"max_tokens": max_tokens}
    if body.stop:
        sampling["stop"] = [body.stop] if isinstance(body.stop, str) else body.stop
    for name in ("ignore_eos", "seed", *(_VLLM_SAMPLING if rules.engine == "vllm" else ())):
        value = getattr(body, name)
        if value is not None:
            sampling[name] = value
    if body.priority is not None or caller.priority(None):
        sampling["priority"] = caller.priority(body.priority)
    if caller.deadline_at is not None:
        sampling["deadline_at"] = caller.deadline_at
    return sampling


def _plain(message: Message) -> dict[str, str]:
    return {"role": message.role, "content": message.text()}


def _refuse_unsupported(extra: dict[str, Any]) -> None:
    for name, harmless in _UNSUPPORTED.items():
        value = extra.get(name)
        if value is None or any(type(value) is type(ok) and value == ok for ok in harmless):
            continue
        raise invalid(f"{name} is not supported: leave it out", param=name, code="unsupported_parameter")


def _refusal(error: ValidationError) -> ApiError:
    faults = error.errors(include_url=False, include_input=False)
    if faults[0]["type"] == "json_invalid":
        return invalid(f"the body is not valid JSON: {faults[0]['msg']}", code="invalid_json")
    places = [_place(fault["loc"]) for fault in faults]
    message = "; ".join(f"{place}: {fault['msg']}" for place, fault in zip(places, faults, strict=True))
    return invalid(message, param=places[0], code="invalid_value")


def _place(location: tuple[int | str, ...]) -> str:
    """The field's path; pydantic's names for the branches of a union ("str", "list[...]") mean nothing to a client."""
    parts = [str(part) for part in location]
    named = [part for part in parts if part != "str" and "[" not in part and not part.startswith("constrained-")]
    return ".".join(named) or "body"
