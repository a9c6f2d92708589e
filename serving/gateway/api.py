"""OpenAI's request bodies, checked at the edge and turned into jobs.

Fields that would change the answer's shape or meaning and that the model cannot honour are refused. Sampling fields
(`temperature`, `top_p`, penalties) are checked and then ignored: the model's contract has no place for them. Unknown
fields are ignored, as clients send many.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from serving.gateway.errors import ApiError, invalid
from serving.gateway.model import Job
from serving.gateway.sse import Api

_COMPLETION_MAX_TOKENS = 16  # OpenAI's default for /v1/completions
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


def parse_order(raw: bytes, *, api: Api, request_id: str, model: str, default_max_tokens: int) -> Order:
    """Check a request body. Raises ApiError, shaped as OpenAI's own refusals."""
    body: CompletionBody | ChatBody
    try:
        body = ChatBody.model_validate_json(raw) if api == "chat" else CompletionBody.model_validate_json(raw)
    except ValidationError as error:
        raise _refusal(error) from error
    _refuse_unsupported(body.model_extra or {})
    if body.model != model:
        message = f"The model {body.model!r} does not exist: this gateway serves {model!r}"
        raise invalid(message, param="model", code="model_not_found", status=404)
    if body.stream_options is not None and not body.stream:
        raise invalid("stream_options is only allowed when stream is true", param="stream_options")
    include_usage = body.stream_options is not None and bool(body.stream_options.include_usage)
    job = _job(body, request_id, model, body.limit(default_max_tokens))
    return Order(api, job, stream=bool(body.stream), include_usage=include_usage)


def _job(body: CompletionBody | ChatBody, request_id: str, model: str, max_tokens: int) -> Job:
    prompt = body.text()
    sampling: dict[str, Any] = {"max_tokens": max_tokens}
    if body.stop:
        sampling["stop"] = [body.stop] if isinstance(body.stop, str) else body.stop
    for name in ("ignore_eos", "priority", "seed"):
        value = getattr(body, name)
        if value is not None:
            sampling[name] = value
    return Job(request_id, model, prompt, sampling, max_tokens, prompt_tokens_estimate=len(prompt.split()))


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
