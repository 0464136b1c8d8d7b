"""Routes for operators: the policy, what it would change, and the experiments."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Body
from fastapi import Path as InPath
from fastapi.openapi.models import Example

from engine.policy_rules import Policy
from engine.serve.desk import Desk
from engine.serve.examples import ITEM, USER
from engine.serve.fields import Id
from engine.serve.policy_schemas import (
    ExperimentRequest,
    ExperimentsAnswer,
    ExperimentsRequest,
    PolicyAnswer,
    PolicyRequest,
    PreviewAnswer,
    PreviewRequest,
    PutPolicyRequest,
    ReportAnswer,
)

RULES: Final[dict[str, Any]] = {
    "name": "spring",
    "max_per_group": 2,
    "boosts": [{"name": "spring", "items": [ITEM], "logit": 0.5, "ends_at": "2030-04-01"}],
}
POLICY: Final[dict[str, Example]] = {
    "spring": {"summary": "Two of a category at most, and a boost", "value": RULES}
}
PREVIEW: Final[dict[str, Example]] = {
    "spring": {"summary": "One shopper's list", "value": {"user_id": USER, "policy": RULES}}
}


def policy_routes(desk: Desk) -> APIRouter:
    """What an operator asks and decides."""
    router = APIRouter(prefix="/v1", tags=["policy"])

    @router.get("/policy")
    async def policy() -> PolicyAnswer:
        """The policy in force."""
        return await desk.ask(PolicyRequest(), PolicyAnswer)

    @router.put("/policy")
    async def put_policy(body: Annotated[Policy, Body(openapi_examples=POLICY)]) -> PolicyAnswer:
        """Put a policy in force; every worker keeps to it within a second."""
        return await desk.ask(PutPolicyRequest(policy=body), PolicyAnswer)

    @router.get("/policy/schema")
    async def schema() -> dict[str, Any]:
        """JSON schema of a policy, for editors."""
        return Policy.model_json_schema()

    @router.post("/policy/preview")
    async def preview(
        body: Annotated[PreviewRequest, Body(openapi_examples=PREVIEW)],
    ) -> PreviewAnswer:
        """A user's list as it is, and as a policy would make it."""
        return await desk.ask(body, PreviewAnswer)

    @router.get("/experiments")
    async def experiments() -> ExperimentsAnswer:
        """The experiments in force."""
        return await desk.ask(ExperimentsRequest(), ExperimentsAnswer)

    @router.get("/experiments/{name}")
    async def experiment(name: Annotated[Id, InPath()]) -> ReportAnswer:
        """What came of an experiment so far."""
        return await desk.ask(ExperimentRequest(name=name), ReportAnswer)

    return router
