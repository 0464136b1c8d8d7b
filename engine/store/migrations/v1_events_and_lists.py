"""What users did, and what they were shown."""

import sqlalchemy as sa
from alembic import op

revision = "1"
down_revision = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "events",
        sa.Column(
            "seq",
            sa.BigInteger().with_variant(sa.Integer, "sqlite"),  # which alone numbers rows itself
            sa.Identity(always=True),
            primary_key=True,
        ),
        sa.Column("event_id", sa.Text, nullable=False, unique=True),
        sa.Column("user_id", sa.Text, nullable=False),
        sa.Column("item_id", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("at_us", sa.BigInteger, nullable=False),
        sa.Column("value", sa.Double),
        sa.Column("session_id", sa.Text),
        sa.Column("place", sa.Text),
        sa.Column("request_id", sa.Text),
        sa.Column("received_at_us", sa.BigInteger, nullable=False),
    )
    op.create_index("events_of_user", "events", ["user_id", "at_us", "seq"])
    op.create_table(
        "impressions",
        sa.Column("request_id", sa.Text, primary_key=True),
        sa.Column("user_id", sa.Text, nullable=False),
        sa.Column("at_us", sa.BigInteger, nullable=False),
        sa.Column("scene", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
    )
    op.create_index("impressions_of_user", "impressions", ["user_id", "at_us"])
    op.create_table(
        "impression_slots",
        sa.Column("request_id", sa.Text, primary_key=True),
        sa.Column("rank", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("item_id", sa.Text, nullable=False),
        sa.Column("score", sa.Double, nullable=False),
        sa.Column("channels", sa.Text, nullable=False),
    )
