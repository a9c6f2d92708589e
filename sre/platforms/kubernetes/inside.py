"""Small programs that run inside a container, with the Python that Triton's own image has: no shell, no extra tools.

A process is named by its pid and its start time in that container, so that its successor is never taken for it.
"""

from __future__ import annotations

SERVER_NAME = "tritonserver"
STUB_NAME = "triton_python_backend_stub"
INTERPRETER = "python3"

FIND = """
import json, os, sys
def stat(pid):
    text = open(f"/proc/{pid}/stat").read()
    fields = text[text.rindex(")") + 2:].split()
    return text[text.index("(") + 1:text.rindex(")")], fields[0], int(fields[19])
found = []
for entry in os.listdir("/proc"):
    if entry.isdigit():
        try:
            name, state, started = stat(entry)
        except OSError:
            continue
        if name == sys.argv[1][:15] and state not in "ZX":
            found.append({"pid": int(entry), "started": started})
print(json.dumps(sorted(found, key=lambda p: p["started"])))
"""
"""argv: a process's name. Prints the live ones, oldest first."""

STATE = """
import json, sys
try:
    text = open(f"/proc/{sys.argv[1]}/stat").read()
    fields = text[text.rindex(")") + 2:].split()
    same = int(fields[19]) == int(sys.argv[2])
except OSError:
    same, fields = False, ["X"]
print(json.dumps("gone" if not same or fields[0] in "ZX" else "stopped" if fields[0] in "Tt" else "running"))
"""
"""argv: pid, start time. Prints running, stopped or gone."""

SIGNAL = STATE.replace(
    'print(json.dumps("gone"',
    'import os, signal\nif same:\n    os.kill(int(sys.argv[1]), getattr(signal, sys.argv[3]))\nprint(json.dumps("gone"',
)
"""argv: pid, start time, SIGSTOP or SIGCONT or SIGKILL. Prints what it was before."""

READ = """
import json, sys
try:
    print(open(sys.argv[1]).read())
except FileNotFoundError:
    print("{}")
"""
"""argv: path of a JSON file. Prints it; {} when there is none."""

WRITE = """
import json, os, sys
path, text = sys.argv[1:3]
if text == "{}":
    if os.path.exists(path):
        os.remove(path)
else:
    with open(path + ".new", "w") as file:
        file.write(text)
    os.replace(path + ".new", path)
print(json.dumps("done"))
"""
"""argv: path, JSON text. Replaces the file at once; {} removes it."""


RESOLVE = """
import json, socket, sys
try:
    socket.getaddrinfo(sys.argv[1], 443)
except OSError:
    print(json.dumps(False))
else:
    print(json.dumps(True))
"""
"""argv: a name. Prints whether it can be resolved."""


def command(program: str, *arguments: str) -> list[str]:
    """The argument list to run in the container."""
    return [INTERPRETER, "-c", program, *arguments]
