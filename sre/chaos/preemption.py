"""`python -m sre.chaos.preemption HANDLE AT`: when a spot notice ends (Unix time AT), the machine is gone.

HANDLE is a platform's handle of the replica's server, as JSON. Whatever still runs behind it then is killed.
"""

from __future__ import annotations

import json
import sys
import time

from sre.chaos.lifetime import end_at, own_deadline
from sre.platforms.select import select_platform


def main() -> None:
    end_at(own_deadline())
    handle, at = json.loads(sys.argv[1]), float(sys.argv[2])
    platform = select_platform()
    time.sleep(max(0.0, at - time.time()))
    platform.signal(handle, "kill")


if __name__ == "__main__":
    main()
