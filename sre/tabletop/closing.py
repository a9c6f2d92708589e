"""From a session to its after-action report, and from the report to its approvals.

`after-action.json` is what is approved; Markdown and HTML are made from it and the approvals. The sha256 of all three
stand in the store, so that each can be checked before the next person signs, also by a newer version of this program.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sre.errors import BadDocument, EnvironmentLacks, SreError
from sre.incidents.approvals import Signature, check_signature, told_of, word_of
from sre.incidents.case import Case
from sre.incidents.codec import decode, encode
from sre.incidents.events import Draft, Linked, Observed, StatusSet
from sre.incidents.store.model import IncidentStore
from sre.reports.atomic import write_text
from sre.reports.manifest import NAME, write_manifest
from sre.tabletop.approvals import ApprovalState, all_approved, approval_states
from sre.tabletop.documents.after_action import after_action
from sre.tabletop.documents.html import to_html
from sre.tabletop.documents.markdown import to_markdown
from sre.tabletop.improvement import proposed
from sre.tabletop.progress import ENDED, progress_of
from sre.tabletop.review import SCHEMA, Review, review
from sre.tabletop.session import ORIGIN, PAGE_LINK, REVIEW_LINK, Played

JSON, MARKDOWN, HTML = "after-action.json", "after-action.md", "after-action.html"
_BANNER = "EXERCISE: AFTER-ACTION REPORT AND IMPROVEMENT PLAN"
_SOURCE = "sre tabletop close"


@dataclass(frozen=True, slots=True)
class Closed:
    """An after-action report on disk. `sha256` is that of its JSON file."""

    review: Review
    folder: Path
    sha256: str
    approvals: tuple[ApprovalState, ...]


def close_session(
    store: IncidentStore, case: Case, played: Played, folder: Path, *, actor: str, clock: Callable[[], float]
) -> Closed:
    """Write the report of a session, and its improvement plan into the store. Closing again makes a new version."""
    progress = progress_of(case.events)
    if not progress.released:
        raise SreError(f"{case.head.id}: no inject was played yet: sre tabletop run --resume {case.head.id}")
    _make(folder)
    now = clock()
    drafts = [] if progress.is_ended else [Draft(now, Observed("action", ENDED), "ENDEX", _SOURCE, actor)]
    today = datetime.fromtimestamp(now, UTC).date()
    for item in proposed(played.exercise, progress, case.items, today=today):
        drafts.append(Draft(now, item, f"{item.item}: {item.title} ({item.owner}, due {item.due})", _SOURCE, actor))
    if drafts:
        store.append(case.head.id, drafts)
        case = store.case(case.head.id)
    told = review(played.exercise, case, progress_of(case.events), package=played.sha256, closed_on=today.isoformat())
    text = review_json(told)
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    write_text(folder / JSON, text)
    link = Linked(REVIEW_LINK, str(folder.resolve()), f"After-action report of {told.name}", sha256)
    done = StatusSet("resolved", "the session is over, its report waits for approval")
    store.append(
        case.head.id,
        [
            Draft(now, link, f"after-action report written, sha256 {sha256[:12]}", _SOURCE, actor),
            *([] if case.head.status == "resolved" else [Draft(now, done, "session closed", _SOURCE, actor)]),
        ],
    )
    return _render(store, case.head.id, told, folder, sha256, actor=actor, at=now)


def approve(store: IncidentStore, case: Case, signature: Signature, *, at: float) -> Closed:
    """Record an approval or rejection. Raises SreError for an unknown role, and when the report is not as it was."""
    closed = closed_of(case)
    roles = [one.role for one in closed.review.approvals]
    check_signature(signature, roles)
    changed = changes_of(closed, case)
    if changed:
        mend = f"nobody can approve what changed after it was written: sre tabletop close {case.head.id}"
        raise BadDocument([f"{problem}: {mend}" for problem in changed])
    word = word_of(signature, JSON, closed.sha256)
    store.append(case.head.id, [Draft(at, word, told_of(word), "sre tabletop approve", word.name)])
    case = store.case(case.head.id)
    states = approval_states(case, closed.review.approvals, closed.sha256)
    if all_approved(states) and case.head.status != "closed":
        status = StatusSet("closed", "all required roles approved the after-action report")
        store.append(case.head.id, [Draft(at, status, "closed", "sre tabletop approve", word.name)])
    return _render(store, case.head.id, closed.review, closed.folder, closed.sha256, actor=word.name, at=at)


def closed_of(case: Case) -> Closed:
    """The report of a closed session, as it lies on disk. Raises SreError when it is not closed or the file is gone."""
    link = next((one for one in reversed(case.links) if one.rel == REVIEW_LINK), None)
    if case.head.origin != ORIGIN or link is None:
        raise SreError(f"{case.head.id}: has no after-action report yet: sre tabletop close {case.head.id}")
    newest = [e.payload for e in case.events if isinstance(e.payload, Linked) and e.payload.rel == REVIEW_LINK][-1]
    folder = Path(newest.target)
    try:
        data = (folder / JSON).read_bytes()
    except OSError as error:
        mend = f"bring it back, or close again: sre tabletop close {case.head.id}"
        raise SreError(f"{folder / JSON}: cannot be read ({error.strerror}): {mend}") from error
    found = hashlib.sha256(data).hexdigest()
    if found != newest.sha256:
        mend = f"nobody can approve what changed after it was written: sre tabletop close {case.head.id}"
        raise BadDocument([f"{folder / JSON}: changed since it was written (sha256 {found[:12]}): {mend}"])
    told = read_review(data.decode(), str(folder / JSON))
    return Closed(told, folder, found, approval_states(case, told.approvals, found))


def changes_of(closed: Closed, case: Case) -> list[str]:
    """Which of the pages people read are not as they were written."""
    links = [event.payload for event in case.events if isinstance(event.payload, Linked)]
    written = {link.target: link.sha256 for link in links if link.rel == PAGE_LINK}
    changed = []
    for path in (closed.folder / MARKDOWN, closed.folder / HTML):
        found = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        if found != written.get(str(path)):
            changed.append(f"{path}: changed since it was written")
    return changed


def review_json(told: Review) -> str:
    return json.dumps({"schema": SCHEMA, **encode(told)}, indent=1, ensure_ascii=False) + "\n"


def read_review(text: str, where: str) -> Review:
    """Raises BadDocument."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadDocument([f"{where}: not JSON ({error}): close the session again"]) from error
    schema = document.pop("schema", None) if isinstance(document, dict) else None
    if schema != SCHEMA:
        raise BadDocument([f"{where}: schema {schema!r} is not {SCHEMA}: close the session again"])
    return decode(Review, document, where)


def _render(
    store: IncidentStore, session: str, told: Review, folder: Path, sha256: str, *, actor: str, at: float
) -> Closed:
    """Write the pages with the approvals as they are now, and note what was written."""
    folder = folder.resolve()
    approvals = approval_states(store.case(session), told.approvals, sha256)
    document = after_action(told, approvals, sha256)
    pages = {MARKDOWN: to_markdown(document, _BANNER), HTML: to_html(document, _BANNER)}
    (folder / NAME).unlink(missing_ok=True)
    links = []
    for name, text in pages.items():
        write_text(folder / name, text)
        link = Linked(PAGE_LINK, str(folder / name), name, hashlib.sha256(text.encode()).hexdigest())
        links.append(Draft(at, link, f"{name} written, sha256 {link.sha256[:12]}", _SOURCE, actor))
    write_manifest(folder)
    store.append(session, links)
    return Closed(told, folder, sha256, approvals)


def _make(folder: Path) -> None:
    """A folder of its own, because the manifest is over all that is in it."""
    if folder.is_dir() and any(folder.iterdir()) and not (folder / JSON).is_file():
        raise SreError(f"{folder}: holds other files: choose an empty folder with --out")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EnvironmentLacks(f"{folder}: no folder can be made there ({error.strerror}): choose another") from error
