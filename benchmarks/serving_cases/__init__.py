"""What ``benchmarks.serving`` measures, one module a case."""
