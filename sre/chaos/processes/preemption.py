"""`python -m sre.chaos.processes.preemption PLATFORM HANDLE AT`: at Unix time AT the machine of a spot notice is gone.

PLATFORM is a configuration that finds the platform, HANDLE its handle of the replica's server, both JSON. Whatever
still runs behind the handle then is killed.
"""

from __future__ import annotations

import json
import sys
import time

from sre.chaos.processes.lifetime import end_at, own_deadline
from sre.platforms.select import select_platform


def main() -> None:
    end_at(own_deadline())
    platform = select_platform(json.loads(sys.argv[1]))
    handle, at = json.loads(sys.argv[2]), float(sys.argv[3])
    time.sleep(max(0.0, at - time.time()))
    platform.signal(handle, "kill")


if __name__ == "__main__":
    main()
