"""The time- and scene-aware reranker: arrays in, scores out."""
