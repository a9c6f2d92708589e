"""Events in a chain, and the lists they leave."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    position = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "incident_events",
        sa.Column("position", position, primary_key=True, autoincrement=False),
        sa.Column("incident", sa.Text, nullable=False),
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("recorded_at", sa.Double, nullable=False),
        sa.Column("payload", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("previous", sa.Text, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
        sa.UniqueConstraint("incident", "seq", name="incident_events_seq"),
    )
    chain = op.create_table(
        "incident_chain",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
        sa.Column("incidents", sa.Integer, nullable=False),
        sa.Column("exercises", sa.Integer, nullable=False),
        sa.CheckConstraint("id = 1", name="incident_chain_one_row"),
    )
    op.bulk_insert(chain, [{"id": 1, "position": 0, "hash": "0" * 64, "incidents": 0, "exercises": 0}])
    op.create_table(
        "incident_heads",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("opened_position", sa.BigInteger, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("origin", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("severity", sa.Text, nullable=False),
        sa.Column("opened_at", sa.Double, nullable=False),
        sa.Column("updated_at", sa.Double, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("service", sa.Text, nullable=False),
        sa.Column("experiment", sa.Text, nullable=False),
        sa.Column("milestones", sa.Text, nullable=False),
        sa.Column("figures", sa.Text, nullable=False),
        sa.Column("events", sa.Integer, nullable=False),
    )
    op.create_index("incident_heads_key", "incident_heads", ["key"])
    op.create_index("incident_heads_opened", "incident_heads", ["opened_at"])
    op.create_table(
        "incident_items",
        sa.Column("incident", sa.Text, sa.ForeignKey("incident_heads.id"), primary_key=True),
        sa.Column("item", sa.Text, primary_key=True),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("start", sa.Text, nullable=True),
        sa.Column("due", sa.Text, nullable=True),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
    )
