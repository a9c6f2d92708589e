"""The database itself refuses to change or delete events, and to turn the chain's end back."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    statements = _POSTGRES if op.get_bind().dialect.name == "postgresql" else _SQLITE
    for statement in statements:
        op.execute(statement)


_SQLITE = (
    """CREATE TRIGGER incident_events_no_update BEFORE UPDATE ON incident_events
    BEGIN SELECT RAISE(ABORT, 'incident events are append-only'); END""",
    """CREATE TRIGGER incident_events_no_delete BEFORE DELETE ON incident_events
    BEGIN SELECT RAISE(ABORT, 'incident events are append-only'); END""",
    # INSERT OR REPLACE deletes without asking the trigger above
    """CREATE TRIGGER incident_events_at_the_end BEFORE INSERT ON incident_events
    WHEN NEW.position <> (SELECT COALESCE(MAX(position), 0) + 1 FROM incident_events)
    BEGIN SELECT RAISE(ABORT, 'incident events are added at the end'); END""",
    """CREATE TRIGGER incident_chain_forward BEFORE UPDATE ON incident_chain WHEN NEW.position <= OLD.position
    BEGIN SELECT RAISE(ABORT, 'the chain of incident events only grows'); END""",
    """CREATE TRIGGER incident_chain_no_delete BEFORE DELETE ON incident_chain
    BEGIN SELECT RAISE(ABORT, 'the chain of incident events only grows'); END""",
)
_POSTGRES = (
    """CREATE FUNCTION incident_events_refuse() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'incident events are append-only'; END $$""",
    """CREATE FUNCTION incident_chain_refuse() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'the chain of incident events only grows'; END $$""",
    """CREATE TRIGGER incident_events_no_update BEFORE UPDATE ON incident_events
    FOR EACH STATEMENT EXECUTE FUNCTION incident_events_refuse()""",
    """CREATE TRIGGER incident_events_no_delete BEFORE DELETE OR TRUNCATE ON incident_events
    FOR EACH STATEMENT EXECUTE FUNCTION incident_events_refuse()""",
    """CREATE TRIGGER incident_chain_forward BEFORE UPDATE ON incident_chain
    FOR EACH ROW WHEN (NEW.position <= OLD.position) EXECUTE FUNCTION incident_chain_refuse()""",
    """CREATE TRIGGER incident_chain_no_delete BEFORE DELETE OR TRUNCATE ON incident_chain
    FOR EACH STATEMENT EXECUTE FUNCTION incident_chain_refuse()""",
)
