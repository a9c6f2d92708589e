"""What tiny experiments are made of: activities that do as they are told, and a control that keeps the ledger as ours
does, without a platform. Imported by real `chaos run` processes."""

import os
import pathlib
import threading
import time

from sre.chaos.leases.ledger import Ledger, LedgerRecord

RUN = "r-toy"


def state_dir():
    return pathlib.Path(os.environ["SRE_STATE_DIR"])


def note(event, fault_id="", **detail):
    fault = ("toy-fault", "toy") if fault_id else ("", "")
    Ledger(state_dir()).append(LedgerRecord(time.time(), event, fault_id, *fault, detail))


def before_experiment_control(context, **_):
    note("run_begin", run=RUN, pid=os.getpid(), title=context["title"])


def after_experiment_control(context, state, **_):
    look = {"name": context["steady-state-hypothesis"]["probes"][0]["name"], "value": 1, "tolerance_met": True}
    note("steady_after_rollbacks", run=RUN, met=True, probes=[look], waited_s=0.0)
    note("run_end", run=RUN, pid=os.getpid(), status=state.get("status"))


def break_it():
    note("fault_begin", "f-toy", run=RUN, deadline_at=time.time() + 60)
    note("fault_proven", "f-toy", how="seen")
    return {"fault_id": "f-toy"}


def heal_it():
    note("fault_undone", "f-toy", by="run")
    note("fault_end", "f-toy", how="well again")


def ok():
    return 1


def value(x):
    return x


def nan():
    return float("nan")


def none():
    return None


def boom():
    raise RuntimeError("the replica is made of stone")


def mark(sign):
    (state_dir() / sign).touch()


def mark_and_wait(sign):
    mark(sign)
    time.sleep(5)


def unmark(sign):
    (state_dir() / sign).unlink()


def below(sign):
    """0.5 while there is a mark of that name, else 1."""
    return 0.5 if (state_dir() / sign).exists() else 1.0


def nan_while(sign):
    return float("nan") if (state_dir() / sign).exists() else 0.5


def nap(seconds):
    time.sleep(seconds)


def signal_now(number):
    os.kill(os.getpid(), number)
    time.sleep(5)


def signal_soon(number, after_s):
    """Send it from another thread, when the main one is elsewhere."""
    threading.Timer(after_s, os.kill, (os.getpid(), number)).start()


def vanish(code):
    os._exit(code)
