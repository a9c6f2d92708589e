"""A private directory for the sockets and rendezvous files that a killed vLLM leaves behind.

Its name carries the owner's pid, so that the next engine on this machine removes what a killed owner could not. It lies
in the system's temporary directory because the path of a Unix socket has at most 107 bytes.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

PREFIX = "sre-vllm-"


@dataclass(frozen=True, slots=True)
class Scratch:
    path: Path

    @classmethod
    def make(cls) -> Scratch:
        root = Path(tempfile.gettempdir())
        for left in root.glob(f"{PREFIX}*-*"):
            owner = left.name.removeprefix(PREFIX).split("-", 1)[0]
            if owner.isdigit() and left.lstat().st_uid == os.getuid() and not Path("/proc", owner).exists():
                shutil.rmtree(left, ignore_errors=True)
        return cls(Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=root)))

    def remove(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
