"""The corpus of good and bad sentences, and how it is split."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zlib import crc32

import yaml

from engine.explain.checker import check
from engine.explain.sheet import Company, Deed, Lift, Sheet, Sold

FOLDER = Path(__file__).parent
CORPORA = {"English": FOLDER / "claims.yaml", "Chinese": FOLDER / "claims_zh.yaml"}


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence of the corpus."""

    text: str
    good: bool
    sheet: Sheet
    chinese: bool = False

    @property
    def held_out(self) -> bool:
        """Whether the rules were made without it."""
        return crc32(self.text.encode()) % 2 == 1

    @property
    def accepted(self) -> bool:
        """Whether the checker lets it out."""
        return check(self.text, self.sheet, chinese=self.chinese).accepted


def corpus(language: str = "English") -> list[Sentence]:
    """Every sentence of the corpus of a language, English or Chinese."""
    cases = yaml.safe_load(CORPORA[language].read_text("utf-8"))
    return [
        Sentence(text, good, sheet, language == "Chinese")
        for case in cases
        for sheet in [_sheet(case)]
        for good, texts in ((True, case["good"]), (False, case["bad"]))
        for text in texts
    ]


@dataclass(frozen=True, slots=True)
class Half:
    """How the checker does on a part of the corpus."""

    name: str
    good: int
    good_kept: float
    bad: int
    bad_rejected: float


def measure_checker(language: str = "English") -> list[Half]:
    """The half that the rules were made on, then the one that they were not."""
    halves = []
    for name, held_out in (("made on", False), ("held out", True)):
        part = [one for one in corpus(language) if one.held_out is held_out]
        good = [one.accepted for one in part if one.good]
        bad = [not one.accepted for one in part if not one.good]
        halves.append(Half(name, len(good), sum(good) / len(good), len(bad), sum(bad) / len(bad)))
    return halves


def _sheet(case: dict[str, Any]) -> Sheet:
    item = case["item"]
    deeds = [{k: v for k, v in deed.items() if k != "who"} for deed in case.get("deeds", ())]
    return Sheet(
        title=item["title"],
        category=item.get("category"),
        brand=item.get("brand"),
        price=item.get("price"),
        currency=item.get("currency"),
        deeds=tuple(Deed(**deed) for deed in deeds),
        company=tuple(Company(**one) for one in case.get("together", ())),
        due_in_days=case.get("due_in_days"),
        offers=tuple(case.get("offers", ())),
        place=case.get("place"),
        lifts=tuple(Lift(one["ratio"], one.get("when")) for one in case.get("lifts", ())),
        sold=Sold(**case["sold"]) if "sold" in case else None,
        wish=case["wish"]["words"] if "wish" in case else None,
        photo="photo" in case,
        new=case.get("new", False),
    )
