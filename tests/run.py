"""The whole test suite in two halves side by side: what drives real components mostly waits, the rest mostly computes.

`make test` runs this; `python -m pytest` alone runs the same tests one after the other. Arguments go to both halves.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
REAL = HERE / "integration"
NOTHING_RAN = 5  # pytest's exit code when a selection leaves a half without tests


def main(arguments: list[str]) -> int:
    pytest = [sys.executable, "-m", "pytest", *arguments]
    began = time.monotonic()
    with tempfile.TemporaryFile() as log:
        real = subprocess.Popen([*pytest, str(REAL)], stdout=log, stderr=subprocess.STDOUT)
        try:
            rest = subprocess.call([*pytest, str(HERE), f"--ignore={REAL}"])
            print("tests/integration (side by side with the above):", flush=True)  # noqa: T201
            codes = {rest, real.wait()}
        finally:
            if real.poll() is None:  # Ctrl-C
                real.terminate()
                real.wait()
        log.seek(0)
        sys.stdout.buffer.write(log.read())
    print(f"{time.monotonic() - began:.0f} s in all", flush=True)  # noqa: T201
    return NOTHING_RAN if codes == {NOTHING_RAN} else max(codes - {0, NOTHING_RAN}, default=0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
