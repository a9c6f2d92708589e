"""The classes of work that figures are given for: what a chat, a question to documents and an agent's call look like.

Defined once, so that a measurement on the platform and a simulation offer the same requests: both take a plan made
here through `build_schedule`, which depends on nothing but the plan. Lengths are planning figures of ours, in the range
of public traces (Azure's conversation trace has a median of about 1,000 prompt and 130 output tokens), not a claim
about anybody's users. Thresholds are for a GPU in real time; a platform stretched by `time_scale` has them stretched.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from serving.errors import BadInput
from serving.loadgen.plan import LengthPlan, PrefixPlan


@dataclass(frozen=True, slots=True)
class WorkloadClass:
    """`prompt_tokens` are a request's own; those of a shared prefix come before them. A request is good when its first
    token came within `ttft_s` and its mean gap between tokens is at most `inter_token_s`.
    """

    name: str
    title: str
    prompt_tokens: LengthPlan
    output_tokens: LengthPlan
    ttft_s: float
    inter_token_s: float
    prefixes: PrefixPlan | None = None

    def plan(self, *, seed: int, **offered: float) -> Mapping[str, Any]:
        """The fields of a load plan (serving/loadgen/plan.py) but `url` and `out`. `offered` is how it comes:
        `rate_rps` and `duration_s`, or `concurrency`, and `requests`.
        """
        fields = {"prompt_tokens": self.prompt_tokens.model_dump(), "output_tokens": self.output_tokens.model_dump()}
        if self.prefixes is not None:
            fields["prefixes"] = self.prefixes.model_dump()
        return {"seed": seed, **fields, **offered}


CLASSES = (
    WorkloadClass(
        "chat",
        "chat: a question, an answer that is read while it comes",
        LengthPlan(median=400, sigma=0.7, min=16, max=2048),
        LengthPlan(median=220, sigma=0.4, min=16, max=512),
        ttft_s=1.0,
        inter_token_s=0.05,
    ),
    WorkloadClass(
        "rag",
        "rag: a question with documents, a long prompt and a short answer",
        LengthPlan(median=3000, sigma=0.4, min=1024, max=8192),
        LengthPlan(median=120, sigma=0.4, min=16, max=256),
        ttft_s=2.0,
        inter_token_s=0.05,
    ),
    WorkloadClass(
        "agent",
        "agent: a call with one of 100 shared instructions of 2,048 tokens, a short text of its own, a few tokens back",
        LengthPlan(median=128, sigma=0.6, min=16, max=512),
        LengthPlan(median=40, sigma=0.5, min=8, max=128),
        ttft_s=0.5,
        inter_token_s=0.05,
        prefixes=PrefixPlan(pool=100, blocks=4, skew=0.6),
    ),
)


def class_named(name: str) -> WorkloadClass:
    """Raises BadInput, listing those there are."""
    found = next((one for one in CLASSES if one.name == name), None)
    if found is None:
        raise BadInput(f"workload class {name!r} is not known: use one of {', '.join(one.name for one in CLASSES)}")
    return found
