"""The incident store in a real PostgreSQL: the contract, and what only a server can suffer."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from sre.errors import EnvironmentLacks, SreError
from sre.incidents.store import open_store
from sre.incidents.store.postgres import postgres_database


def by_path(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = sys.modules[path.stem] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


TESTS = Path(__file__).parents[1]
postgres = by_path(TESTS / "integration" / "postgres_cluster.py")
contract = by_path(TESTS / "sre" / "incidents" / "store" / "store_contract.py")
fill, opened = contract.fill, contract.opened

BINARIES = postgres.find_binaries()
pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(BINARIES is None, reason="PostgreSQL is missing: apt-get install postgresql"),
    pytest.mark.skipif(
        importlib.util.find_spec("psycopg") is None, reason="psycopg is missing: pip install 'llm-gameday[postgres]'"
    ),
]


@pytest.fixture(scope="module")
def server():
    with postgres.cluster(BINARIES) as made:
        yield made


class PostgresPlace:
    drop_guard = "DROP TRIGGER incident_events_no_update ON incident_events"

    def __init__(self, server):
        self.server = server
        self.name = server.new_database()
        self._open, self._started = [], []

    def store(self, **options):
        self._open.append(open_store(self.server.url(self.name), **options))
        return self._open[-1]

    @contextmanager
    def database(self):
        url = self.server.url(self.name).replace("postgresql", "postgresql+psycopg")
        with closing(postgres_database(url, read_only=False, shown="store")) as database:
            yield database

    def sql(self, *statements):
        import psycopg

        with psycopg.connect(self.server.url(self.name)) as connection:
            for statement in statements:
                connection.execute(statement)

    def unguarded(self, *statements):
        self.sql("SET session_replication_role = replica", *statements)

    def python(self, script, *arguments):
        where = self.server.url(self.name, password=False)
        environ = {**os.environ, "PGPASSWORD": self.server.password}
        command = [sys.executable, str(script), where, *arguments]
        self._started.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environ))
        return self._started[-1]

    def close(self):
        for process in self._started:
            process.kill()
            process.wait()
            process.stdout.close()
        for store in self._open:
            store.close()


@pytest.fixture
def place(server):
    made = PostgresPlace(server)
    yield made
    made.close()


class TestPostgres(contract.StoreContract):
    pass


def test_truncating_is_refused_too(place):
    fill(place.store())
    with pytest.raises(Exception, match="append-only"):
        place.sql("TRUNCATE incident_events")


def test_the_tables_may_lie_beside_others(place):
    place.sql("CREATE TABLE songs (title text)", "CREATE TABLE alembic_version (version_num text)")
    assert place.store().open(opened()).head.id == "INC-0001"


def test_a_wrong_password_is_told_without_it(server):
    url = server.url().replace(server.password, "swordfish")
    with pytest.raises(EnvironmentLacks, match="password authentication failed") as error:
        open_store(url)
    assert "swordfish" not in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "where", ["postgresql://u:swordfish@127.0.0.1:1/x", "postgres://127.0.0.1:1/x?password=swordfish"]
)
def test_a_server_that_is_not_there_is_told_without_the_password(where):
    with pytest.raises(EnvironmentLacks, match=r"no connection .*: start the server") as error:
        open_store(where)
    assert "swordfish" not in str(error.value)
    assert "\n" not in str(error.value)


def test_a_database_that_is_not_there_is_told(server):
    with pytest.raises(EnvironmentLacks, match='database "nosuch" does not exist'):
        open_store(server.url("nosuch"))


def test_a_user_who_may_only_read_reads_and_is_told(place):
    fill(place.store())
    name = f"reader_{place.name}"
    place.sql(f"CREATE USER {name} PASSWORD 'x'", f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {name}")
    url = place.server.url(place.name).replace(f"sre:{place.server.password}", f"{name}:x")
    with closing(open_store(url)) as store:
        assert len(store.heads()) == 3
        with pytest.raises(SreError, match="this user may not do that here"):
            store.open(opened())


def test_a_search_path_of_the_url_is_kept(place):
    place.sql("CREATE SCHEMA apart")
    with closing(open_store(place.server.url(place.name) + "?options=-csearch_path%3Dapart")) as store:
        store.open(opened())
    place.sql("SELECT * FROM apart.incident_events")


def test_a_server_that_went_away_and_came_back_is_used_again(place):
    store = place.store()
    fill(store)
    ours = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'llm-gameday'"
    place.server.execute(ours)
    assert len(store.heads()) == 3


def test_a_database_that_cannot_hold_every_letter_is_refused(server, place):
    server.execute(f"CREATE DATABASE {place.name}a ENCODING 'SQL_ASCII' TEMPLATE template0")
    with pytest.raises(SreError, match="keeps text as SQL_ASCII: make the database with ENCODING 'UTF8'"):
        open_store(server.url(f"{place.name}a"))
