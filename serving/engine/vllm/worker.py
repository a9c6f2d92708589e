"""Entry of the child process that runs vLLM: `<vllm's python> -I worker.py SOCKET_FD CONFIG PARENT_PID SERVER_PID`.

Our package is loaded from its own directory alone: putting its parent on the path would bring the light environment's
numpy along. vLLM's engine core and workers import this file too (multiprocessing's `__mp_main__`), which is where each
of them asks the kernel to die with the process that started it: killed by -9 at any point, the chain below goes too.
"""

import ctypes
import importlib.util
import os
import signal
import sys
from pathlib import Path

PARENT = "SRE_VLLM_PARENT"
_PR_SET_PDEATHSIG = 1


def die_with(parent_pid: int) -> None:
    """SIGKILL for this process when its parent ends; at once when it has ended already. Passed on to its children."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:
        os._exit(143)
    os.environ[PARENT] = str(os.getpid())


def load_package() -> None:
    """Make `serving` importable, and nothing that lies beside it."""
    root = Path(__file__).resolve().parents[2]
    spec = importlib.util.spec_from_file_location(
        "serving", root / "__init__.py", submodule_search_locations=[str(root)]
    )
    if spec is None or spec.loader is None:
        raise SystemExit(f"{root}: the package serving is not there: reinstall it")
    package = importlib.util.module_from_spec(spec)
    sys.modules["serving"] = package
    spec.loader.exec_module(package)


if __name__ == "__main__":
    die_with(int(sys.argv[3]))
    load_package()
    from serving.engine.vllm.child import main

    main(
        socket_fd=int(sys.argv[1]),
        config_path=Path(sys.argv[2]),
        owner_pid=int(sys.argv[3]),
        server_pid=int(sys.argv[4]),
    )
elif __name__ == "__mp_main__":
    die_with(int(os.environ[PARENT]))  # multiprocessing's own parent_process() is not known yet
