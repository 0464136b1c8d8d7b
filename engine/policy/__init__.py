"""Rules between the scores and the list."""

from engine.policy.compiled import Compiled, Listed, Scores, compile_policy, place
from engine.policy.file import policy_schema, read_policy, write_policy
from engine.policy.house import House, rules_folder
from engine.policy.slots import Placed, fill_slots

__all__ = [
    "Compiled",
    "House",
    "Listed",
    "Placed",
    "Scores",
    "compile_policy",
    "fill_slots",
    "place",
    "policy_schema",
    "read_policy",
    "rules_folder",
    "write_policy",
]
