"""What an item looks and reads like, as vectors: open_clip models, their cache and their fusion."""

from encoders.base import EncoderError, Float32, ItemEncoder, Preprocessing
from encoders.bulk import EncodedPictures, Rejected, encode_pictures
from encoders.cache import VectorCache, cached_images, cached_texts
from encoders.fusion import fuse, fuse_parts, pool_pictures
from encoders.gate_learning import fit_gates
from encoders.gates import Gates, fixed_gates
from encoders.images import ImageError, decode_image
from encoders.openclip import Encoder
from encoders.probe import Probe, ProbeMismatch, check_probe, dump_probe, load_probe, take_probe

__all__ = [
    "EncodedPictures",
    "Encoder",
    "EncoderError",
    "Float32",
    "Gates",
    "ImageError",
    "ItemEncoder",
    "Preprocessing",
    "Probe",
    "ProbeMismatch",
    "Rejected",
    "VectorCache",
    "cached_images",
    "cached_texts",
    "check_probe",
    "decode_image",
    "dump_probe",
    "encode_pictures",
    "fit_gates",
    "fixed_gates",
    "fuse",
    "fuse_parts",
    "load_probe",
    "pool_pictures",
    "take_probe",
]
