"""A PostgreSQL server of our own: a fresh cluster in a temporary folder, on a free port of 127.0.0.1, gone afterwards.

It refuses to run as root; then it runs as the user `postgres`, that Debian's package makes.
"""

from __future__ import annotations

import glob
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

USER = "sre"


@dataclass(frozen=True)
class Cluster:
    port: int
    password: str

    def url(self, database="postgres", *, password=True):
        secret = f":{self.password}" if password else ""
        return f"postgresql://{USER}{secret}@127.0.0.1:{self.port}/{database}"

    def execute(self, statement, database="postgres"):
        import psycopg

        with psycopg.connect(self.url(database), autocommit=True, connect_timeout=5) as connection:
            return connection.execute(statement)

    def new_database(self):
        name = f"t{secrets.token_hex(6)}"
        self.execute(f"CREATE DATABASE {name}")
        return name


def find_binaries() -> Path | None:
    """The folder with `postgres` and `initdb`; the newest of Debian's when none is on the path."""
    found = shutil.which("postgres")
    if found:
        return Path(found).resolve().parent
    folders = sorted(glob.glob("/usr/lib/postgresql/*/bin/postgres"), key=lambda path: int(Path(path).parts[4]))  # noqa: PTH207
    return Path(folders[-1]).parent if folders else None


@contextmanager
def cluster(binaries: Path):
    folder = Path(tempfile.mkdtemp(prefix="sre-pg-", dir="/tmp"))
    data, port, password = folder / "data", free_port(), secrets.token_hex(16)
    (folder / "password").write_text(password)
    as_user = {}
    if os.geteuid() == 0:
        as_user = {"user": "postgres", "group": "postgres", "extra_groups": []}
        for path in (folder, folder / "password"):
            shutil.chown(path, "postgres", "postgres")
    make = [binaries / "initdb", "-D", data, "-U", USER, "-E", "UTF8", "--locale=C", "-A", "scram-sha-256"]
    run = [binaries / "postgres", "-D", data, "-h", "127.0.0.1", "-p", str(port), "-k", folder]
    try:
        subprocess.run(
            [*make, f"--pwfile={folder / 'password'}"], check=True, capture_output=True, cwd=folder, **as_user
        )
        with (folder / "log").open("w") as log:
            server = subprocess.Popen(run, stdout=log, stderr=subprocess.STDOUT, cwd=folder, **as_user)
        try:
            made = Cluster(port, password)
            wait_until_up(made, server, folder / "log")
            yield made
        finally:
            server.send_signal(signal.SIGINT)  # its fast shutdown
            server.wait(timeout=60)
    finally:
        shutil.rmtree(folder)


def wait_until_up(made, server, log, within_s=60.0):
    import psycopg

    until = time.monotonic() + within_s
    while True:
        try:
            made.execute("SELECT 1")
            return
        except psycopg.OperationalError:
            if server.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"PostgreSQL does not start: {log.read_text()[-2000:]}") from None
            time.sleep(0.05)


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]
