"""Items that are added, changed and withdrawn while a run serves."""

import sqlalchemy as sa
from alembic import op

revision = "2"
down_revision = "1"


def upgrade() -> None:
    """Make the tables, and count changes from 0."""
    op.create_table(
        "live_items",
        sa.Column("item_id", sa.Text, primary_key=True),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("withdrawn", sa.Integer, nullable=False),
        sa.Column("item", sa.Text, nullable=False),
        sa.Column("encoder", sa.Text, nullable=False),
        sa.Column("parts", sa.LargeBinary, nullable=False),
        sa.Column("picture_name", sa.Text),
        sa.Column("picture", sa.LargeBinary),
    )
    op.create_index("live_items_by_version", "live_items", ["version"])
    op.create_table("live_version", sa.Column("version", sa.BigInteger, nullable=False))
    op.execute("INSERT INTO live_version (version) VALUES (0)")
