"""What a worker does all day: it takes a handful of calls from the line and answers each."""

from __future__ import annotations

import signal
from types import FrameType

from litserve import LitAPI  # type: ignore[import-untyped]
from litserve.loops.base import LitLoop  # type: ignore[import-untyped]

from engine.serve.line_end import LineEnd, hello


class AnswerLoop(LitLoop):  # type: ignore[misc]
    """LitServe's loop for :class:`engine.serve.recommend_api.RecommendAPI`.

    LitServe's batched loop polls every millisecond, answers nobody before the whole batch is
    done, and lets one bad call fail its neighbours.
    """

    def __call__(
        self, lit_api: LitAPI, device: str, worker_id: int, request_queue: LineEnd, *_: object
    ) -> None:
        """Answer until told to stop; then write what is waiting and return."""

        def leave(signum: int, frame: FrameType | None) -> None:
            request_queue.leave()

        signal.signal(signal.SIGTERM, leave)
        for handful in request_queue.calls(hello(worker_id, lit_api.engine.run_id)):
            for answered in lit_api.predict(handful):
                request_queue.answer(answered)
        lit_api.close()
        request_queue.close()
