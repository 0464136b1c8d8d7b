"""Cases of ``make bench-explain``."""
