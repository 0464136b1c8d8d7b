"""The presets that there are."""

from __future__ import annotations

import difflib

from engine.errors import MappingError
from engine.ingest.presets.amazon import AMAZON_2014, AMAZON_2018, AMAZON_2023
from engine.ingest.presets.complete_journey import COMPLETE_JOURNEY
from engine.ingest.presets.fashion import FASHION, HM
from engine.ingest.presets.gowalla import GOWALLA
from engine.ingest.presets.ikea import IKEA
from engine.ingest.presets.instacart import INSTACART
from engine.ingest.presets.movielens import MOVIELENS
from engine.ingest.presets.online_retail import ONLINE_RETAIL
from engine.ingest.presets.preset import Preset
from engine.ingest.presets.retailrocket import RETAILROCKET

PRESETS = (
    COMPLETE_JOURNEY,
    ONLINE_RETAIL,
    MOVIELENS,
    AMAZON_2014,
    AMAZON_2018,
    AMAZON_2023,
    FASHION,
    HM,
    IKEA,
    RETAILROCKET,
    INSTACART,
    GOWALLA,
)


def preset_named(name: str) -> Preset:
    """The preset of a name.

    Raises:
        MappingError: There is none.
    """
    for preset in PRESETS:
        if preset.name == name:
            return preset
    names = [preset.name for preset in PRESETS]
    near = difflib.get_close_matches(name, names, n=1)
    guess = f"; did you mean {near[0]!r}?" if near else ""
    raise MappingError(f"no preset {name!r}: expected one of {', '.join(names)}{guess}")
