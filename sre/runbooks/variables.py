"""What a reader fills in once, so that commands can be pasted as they are, and what such a value may look like.

Empty at first on purpose: a command that would change something refuses to run without, instead of hitting an example.
`sre runbook exec` passes values by the environment, never by putting them into a command's text; the pattern is a
second guard, for what a program makes of its arguments.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from sre.errors import SreError
from sre.runbooks.knowledge.model import Check, Mitigation, Page

_NAME = r"[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?"
_URL = r"https?://[A-Za-z0-9.\-\[\]:]{1,200}"


@dataclass(frozen=True, slots=True)
class Variable:
    """`means` is what it stands for, `pattern` what a value must match whole, `example` one that does."""

    name: str
    means: str
    pattern: str
    example: str


VARIABLES: Mapping[str, Variable] = MappingProxyType(
    {
        one.name: one
        for one in (
            Variable("GATEWAY", "the line `gateway` of `sre status`", _URL, "http://127.0.0.1:8400"),
            Variable("REPLICA", "the replica in question, such as llm-1: the steps below find it", _NAME, "llm-1"),
            Variable(
                "REPLICAS",
                "how many replicas there are to be in all: one more than `sre status` shows, to add one",
                r"[1-9][0-9]{0,3}",
                "4",
            ),
            Variable("PORT", "the gateway's port: the last number of GATEWAY", r"[1-9][0-9]{0,4}", "8400"),
            Variable("PID", "the process in question: the steps below show its number", r"[1-9][0-9]{1,9}", "4711"),
            Variable("PROMETHEUS", "the line `prometheus` of `sre status`, if it runs", _URL, "http://127.0.0.1:9090"),
            Variable("NS", "its namespace", _NAME, "llm"),
            Variable(
                "SELECTOR",
                "what its pods are labelled with, such as app.kubernetes.io/name=llm",
                r"[A-Za-z0-9./_-]{1,120}=[A-Za-z0-9._-]{1,63}",
                "app.kubernetes.io/name=llm",
            ),
            Variable("WORKLOAD", "what makes its pods, such as deployment/llm", rf"[a-z]+/{_NAME}", "deployment/llm"),
            Variable("POD", "the pod in question, from step K1", _NAME, "llm-0"),
            Variable("PODS", "how many pods there are to be in all", r"[1-9][0-9]{0,3}", "4"),
            Variable("NODE", "its node, from step K1", _NAME, "gpu-node-1"),
        )
    }
)
CLUSTER = ("NS", "SELECTOR", "WORKLOAD", "POD", "PODS", "NODE")
"""Those that only commands for Kubernetes use."""


def variables_in(text: str) -> tuple[str, ...]:
    """The variables that a command's text uses, in the order of `VARIABLES`."""
    return tuple(name for name in VARIABLES if re.search(rf"\$\{{?{name}\b", text))


def variables_of(part: Check | Mitigation) -> tuple[str, ...]:
    """Those of one step: its command, its verification, its way back."""
    return variables_in("\n".join((part.run, getattr(part, "check", ""), getattr(part, "undo", ""))))


def variables_on(page: Page) -> Mapping[str, bool]:
    """Every variable, and whether some step of the page uses it."""
    used = {name for part in page.commands for name in variables_of(part)}
    return {name: name in used for name in VARIABLES}


def checked_value(name: str, value: str) -> str:
    """The value as it may be used. Raises SreError for an unknown name, or a value that does not look like one."""
    variable = VARIABLES.get(name)
    if variable is None:
        raise SreError(f"{name} is no variable of a runbook: use one of {', '.join(VARIABLES)}")
    if re.fullmatch(variable.pattern, value) is None:
        raise SreError(f"{name} is {value[:60]!r}, which is not {variable.means}: give e.g. {variable.example}")
    return value


def checked_values(pairs: Iterable[str]) -> Mapping[str, str]:
    """`REPLICA=llm-1` ... as a mapping. Raises SreError."""
    found = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise SreError(f"{pair!r} is no variable: write NAME=VALUE, e.g. REPLICA=llm-1")
        found[name] = checked_value(name, value)
    return found
