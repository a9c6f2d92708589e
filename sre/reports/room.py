"""Whether a folder can be written is asked before the work, not after it."""

from __future__ import annotations

import tempfile
from pathlib import Path

from sre.errors import EnvironmentLacks


def require_writable(folder: Path) -> None:
    """Raise EnvironmentLacks where no file can be made in `folder`; folders made to find out are removed again."""
    made = [place for place in (folder, *folder.parents) if not place.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise EnvironmentLacks(f"{folder}: cannot be written ({error.strerror}): choose another --out") from error
    finally:
        for place in made:
            if place.is_dir():
                place.rmdir()
