"""Scenario files: what a fleet simulation is given, as YAML, with every fault of a file at once and its line.

Paths in a file are relative to it. The sections of `gateway` are those of the platform's own gateway.json.
"""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from serving.errors import BadInput
from serving.gateway.config import AdmissionConfig, FailoverConfig, HealthConfig, RoutingConfig, Seconds
from serving.loadgen.plan import LengthPlan, PrefixPlan
from serving.simulator.scenario import Balancing, FaultKind
from serving.simulator.scenario_yaml import Place, read_located
from serving.simulator.workloads import CLASS_NAMES

Word = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$")]
Text = Annotated[str, StringConstraints(min_length=1, max_length=500, pattern=r"^[^\x00-\x1f\x7f]*$")]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Replicas = Annotated[int, Field(ge=1, le=100_000)]
Cv = Annotated[float, Field(ge=0, le=20, allow_inf_nan=False)]
_MOST_CHARACTERS = 4_000_000
SHIPPED_DIR = Path(__file__).resolve().parents[1] / "deploy" / "scenarios"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class GroupSection(_Strict):
    """`profile` is a shipped profile's name or a file. What is None is as the profile says; `cold_start_s` is one sum,
    `cold_start` the same by phase.
    """

    profile: Text
    name: Word = "llm"
    count: Replicas = 1
    zones: Annotated[list[Word], Field(min_length=1, max_length=100)] = ["a"]
    spot: bool = False
    cold_start_s: NotNegative | None = None
    cold_start: dict[Word, NotNegative] | None = None
    max_num_seqs: Annotated[int, Field(ge=1)] | None = None
    max_num_batched_tokens: Annotated[int, Field(ge=1)] | None = None
    max_model_len: Annotated[int, Field(ge=1)] | None = None
    enable_prefix_caching: bool | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.cold_start_s is not None and self.cold_start is not None:
            raise ValueError("cold_start_s and cold_start say the same: keep one")
        seqs, budget = self.max_num_seqs, self.max_num_batched_tokens
        if seqs is not None and budget is not None and seqs > budget:
            raise ValueError(f"max_num_seqs {seqs} exceeds max_num_batched_tokens {budget}: a sequence needs a token")
        return self


class GatewaySection(_Strict):
    """The gateway's rules; what is left out is as the platform has it."""

    balancing: Balancing = "least_outstanding"
    first_token_timeout_s: Seconds = 30.0
    deadline_s: Seconds = 60.0
    idle_timeout_s: Seconds = 10.0
    routing: RoutingConfig = RoutingConfig()
    admission: AdmissionConfig = AdmissionConfig()
    failover: FailoverConfig = FailoverConfig()
    health: HealthConfig = HealthConfig()


class ClassSection(_Strict):
    """One class of requests: a known one by its name, or one of your own with its lengths."""

    name: Word
    rate_rps: Positive
    cv: Cv = 1.0
    priority: Annotated[int, Field(ge=-1000, le=1000)] = 0
    prompt_tokens: LengthPlan | None = None
    output_tokens: LengthPlan | None = None
    prefixes: PrefixPlan | None = None

    @model_validator(mode="after")
    def _known(self) -> Self:
        if self.name not in CLASS_NAMES and (self.prompt_tokens is None or self.output_tokens is None):
            raise ValueError(
                f"{self.name!r} is none of {', '.join(CLASS_NAMES)}: state its prompt_tokens and output_tokens"
            )
        return self


class WorkloadSection(_Strict):
    """One of `trace` (a file), `generated` and `classes`. `rate_rps` is the mean rate in all; None: the trace's own, or
    the classes' own. `requests` stops after so many. `skip_bad_rows` leaves out a trace's bad rows.
    """

    trace: Text | None = None
    generated: Literal["day", "chat", "rag", "agent", "mixed"] | None = None
    classes: Annotated[list[ClassSection], Field(min_length=1, max_length=100)] | None = None
    rate_rps: Positive | None = None
    cv: Cv | None = None
    requests: Annotated[int, Field(ge=1)] | None = None
    skip_bad_rows: bool = False

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        given = [name for name in ("trace", "generated", "classes") if getattr(self, name) is not None]
        if len(given) != 1:
            what = f"{' and '.join(given)} are several sources" if given else "no source of requests is given"
            raise ValueError(f"{what}: write one of trace, generated, classes")
        if self.cv is not None and (self.trace or self.generated == "day"):
            raise ValueError("cv: a trace and the day bring their own arrivals: leave it out")
        if self.classes and (self.rate_rps is not None or self.cv is not None):
            raise ValueError("rate_rps and cv stand in each class: write them there")
        names = [one.name for one in self.classes or ()]
        if len(set(names)) < len(names):
            raise ValueError("two classes have one name: name them apart")
        return self


class FaultSection(_Strict):
    """One fault; `value` as in `serving.simulator.scenario.FleetFault`, None: the kind's usual one."""

    kind: FaultKind
    at_s: NotNegative
    duration_s: Positive | None = None
    target: Word = "busiest"
    value: Annotated[float, Field(allow_inf_nan=False)] | None = None


class ThresholdSection(_Strict):
    """When a request is good: first token and mean gap between tokens within these."""

    ttft_s: Positive = 1.0
    tpot_s: Positive = 0.05


class ScenarioDocument(_Strict):
    """A scenario file. `duration_s` None: the trace's own span, an hour for what is generated. `price_book` and
    `drill_clock` (how much faster alert windows pass) are for who judges the run.
    """

    schema_: Annotated[Literal[1], Field(alias="schema")] = 1
    title: Text = "fleet"
    groups: Annotated[list[GroupSection], Field(min_length=1, max_length=100)]
    workload: WorkloadSection
    duration_s: Positive | None = None
    gateway: GatewaySection = GatewaySection()
    policy: Text | None = None
    faults: Annotated[list[FaultSection], Field(max_length=1000)] = []
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 1
    thresholds: ThresholdSection = ThresholdSection()
    scrape_interval_s: Annotated[float, Field(ge=0.1, le=3600)] = 5.0
    sync_period_s: Annotated[float, Field(gt=0, le=3600)] = 15.0
    unhealthy_restart_s: Annotated[float, Field(gt=0, le=3600)] = 20.0
    price_book: Text | None = None
    drill_clock: Annotated[float, Field(ge=1, le=10_000)] = 1.0

    @model_validator(mode="after")
    def _named_apart(self) -> Self:
        names = [group.name for group in self.groups]
        if len(set(names)) < len(names):
            raise ValueError("groups: two have one name: name them apart")
        return self


def shipped_scenarios() -> dict[str, Path]:
    """The scenario and sweep files of the package by name, sorted."""
    return {path.stem: path for path in sorted(SHIPPED_DIR.glob("*.yaml"))}


_PLAIN = MappingProxyType(
    {
        "missing": "is missing: write it",
        "model_type": "is no mapping: write keys and values",
        "model_attributes_type": "is no mapping: write keys and values",
        "dict_type": "is no mapping: write keys and values",
        "list_type": "is no list: write one entry a line, each with a dash",
        "string_pattern_mismatch": "holds other characters than it may: write letters, digits, dots, dashes",
    }
)


def load_scenario(path: Path) -> ScenarioDocument:
    """The scenario in `path`. Raises BadInput, a line for each fault: file:line: field: what."""
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(_MOST_CHARACTERS + 1)
    except OSError as error:
        raise BadInput(f"{path}: cannot read the scenario: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}: not a text file in UTF-8 (byte {error.start}): save it as UTF-8") from error
    if len(text) > _MOST_CHARACTERS:
        raise BadInput(f"{path}: is longer than {_MOST_CHARACTERS:,} characters: a scenario is a page")
    return parse_scenario(text, where=str(path))


def parse_scenario(text: str, *, where: str) -> ScenarioDocument:
    """`where` names the document in faults."""
    located = read_located(text, where)
    if isinstance(located.data, dict) and {"scenario", "vary"} <= located.data.keys():
        raise BadInput(f"{where}: is a sweep, no scenario: play it with sre sweep")
    try:
        return ScenarioDocument.model_validate(located.data)
    except ValidationError as error:
        found = [(located.at(_place(one["loc"])), one) for one in error.errors(include_url=False)]
        lines = dict.fromkeys(f"{at}: {_told(one)}" for at, one in found)
        raise BadInput("\n".join(sorted(lines, key=_line_number))) from error


def _place(location: tuple[int | str, ...]) -> Place:
    return location


def _line_number(text: str) -> int:
    return next((int(part) for part in text.split(":") if part.isdigit()), 0)


def _told(one: Any) -> str:
    """`faults.0.kind: Input should be ...` in our words where pydantic's say too little."""
    where = ".".join(str(part) for part in one["loc"] if not str(part).startswith("function-"))
    if one["type"] == "extra_forbidden":
        return f"{where}: is not a known key here: remove it, or mend its name"
    if (told := _PLAIN.get(one["type"])) is not None:
        return f"{where or 'document'}: {told}"
    what = str(one["msg"]).removeprefix("Value error, ").replace("Input should be", "should be")
    shown = "" if isinstance(one["input"], dict | list) else f"is {one['input']!r}: "
    return f"{where}: {shown}{what}" if where else what


def text_of(document: ScenarioDocument) -> str:
    """The document as YAML, only what was said or set, in the order of this file: it reads back to the same."""
    import yaml

    data = {"schema": 1, **document.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude={"schema_"})}
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=120)
