"""What an item looks and reads like, as vectors: open_clip models, their cache and their fusion."""

from encoders.base import EncoderError, Float32, ItemEncoder, Preprocessing
from encoders.cache import VectorCache, cached_images, cached_texts
from encoders.fusion import fuse
from encoders.images import ImageError, decode_image
from encoders.openclip import Encoder
from encoders.probe import Probe, ProbeMismatch, check_probe, dump_probe, load_probe, take_probe

__all__ = [
    "Encoder",
    "EncoderError",
    "Float32",
    "ImageError",
    "ItemEncoder",
    "Preprocessing",
    "Probe",
    "ProbeMismatch",
    "VectorCache",
    "cached_images",
    "cached_texts",
    "check_probe",
    "decode_image",
    "dump_probe",
    "fuse",
    "load_probe",
    "take_probe",
]
