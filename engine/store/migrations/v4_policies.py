"""By which policy a list was made, with which propensities, and what the scorer saw of it."""

import sqlalchemy as sa
from alembic import op

revision = "4"
down_revision = "3"


def upgrade() -> None:
    """Add the columns, with what was true of older lists, and the tables."""
    for name, default in (("policy", ""), ("variants", "{}")):
        column = sa.Column(name, sa.Text, nullable=False, server_default=default)
        op.add_column("impressions", column)
    op.create_index("impressions_by_time", "impressions", ["at_us"])
    propensity = sa.Column("propensity", sa.Double, nullable=False, server_default="1.0")
    op.add_column("impression_slots", propensity)
    op.create_table(
        "impression_inputs",
        sa.Column("request_id", sa.Text, primary_key=True),
        sa.Column("names_hash", sa.Text, nullable=False),
        sa.Column("features", sa.LargeBinary, nullable=False),
        sa.Column("token_items", sa.Text, nullable=False),
        sa.Column("tokens", sa.LargeBinary, nullable=False),
        sa.Column("pool_items", sa.Text, nullable=False),
        sa.Column("pool_scores", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "feature_names",
        sa.Column("names_hash", sa.Text, primary_key=True),
        sa.Column("names", sa.Text, nullable=False),
    )
