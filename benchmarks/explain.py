"""Reasons and the assistant: what they cost, and whether they keep to what is known.

    python -m benchmarks.explain [SECTION ...]

Sections: ``wording``, ``fidelity``, ``checker``, ``assistant``, ``llm``. Without one all are
measured; figures of sections that were measured before stay. Needs a run of the demo (``--run``);
its event store is not written to. ``llm`` needs the extra ``llm``.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import torch
import yaml

from benchmarks import pages
from benchmarks.cases import measured
from benchmarks.explain_cases.asking import ask_all
from benchmarks.explain_cases.corpus import CORPORA, measure_checker
from benchmarks.explain_cases.fidelity import fidelity
from benchmarks.explain_cases.wording import reasons_ms, wordings
from benchmarks.sections import Found, Section, rows, run
from engine.recommend import Engine

COMMAND = "make bench-explain"
FAILURES = Path(__file__).parent / "results" / "explain" / "assistant_failures.yaml"
case = partial(measured, command=COMMAND)


def main() -> None:
    """Measure and write ``benchmarks/results/explain*``, ``explain.md`` and the README."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.explain", description=__doc__)
    parser.add_argument("sections", nargs="*", metavar="SECTION")
    parser.add_argument("--run", type=Path, default=Path("runs/demo"))
    parser.add_argument("--reasons", type=int, default=5_000, help="recommendations to word")
    parser.add_argument("--written", type=int, default=5_000, help="of them by the local model")
    parser.add_argument("--users", type=int, default=200, help="shoppers for fidelity")
    parser.add_argument("--threads", type=int, default=2, help="of the local model")
    given = parser.parse_args()
    torch.set_num_threads(1)
    folder, n, threads = given.run, given.reasons, given.threads
    sections = (
        Section("wording", "Deterministic reasons", lambda: _wording(folder, n)),
        Section("fidelity", "Evidence weights", lambda: _fidelity(folder, given.users)),
        Section("checker", "The checker", _checker),
        Section("assistant", "The assistant without a model", lambda: _assistant(folder)),
        Section("llm", "The packaged model", lambda: _llm(folder, given.written, threads)),
    )
    run("explain", sections, given.sections)
    pages.main()


@contextmanager
def _opened(folder: Path) -> Iterator[Engine]:
    """The run with an empty store of its own."""
    with tempfile.TemporaryDirectory() as scratch:
        url = f"sqlite:///{scratch}/events.sqlite"
        with Engine.open(folder, store_url=url) as engine:
            yield engine


def _wording(folder: Path, n: int) -> Found:
    with _opened(folder) as engine:
        whole_ms, added_ms = reasons_ms(engine)
        found = wordings(engine, n)
    cases = (
        case("reasons_ms", added_ms, "ms", "<= 2"),
        case("nonsense", len(found.nonsense), f"of {2 * found.n:,}", "<= 0"),
        case("own_sentences_traced", found.accepted, ""),
        case("own_sentences_traced_zh", found.accepted_zh, ""),
        case("changed_numbers_rejected", found.changed_rejected, "", ">= 0.98"),
    )
    note = (
        f"`recommend` (k=10) with reasons {whole_ms:.1f} ms, of which reasons {added_ms:.2f} ms. "
        f"{found.n:,} recommendations to random shoppers at random places with and without a wish, "
        f"in English and Chinese: {found.distinct:,} different sentences."
    )
    examples = "\n".join(f"- {line}" for line in (*found.nonsense[:5], *found.untraced[:5]))
    return Found(cases, f"{note}\n\n{examples}".strip())


def _fidelity(folder: Path, n_users: int) -> Found:
    with _opened(folder) as engine:
        found = fidelity(engine, n_users)
    cases = (
        case("fidelity_ratio", found.ratio, "", ">= 2"),
        case("shares_residual", found.residual, "", "<= 0.001"),
    )
    table = rows(
        ("taken away", "score falls by"),
        [
            ("the group named first", f"{found.without_top:.3f}"),
            ("another group", f"{found.without_random:.3f}"),
            ("the past of the item itself", f"{found.past_top:.3f}"),
            ("another item of the past", f"{found.past_random:.3f}"),
        ],
    )
    return Found(cases, f"{table}\n\n{found.n} recommendations.")


def _checker() -> Found:
    measured_in = {language: measure_checker(language) for language in CORPORA}
    english, chinese = (halves[-1] for halves in measured_in.values())
    cases = (
        case("bad_rejected", english.bad_rejected, "", ">= 0.98"),
        case("good_kept", english.good_kept, "", ">= 0.9"),
        case("bad_rejected_zh", chinese.bad_rejected, "", ">= 0.98"),
        case("good_kept_zh", chinese.good_kept, "", ">= 0.9"),
    )
    table = rows(
        ("sentences", "good", "kept", "bad", "rejected"),
        [
            (
                f"{language}, {half.name}",
                half.good,
                f"{half.good_kept:.3f}",
                half.bad,
                f"{half.bad_rejected:.3f}",
            )
            for language, halves in measured_in.items()
            for half in halves
        ],
    )
    note = "The rules were made on one half; the cases are those of the other."
    return Found(cases, f"{table}\n\n{note}")


def _assistant(folder: Path) -> Found:
    with _opened(folder) as engine:
        share, failures = ask_all(engine, engine.shoppers(1)[0].user_id)
    FAILURES.parent.mkdir(parents=True, exist_ok=True)
    kept = [{"ask": failure.ask, "wrong": list(failure.complaints)} for failure in failures]
    FAILURES.write_text(yaml.safe_dump(kept, allow_unicode=True, sort_keys=False), "utf-8")
    table = rows(
        ("request that was not kept to", "what is wrong"),
        [(failure.ask, "; ".join(failure.complaints[:2])) for failure in failures],
    )
    return Found((case("assistant_constraints", share, "", ">= 0.85"),), table)


def _llm(folder: Path, n: int, threads: int) -> Found:
    from benchmarks.explain_cases.local_llm import false_claims, speed

    quick = speed(threads)
    with _opened(folder) as engine:
        found = false_claims(engine, n, threads)
    cases = (
        case("false_claims", found.false, f"of {found.n:,}", "<= 0"),
        case("llm_first_token_s", quick.first_token_s, "s", "<= 0.5"),
        case("llm_tokens_per_s", quick.tokens_per_s, "", ">= 40"),
        case("llm_sentences_kept", found.by_model / max(found.n, 1), ""),
    )
    shown = "\n".join(f"- {text}" for text in found.shown)
    note = (
        f"Of {found.n:,} recommendations {found.by_model:,} went out as the model wrote them and "
        f"the others were replaced ({found.replaced}). Some that went out:"
    )
    return Found(cases, f"{note}\n\n{shown}")


if __name__ == "__main__":
    main()
