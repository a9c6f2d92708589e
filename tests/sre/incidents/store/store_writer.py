"""A process that writes to a store until it is done or killed: `store_writer.py WHERE MODE NAME COUNT`."""

from __future__ import annotations

import sys
import time

from sre.incidents.events import Draft, Observed, Opened
from sre.incidents.store import open_store
from sre.incidents.store.writing import Writing


def main(where: str, mode: str, name: str, count: str) -> None:
    store = open_store(where)
    if mode == "stall":
        Writing._move_end = stall
    for number in range(int(count)):
        key = "one" if mode == "same-key" else ""
        rows = [Draft(1.0, Observed("note"), f"{name} {number}", "test", name)] * 2
        case = store.open(Draft(1.0, Opened(f"{name} {number}", "manual", "SEV3", key), "opens", "test", name), *rows)
        print(case.head.id, flush=True)  # noqa: T201
    store.close()


def stall(*_: object) -> None:
    print("written, not committed", flush=True)  # noqa: T201
    time.sleep(600)


if __name__ == "__main__":
    main(*sys.argv[1:])
