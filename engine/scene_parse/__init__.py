"""Words to a scene and back, without a language model."""

from engine.scene_parse.read import Reading, read_scene
from engine.scene_parse.render import render
from engine.scene_parse.spans import Span

__all__ = ["Reading", "Span", "read_scene", "render"]
