"""clip-retrieval over one folder, in its own environment: a pass for each line that comes in.

Started by ``benchmarks.encoder_throughput`` with that environment's interpreter; it shares no
packages with Vitrine.
"""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Load the model, then answer each line with ``done`` after one pass over the folder."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # Their own prints go elsewhere.
    from all_clip import load_clip  # type: ignore[import-not-found]
    from clip_retrieval.clip_inference.mapper import (  # type: ignore[import-not-found]
        ClipMapper,
    )
    from clip_retrieval.clip_inference.reader import (  # type: ignore[import-not-found]
        FilesReader,
    )

    model, folder = sys.argv[1:]
    mapper = ClipMapper(
        enable_image=True,
        enable_text=False,
        enable_metadata=False,
        use_mclip=False,
        clip_model=model,
        use_jit=False,
        mclip_model="",
    )
    _, preprocess, tokenizer = load_clip(clip_model=model, use_jit=False)
    for _ in sys.stdin:
        reader = FilesReader(
            sampler=lambda keys: keys,
            preprocess=preprocess,
            tokenizer=tokenizer,
            input_dataset=folder,
            batch_size=32,
            num_prepro_workers=len(os.sched_getaffinity(0)),
            enable_text=False,
            enable_image=True,
            enable_metadata=False,
        )
        for batch in reader:
            mapper(batch)
        answers.write("done\n")
        answers.flush()


if __name__ == "__main__":
    main()
