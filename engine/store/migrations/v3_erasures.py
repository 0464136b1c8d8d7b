"""Who was erased, told by digests alone."""

import sqlalchemy as sa
from alembic import op

revision = "3"
down_revision = "2"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "erasures",
        sa.Column(
            "seq",
            sa.BigInteger().with_variant(sa.Integer, "sqlite"),
            sa.Identity(always=True),
            primary_key=True,
        ),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("at_us", sa.BigInteger, nullable=False),
        sa.Column("asked_by", sa.Text, nullable=False),
        sa.Column("events", sa.Integer, nullable=False),
        sa.Column("impressions", sa.Integer, nullable=False),
    )
    op.create_table("erasure_salt", sa.Column("salt", sa.Text, nullable=False))
