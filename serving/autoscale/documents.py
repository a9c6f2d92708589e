"""Policy files: which kind a document is, and those that come with the package."""

from __future__ import annotations

from pathlib import Path

from serving.autoscale.hpa import read_hpa
from serving.autoscale.keda import read_scaled_object
from serving.autoscale.model import Policy
from serving.autoscale.reader import Faults, Section, compose
from serving.errors import BadInput

SHIPPED_DIR = Path(__file__).resolve().parents[1] / "deploy" / "autoscaling"
_READERS = {
    ("autoscaling/v2", "HorizontalPodAutoscaler"): read_hpa,
    ("keda.sh/v1alpha1", "ScaledObject"): read_scaled_object,
}


def shipped_policies() -> tuple[Path, ...]:
    """The policy files of the package, sorted by name."""
    return tuple(sorted(SHIPPED_DIR.glob("*.yaml")))


def load_policy(path: Path) -> Policy:
    """The policy in `path`. Raises BadInput, a line for each fault, with file:line and mend."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise BadInput(f"{path}: cannot read the policy: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}: not a text file in UTF-8 (byte {error.start}): save it as UTF-8") from error
    return parse_policy(text, where=str(path))


def parse_policy(text: str, *, where: str) -> Policy:
    """`where` names the document in faults."""
    faults = Faults(where)
    root = Section(compose(text, where), "", faults)
    api, kind = root.text("apiVersion"), root.text("kind")
    reader = _READERS.get((api, kind))
    if reader is None:
        known = " or ".join(f"{k} of {a}" for a, k in _READERS)
        raise BadInput(f"{where}: is {kind} of {api}: write a {known}")
    policy = reader(root)
    root.refuse_unknown()
    faults.raise_any()
    return policy
