"""Files and folders to documents. Everything wrong with all of them is told at once, sorted by file and line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sre.errors import BadDocument
from sre.slo.documents import Fault, Faults, read_documents
from sre.slo.model import Slo
from sre.slo.openslo.model import (
    AlertCondition,
    AlertPolicy,
    DataSource,
    Document,
    Documents,
    NotificationTarget,
    Service,
    Sli,
    SloDocument,
)
from sre.slo.openslo.reading import Reading, read_document
from sre.slo.openslo.references import duplicates, index, unresolved
from sre.slo.openslo.resolving import resolution, resolve

_SUFFIXES = (".yaml", ".yml")


def load_documents(paths: Sequence[Path]) -> Documents:
    """Every document of the files, and of the YAML files in the folders (not in their subfolders), references kept.

    A path given twice is read once. Raises BadDocument with every fault: of reading, of names that stand twice, of
    references that lead nowhere, and of SLOs that make no sense once they are followed.
    """
    reader = _Reader()
    for path in dict.fromkeys(path for given in paths for path in reader.files(given)):
        reader.read(path)
    documents, unsound = (
        gather([r.document for r in reader.readings if r.document is not None and r.sound == sound])
        for sound in (True, False)
    )
    broken = {(r.kind, r.name): r.place for r in reader.readings if not r.sound and r.name}
    faults = [*reader.faults, *duplicates([(r.kind, r.name, r.place) for r in reader.readings])]
    faults += [*unresolved(unsound, index(documents, broken)), *resolution(documents, broken)[1]]
    if faults:
        raise BadDocument([found.text for found in reader.in_order(faults)])
    return documents


def load_slos(directory: Path) -> tuple[Slo, ...]:
    """Every SLO of the directory's YAML files (subfolders are not read), by file and place.

    Raises BadDocument with the faults of all files at once. Two SLOs of one name are a fault, so is an empty folder.
    """
    if not directory.is_dir():
        raise BadDocument([f"{directory}: no such folder: give the folder with the SLO documents"])
    return _slos(directory)


def read_slos(path: Path) -> tuple[Slo, ...]:
    """The SLOs of one file, in order. Raises BadDocument with every fault as `file:line: path: what: mend`."""
    return _slos(path)


def _slos(path: Path) -> tuple[Slo, ...]:
    slos = resolve(load_documents([path]))
    if not slos:
        raise BadDocument([f"{path}: holds no SLO document: add one, e.g. availability.yaml"])
    return slos


def gather(documents: Sequence[Document]) -> Documents:
    """Documents by kind, in the order given."""
    return Documents(
        slos=tuple(d for d in documents if isinstance(d, SloDocument)),
        slis=tuple(d for d in documents if isinstance(d, Sli)),
        alert_policies=tuple(d for d in documents if isinstance(d, AlertPolicy)),
        alert_conditions=tuple(d for d in documents if isinstance(d, AlertCondition)),
        notification_targets=tuple(d for d in documents if isinstance(d, NotificationTarget)),
        data_sources=tuple(d for d in documents if isinstance(d, DataSource)),
        services=tuple(d for d in documents if isinstance(d, Service)),
    )


@dataclass(slots=True)
class _Reader:
    """What was read so far. A file that is no YAML is one fault, and the next file is read."""

    readings: list[Reading] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    order: dict[str, int] = field(default_factory=dict)

    def files(self, path: Path) -> list[Path]:
        """The path itself, or the YAML files of a folder by name."""
        if not path.is_dir():
            return [path]
        found = [child for child in path.iterdir() if child.suffix in _SUFFIXES and not child.is_dir()]
        if not found:
            self._note(path, f"{path}: holds no SLO document: add one, e.g. availability.yaml")
        return sorted(found)

    def read(self, path: Path) -> None:
        self.order.setdefault(str(path), len(self.order))
        faults = Faults(path)
        try:
            nodes = read_documents(path)
        except BadDocument as error:
            for text in error.faults:
                self._note(path, text)
            return
        if not nodes:
            self._note(path, f"{path}:1: document: is empty: write an OpenSLO v1 document, e.g. of kind SLO")
        found = [read_document(node, faults) for node in nodes]
        self.readings += [reading for reading in found if reading is not None]
        self.faults += faults.all

    def in_order(self, faults: Sequence[Fault]) -> list[Fault]:
        """Each fault once, by file as given and by line."""
        return sorted(dict.fromkeys(faults), key=lambda found: (self.order.get(found.file, -1), found.line))

    def _note(self, path: Path, text: str) -> None:
        self.faults.append(Fault(str(path), 0, text))
