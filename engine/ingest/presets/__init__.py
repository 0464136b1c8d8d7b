"""Data sets that are known by name: what their files are, and under which terms they come."""

from engine.ingest.presets.known import PRESETS, preset_named
from engine.ingest.presets.preset import Preset
from engine.ingest.presets.run import ingest_preset
from engine.ingest.presets.shelf import Shelf

__all__ = ["PRESETS", "Preset", "Shelf", "ingest_preset", "preset_named"]
