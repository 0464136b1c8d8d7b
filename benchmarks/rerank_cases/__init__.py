"""Sections of the reranker's benchmark, one module each: ``run(asked) -> Found``."""
