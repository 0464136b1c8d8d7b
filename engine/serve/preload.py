"""What every engine worker needs; imported by the fork server alone, before it has children."""

from __future__ import annotations

import atexit
import gc
import os
import signal
import sys
from contextlib import suppress
from importlib import import_module

import torch  # noqa: F401 - so that no worker has to

import engine.serve.engines
import engine.serve.faults
import engine.serve.recommend_api
import engine.serve.verbs  # noqa: F401

with suppress(ImportError):  # the bundled encoder reads words with it; others need not
    import_module("transformers.models.bert.modeling_bert")
if any("multiprocessing.forkserver" in argument for argument in sys.orig_argv):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the workers that it started still drain
    atexit.register(os._exit, 0)  # triton would list in the log what it does not take down
    gc.collect()
    gc.freeze()  # else the first collection in a worker would copy every page that they share
