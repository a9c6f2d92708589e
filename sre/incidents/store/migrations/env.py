"""Alembic runs this for each migration. The connection, and the transaction it is in, are the caller's."""

from alembic import context

from sre.incidents.store.tables import METADATA, VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    version_table=VERSION_TABLE,
    transactional_ddl=True,
)
context.run_migrations()
