"""Files that are whole or absent: written beside their place, then moved into it."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from sre.errors import EnvironmentLacks


def write_text(path: Path, text: str) -> None:
    """Replace `path` by `text` in UTF-8. Raises EnvironmentLacks when the folder cannot be written."""
    temporary: Path | None = None
    try:
        with tempfile.NamedTemporaryFile("wb", dir=path.parent, prefix=f".{path.name}.", delete=False) as stream:
            temporary = Path(stream.name)
            stream.write(text.encode("utf-8"))
            stream.flush()
            os.fsync(stream.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    except OSError as error:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        raise EnvironmentLacks(
            f"{path}: cannot be written ({error.strerror}); free space or choose another folder"
        ) from error
