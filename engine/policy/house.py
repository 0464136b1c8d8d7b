"""Which rules a user's request is under: the policy file, the experiments, and the run's own.

A folder may hold ``policy.yaml`` and ``experiments.yaml``; both may appear and change while
processes serve. Without them the policy of the run's settings holds, at no cost to a request.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from engine.experiments.plan import Assigned, Plan, assign
from engine.policy.compiled import Compiled, compile_policy
from engine.policy.exposure import Ledger
from engine.policy.file import WatchedFile, read_model, read_policy, write_policy
from engine.policy_rules import Policy
from engine.publish import STATE_FOLDER, family_of
from engine.runtime import Run

POLICY_FILE = "policy.yaml"
EXPERIMENTS_FILE = "experiments.yaml"


def rules_folder(run: Path) -> Path:
    """Where the rules of a run lie: in its own state, or in that of its family, to outlast it."""
    return (family_of(run.parent) or run) / STATE_FOLDER


class House:
    """The rules of a folder, as requests meet them. Safe for threads."""

    def __init__(self, folder: Path) -> None:
        """Read what is there.

        Raises:
            DataError: A file cannot be used.
        """
        self.folder = folder
        self.policy_file = WatchedFile(folder / POLICY_FILE, read_policy)
        self.experiments_file = WatchedFile(folder / EXPERIMENTS_FILE, read_plan)
        self._of_variants: dict[Path, WatchedFile[Policy]] = {}
        self._compiled: dict[tuple[int, int], Compiled] = {}
        self._usual: Compiled | None = None
        self._ledger = Ledger()
        self._watch_variants(self.experiments_file.current())

    def policy(self, run: Run) -> Policy:
        """The policy in force, experiments aside."""
        return self.policy_file.current() or run.config.policy

    def put_policy(self, policy: Policy) -> None:
        """Put a policy in force: here at once, in other processes within a second.

        Raises:
            RunError: The file cannot be written.
        """
        write_policy(policy, self.policy_file.path)
        self.policy_file.look_again()

    def preview(self, policy: Policy, run: Run) -> Compiled:
        """A policy that is only tried."""
        return compile_policy(policy, run, self._ledger)

    def plan(self) -> Plan:
        """The experiments in force."""
        return self.experiments_file.current() or Plan()

    def ruling(self, run: Run, user_id: str, moment: datetime | None = None) -> Compiled:
        """The policy that one request keeps to, and the variants that the user is in.

        Args:
            run: Answers the request.
            user_id: Decides the variants.
            moment: Of the experiments' times; None is now.
        """
        usual = self._compile_usual(run)
        plan = self.experiments_file.current()
        if plan is None:
            return usual
        assigned = assign(plan, user_id, moment or datetime.now(UTC))
        if not assigned.variants:
            return usual
        return replace(self._of(assigned, run, usual), variants=assigned.variants)

    def compiled(self, policy: Policy, run: Run) -> Compiled:
        """A policy in the terms of a run; the same one is compiled once."""
        key = (id(run), id(policy))
        found = self._compiled.get(key)
        if found is None or found.run is not run or found.policy is not policy:
            found = compile_policy(policy, run, self._ledger)
            # A change of an item makes a new run: nothing here must keep the one before alive.
            kept = {k: one for k, one in self._compiled.items() if one.run is run}
            self._compiled = {**kept, key: found}
        return found

    def _compile_usual(self, run: Run) -> Compiled:
        policy, usual = self.policy(run), self._usual
        if usual is None or usual.run is not run or usual.policy is not policy:
            usual = self._usual = self.compiled(policy, run)
        return usual

    def _of(self, assigned: Assigned, run: Run, usual: Compiled) -> Compiled:
        if assigned.policy is None:
            return usual
        path = self.folder / assigned.policy
        watched = self._of_variants.get(path)
        if watched is None:
            watched = self._of_variants[path] = WatchedFile(path, read_policy)
        policy = watched.current()
        return usual if policy is None else self.compiled(policy, run)

    def _watch_variants(self, plan: Plan | None) -> None:
        """Read the policies of all variants now, while somebody is looking."""
        for experiment in plan.experiments if plan else ():
            for variant in experiment.variants:
                if variant.policy is not None:
                    path = self.folder / variant.policy
                    self._of_variants[path] = WatchedFile(path, read_policy)


def read_plan(path: Path) -> Plan:
    """The experiments of a file, and whether the policies that they name can be read.

    Raises:
        DataError: The plan or one of its policies cannot be used.
    """
    plan = read_model(path, Plan)
    for experiment in plan.experiments:
        for variant in experiment.variants:
            if variant.policy is not None:
                read_policy(path.parent / variant.policy)
    return plan
