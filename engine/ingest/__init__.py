"""A shop's files become a dataset: :func:`ingest`, and what it is told and tells."""

from engine.ingest.ingest import ingest
from engine.ingest.mapping import Condition, Mapping, PictureColumn, TableMapping
from engine.ingest.report import IngestReport, RejectCount, TableReport, render_report
from engine.ingest.titles import readable_title

__all__ = [
    "Condition",
    "IngestReport",
    "Mapping",
    "PictureColumn",
    "RejectCount",
    "TableMapping",
    "TableReport",
    "ingest",
    "readable_title",
    "render_report",
]
