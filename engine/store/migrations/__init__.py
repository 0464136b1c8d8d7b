"""The steps from an empty database to the tables of :mod:`engine.store.schema`, for Alembic.

A step, once released, never changes: a later shape is a new step, and :data:`HEAD` of
:mod:`engine.store.migrate` names it. Stores only ever go forward.
"""
