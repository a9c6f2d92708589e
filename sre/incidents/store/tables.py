"""The tables, as the newest migration leaves them (a test compares both).

Events are the truth. `incident_chain` has one row, the end of the chain, at which writers queue. `incident_heads` and
`incident_items` are what the events leave, kept so that lists need not fold ten thousand incidents.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

VERSION_TABLE = "incident_store_version"
METADATA = MetaData()
_POSITION = BigInteger().with_variant(Integer(), "sqlite")

EVENTS = Table(
    "incident_events",
    METADATA,
    Column("position", _POSITION, primary_key=True, autoincrement=False),
    Column("incident", Text, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("at", Double, nullable=False),
    Column("recorded_at", Double, nullable=False),
    Column("payload", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("previous", Text, nullable=False),
    Column("hash", Text, nullable=False),
    UniqueConstraint("incident", "seq", name="incident_events_seq"),
)
CHAIN = Table(
    "incident_chain",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("position", BigInteger, nullable=False),
    Column("hash", Text, nullable=False),
    Column("incidents", Integer, nullable=False),
    Column("exercises", Integer, nullable=False),
    CheckConstraint("id = 1", name="incident_chain_one_row"),
)
HEADS = Table(
    "incident_heads",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("opened_position", BigInteger, nullable=False),
    Column("title", Text, nullable=False),
    Column("origin", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("opened_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
    Column("key", Text, nullable=False),
    Column("service", Text, nullable=False),
    Column("experiment", Text, nullable=False),
    Column("milestones", Text, nullable=False),
    Column("figures", Text, nullable=False),
    Column("events", Integer, nullable=False),
    Index("incident_heads_key", "key"),
    Index("incident_heads_opened", "opened_at"),
)
ITEMS = Table(
    "incident_items",
    METADATA,
    Column("incident", Text, ForeignKey("incident_heads.id"), primary_key=True),
    Column("item", Text, primary_key=True),
    Column("title", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("start", Text, nullable=True),
    Column("due", Text, nullable=True),
    Column("status", Text, nullable=False),
    Column("note", Text, nullable=False),
)
