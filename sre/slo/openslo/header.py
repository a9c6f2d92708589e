"""What every document begins with: apiVersion, kind and metadata, and the vocabulary of our annotations.

Annotations under `sre/` say what OpenSLO v1 cannot. A misspelt one would be ignored in silence, so unknown ones under
this prefix are refused; those of other tools are kept and left alone.
"""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches

from sre.slo.documents import Faults, Node
from sre.slo.model import NoDataPolicy
from sre.slo.openslo.durations import parse_duration
from sre.slo.openslo.model import KINDS, Kind, Metadata, Place

API_VERSION = "openslo/v1"
PREFIX = "sre/"
RUNBOOK, NO_DATA, BUDGET_USD = "sre/runbook", "sre/no-data", "sre/budget-usd"
MIN_BAD_EVENTS, MAX_P_VALUE = "sre/min-bad-events", "sre/max-p-value"
SHORT_WINDOW, BUDGET_SHARE = "sre/short-window", "sre/budget-share"
CAVEAT = "sre/caveat"
"""One line about what the source cannot tell, shown beside the result: an SLO that has it admits to be a substitute."""

LINT_IGNORE = "sre/lint-ignore"
ALSO_GOOD = "sre/also-good"
"""Names of further indicators (SLIs or SLOs) that the same requests must meet."""

SLO_ANNOTATIONS = (RUNBOOK, NO_DATA, BUDGET_USD, MIN_BAD_EVENTS, MAX_P_VALUE, CAVEAT, LINT_IGNORE, ALSO_GOOD)
POLICY_ANNOTATIONS = (LINT_IGNORE,)
CONDITION_ANNOTATIONS = (SHORT_WINDOW, BUDGET_SHARE, MIN_BAD_EVENTS, MAX_P_VALUE)
NO_DATA_POLICIES: tuple[NoDataPolicy, ...] = ("ignore", "bad", "good")

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_KEY = re.compile(r"[a-zA-Z0-9]([a-zA-Z0-9._-]{0,61}[a-zA-Z0-9])?")
_PREFIX = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
_LONGEST_DESCRIPTION = 1050
_FOREIGN = {
    "openslo/v1alpha": "the form before v1: put the metric into indicator.spec.ratioMetric, write `openslo/v1`",
    "openslo/v2alpha": "a draft: write the document as `openslo/v1`",
    "openslo/v2alpha1": "a draft: write the document as `openslo/v1`",
    "openslo.com/v2alpha": "a draft: write the document as `openslo/v1`",
    "openslo.com/v2alpha1": "a draft: write the document as `openslo/v1`",
    "openslo/v0.1.0-beta": "the form before v1: write the document as `openslo/v1`",
    "sloth.slok.dev/v1": "Sloth's own form: write the objective as `openslo/v1`",
    "pyrra.dev/v1alpha1": "Pyrra's own form: write the objective as `openslo/v1`",
    "n9/v1alpha": "Nobl9's own form: write the document as `openslo/v1`",
    "monitoring.coreos.com/v1": "the Prometheus operator's: not an objective, keep it in another folder",
}


def read_kind(document: Node, faults: Faults) -> Kind | None:
    """The document's kind; None when it is not known, or when the version says that its content has another form."""
    version = faults.required(document, "apiVersion", f"write `apiVersion: {API_VERSION}`")
    foreign = _FOREIGN.get(str(version.scalar)) if version is not None else None
    if version is not None and version.scalar != API_VERSION:
        said = f", {foreign}" if foreign else f": write `{API_VERSION}`, the only version read"
        faults.add(version, f"is {version.kind}{said}")
    if foreign:
        return None
    node = faults.required(document, "kind", "write e.g. `kind: SLO`")
    if node is None:
        return None
    for kind in KINDS:
        if node.scalar == kind:
            return kind
    by_case = {kind.lower(): kind for kind in KINDS}
    near = get_close_matches(str(node.scalar).lower(), by_case, n=1)
    said = f"did you mean `{by_case[near[0]]}`?" if near else f"use one of {', '.join(sorted(KINDS))}"
    faults.add(node, f"is {node.kind}: {said}")
    return None


def place_of(node: Node, faults: Faults) -> Place:
    return Place(str(faults.file), node.line, node.path)


def read_metadata(node: Node, faults: Faults, *, ours: tuple[str, ...] = ()) -> Metadata:
    """`ours` are the annotations under `sre/` that this kind may have."""
    fields = faults.mapping(node, ("name", "displayName", "labels", "annotations"))
    name_node = faults.required(node, "name", "give a short unique name")
    name = faults.text(name_node, "give a short unique name")
    annotations = fields.get("annotations")
    if name_node is not None and name and not _NAME.fullmatch(name):
        faults.add(name_node, f"is {name!r}: use lower-case letters, digits and `-` between them, at most 63")
    return Metadata(
        name=name,
        display_name=faults.text(fields.get("displayName"), "write one line of text"),
        labels=_labels(fields.get("labels"), faults),
        annotations=_annotations(annotations, faults, ours),
        place=place_of(name_node or node, faults),
        annotation_places=_places(annotations, faults),
    )


def read_description(fields: dict[str, Node], faults: Faults) -> str:
    node = fields.get("description")
    text = faults.text(node, "write text, or remove the key")
    if node is not None and len(text) > _LONGEST_DESCRIPTION:
        faults.add(node, f"has {len(text)} characters: shorten it to {_LONGEST_DESCRIPTION}, as OpenSLO wants")
    return text


def _labels(node: Node | None, faults: Faults) -> tuple[tuple[str, str | tuple[str, ...]], ...]:
    found: dict[str, str | tuple[str, ...]] = {}
    for key, child in _mapping_of(node, faults, "labels").items():
        if not _KEY.fullmatch(key):
            faults.add(child, "is no label: use at most 63 letters, digits, `-`, `_` and `.` as its key")
        elif child.items is None:
            found[key] = faults.text(child, "write text (quote numbers and true/false), or a list of texts")
        else:
            found[key] = tuple(faults.text(item, "write text (quote numbers and true/false)") for item in child.items)
    return tuple(sorted(found.items()))


def _annotations(node: Node | None, faults: Faults, ours: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    found: dict[str, str] = {}
    for key, child in _mapping_of(node, faults, "annotations").items():
        prefix, _, name = key.rpartition("/")
        if not _KEY.fullmatch(name) or ("/" in key and not _PREFIX.fullmatch(prefix)):
            faults.add(child, "is no annotation: write `prefix/name` or `name`, the name at most 63 characters")
            continue
        if key.startswith(PREFIX) and key not in ours:
            near = get_close_matches(key, ours, n=1)
            known = f"use one of {', '.join(ours)}" if ours else "remove it, this kind of document has none"
            faults.add(child, f"unknown annotation: {f'did you mean `{near[0]}`?' if near else known}")
            continue
        mend = _MEND.get(key, "write text (quote numbers and true/false)")
        found[key] = faults.text(child, mend)
        if found[key] and key in ours and not _valid(key, found[key]):
            faults.add(child, f"is {child.kind}: {mend}")
    return tuple(sorted(found.items()))


def _places(node: Node | None, faults: Faults) -> tuple[tuple[str, Place], ...]:
    fields = (node.fields if node is not None else None) or {}
    return tuple((key, place_of(child, faults)) for key, child in fields.items())


def names_in(text: str) -> tuple[str, ...]:
    """The names of a list with commas between them."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


_MEND = {
    RUNBOOK: "give the path of the runbook",
    NO_DATA: f"write one of {', '.join(NO_DATA_POLICIES)}",
    BUDGET_USD: 'write what a whole budget is worth in USD, quoted, e.g. "1200"',
    MIN_BAD_EVENTS: 'write a whole number from 1 on, quoted, e.g. "2"',
    MAX_P_VALUE: 'write a probability between 0 and 1, quoted, e.g. "0.01"',
    SHORT_WINDOW: "write a duration in m, h, d or w, e.g. 5m",
    BUDGET_SHARE: 'write a share between 0 and 1, quoted, e.g. "0.02"',
    CAVEAT: "say in one line what the source cannot tell",
    LINT_IGNORE: "name rules with their reasons, see `sre slo lint --help`",
    ALSO_GOOD: "name each further SLI or SLO once, with commas between them, e.g. `ttft, inter-token`",
}


def _valid(key: str, text: str) -> bool:
    if key == NO_DATA:
        return text in NO_DATA_POLICIES
    if key == MIN_BAD_EVENTS:
        return re.fullmatch(r"[1-9][0-9]{0,8}", text) is not None
    if key in (MAX_P_VALUE, BUDGET_SHARE):
        number = decimal_of(text)
        return number is not None and 0 < number < 1
    if key == BUDGET_USD:
        number = decimal_of(text)
        return number is not None and 0 < number < 10**12
    if key == ALSO_GOOD:
        names = [name.strip() for name in text.split(",")]
        return all(_NAME.fullmatch(name) for name in names) and len(set(names)) == len(names)
    if key == SHORT_WINDOW:
        duration = parse_duration(text)
        return duration is not None and duration.unit in "mhdw"
    return True


def no_data_policy(metadata: Metadata) -> NoDataPolicy:
    """What a stretch without data is to the budget; `ignore` unless the annotation says otherwise."""
    word = metadata.annotation(NO_DATA)
    return next((policy for policy in NO_DATA_POLICIES if policy == word), "ignore")


def decimal_of(text: str) -> Decimal | None:
    """A finite decimal written with digits; None for anything else, `1e5` and `nan` included."""
    if not re.fullmatch(r"[0-9]{1,20}(\.[0-9]{1,20})?", text):
        return None
    try:
        return Decimal(text)
    except InvalidOperation:
        return None


def _mapping_of(node: Node | None, faults: Faults, what: str) -> dict[str, Node]:
    if node is None:
        return {}
    if node.fields is None:
        faults.add(node, f"is {node.kind}: write a mapping of {what}")
        return {}
    return node.fields
