"""Experiments: who is in which variant, and what came of it."""

from engine.experiments.plan import Assigned, Experiment, Metric, Plan, Variant, assign

__all__ = ["Assigned", "Experiment", "Metric", "Plan", "Variant", "assign"]
