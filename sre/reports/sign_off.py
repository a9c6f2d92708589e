"""A role signs a post-incident report: the words on the page and in the store are the ones that would be built now."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sre.errors import SreError
from sre.incidents.approvals import APPROVER_IDS, Signature, check_signature, told_of, word_of
from sre.incidents.events import Approved, Draft
from sre.incidents.store.model import IncidentStore
from sre.reports.manifest import NAME as MANIFEST
from sre.reports.manifest import verify
from sre.reports.postincident.json_file import load_post_incident
from sre.reports.postincident.model import ApprovalRow, PostIncidentReport
from sre.reports.postincident.signing import approval_rows, content_of, judged
from sre.reports.postincident.write import JSON
from sre.reports.rebuild import CostsOf, Found, built_now, find
from sre.reports.write import JSON as DRILL_JSON

SOURCE = "sre report approve"


@dataclass(frozen=True, slots=True)
class SignedOff:
    """What was kept, and what each role's word is worth after it. `sha256` is that of the content; `build_command`
    makes the pages show it.
    """

    incident: str
    folder: Path
    sha256: str
    word: Approved
    approvals: tuple[ApprovalRow, ...]
    build_command: str


def sign_off(
    which: str, signature: Signature, store: IncidentStore, workspace: Path, costs_of: CostsOf, *, at: float
) -> SignedOff:
    """Record an approval or rejection of the report of `which`, an incident's id or a report folder.

    Raises SreError for a signature that is none, and when the files in the folder are not what would be built now, or
    when somebody else writes to the incident meanwhile. The pages show the approval once they are built again.
    """
    check_signature(signature, APPROVER_IDS)
    found, out = _found(which, store, workspace)
    now, folder = built_now(found, out=out, workspace=workspace, costs_of=costs_of)
    again = build_command(found.case.head.id, out)
    _check_is_current(folder, now, again=again)
    incident, word = found.case.head.id, word_of(signature, JSON, now.content_sha256)
    draft = Draft(at, word, told_of(word), SOURCE, word.name)
    store.append(incident, [draft], after=found.case.head.events)
    rows = judged(approval_rows(store.case(incident).events), now.content_sha256)
    return SignedOff(incident, folder, now.content_sha256, word, rows, again)


def build_command(incident: str, out: Path | None) -> str:
    """How the report is built again where it lies."""
    return f"sre report build {incident}" + (f" --out {out}" if out is not None else "")


def _found(which: str, store: IncidentStore, workspace: Path) -> tuple[Found, Path | None]:
    """The incident, and the folder where its report does not lie where `sre report build` puts it by itself."""
    folder = Path(which)
    if not folder.is_dir():
        return find(which, store, workspace), None
    if not (folder / DRILL_JSON).is_file():
        return find(load_post_incident(folder / JSON).id, store, workspace), folder
    found = find(which, store, workspace)
    if store.by_key(found.case.head.key) is None:
        raise SreError(f"{which}: the store has no incident of this drill, so nothing can be signed: name its --store")
    return found, None


def _check_is_current(folder: Path, now: PostIncidentReport, *, again: str) -> None:
    """Raises SreError, one line, unless the three files are as they would be built now; approvals may differ."""
    mend = f"build it again first, and read it: {again}"
    path = folder / JSON
    if not path.is_file():
        raise SreError(f"{path}: there is no report to approve: {mend}")
    written = load_post_incident(path)
    if (written.content_sha256, content_of(written)) != (now.content_sha256, content_of(now)):
        raise SreError(f"{path}: not what would be built now: {mend}")
    stem = JSON.removesuffix("json")
    changed = next((one for one in verify(folder) if one.startswith((stem, MANIFEST))), None)
    if changed is not None:
        raise SreError(f"{folder}: {changed}: {mend}")
