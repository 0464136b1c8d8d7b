"""The measured figures of every encoder side by side, as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.encoder_cases.figures import Figure, difference, ratio
from benchmarks.encoder_cases.prompts import TEMPLATES


@dataclass(frozen=True, slots=True)
class Column:
    """One encoder and what was measured of it."""

    name: str
    about: str
    figures: tuple[Figure, ...]

    def find(self, case: str) -> Figure | None:
        """The figure of a case, if it was measured."""
        return next((figure for figure in self.figures if figure.case == case), None)

    def __getitem__(self, case: str) -> Figure:
        """The figure of a case.

        Raises:
            KeyError: It was not measured of this encoder.
        """
        figure = self.find(case)
        if figure is None:
            raise KeyError(f"{case} was not measured of {self.name}")
        return figure


@dataclass(frozen=True, slots=True)
class _Row:
    case: str
    about: str
    quoted: str = ""


_ROWS = (
    _Row("fashion_t2i_r10", "fashion, title to photo, Recall@10", "0.49"),
    _Row("fashion_t2i_r10_unseen", "– titles in no training row only"),
    _Row("fashion_t2i_r5", "– Recall@5"),
    _Row("fashion_t2i_r1", "– Recall@1"),
    _Row("fashion_i2t_r10", "– photo to title, Recall@10"),
    _Row("fashion_zeroshot_type", "fashion, article type by name, top-1", "0.35"),
    _Row("grocery_top1", "grocery shelves, product by name, top-1"),
    _Row("grocery_top1_coarse", '– names with their kind ("Anjou, Pear")'),
    _Row("clothing_zeroshot", "people's clothes, class by its names, top-1, test split"),
    _Row("clothing_zeroshot_one_name", "– one name for each class"),
    _Row("clothing_zeroshot_all", "– all photos"),
    _Row("captions_t2i_r10", "captioned photographs, caption to photo, Recall@10", "0.50"),
    _Row("captions_t2i_r5", "– Recall@5"),
    _Row("captions_t2i_r1", "– Recall@1"),
    _Row("captions_i2t_r10", "– photo to any of its captions, Recall@10"),
    _Row("rooms_r20", "room in crops to product photos, Recall@20"),
    _Row("rooms_r20_whole", "– whole room photo"),
    _Row("rooms_r20_fused", "– crops, to product photo and words"),
    _Row("rooms_r20_fused_whole", "– whole room photo, to product photo and words"),
    _Row("words_paraphrase_r10", "words: caption to another caption, Recall@10"),
    _Row("words_hm_r10", "words: H&M description to name, Recall@10"),
    _Row("words_ikea_r10", "words: IKEA description to name, Recall@10"),
    _Row("words_attributes_ndcg10", "words: attributes to fashion titles, NDCG@10"),
)

ROOM_CASES = ("rooms_r20", "rooms_r20_whole")
WORD_CASES = tuple(row.case for row in _ROWS if row.case.startswith("words_"))


def side_by_side(columns: Sequence[Column]) -> str:
    """All figures with their intervals, and who the columns are."""
    names = [f"`{column.name}`" for column in columns]
    lines = [
        f"| case | queries | among | {' | '.join(names)} | heads, quoted |",
        f"| --- | ---: | ---: |{' ---: |' * (len(columns) + 1)}",
    ]
    for row in _ROWS:
        found = [column.find(row.case) for column in columns]
        measured = next((figure for figure in found if figure is not None), None)
        if measured is not None:
            cells = " | ".join(_cell(figure) for figure in found)
            lines.append(
                f"| {row.about} | {measured.queries:,} | {measured.gallery:,} | {cells} "
                f"| {row.quoted} |"
            )
    about = [f"- `{column.name}`: {column.about}" for column in columns]
    return "\n".join([*lines, "", *about, "", _method()])


def against_plain_words(columns: Sequence[Column], plain: Column) -> str:
    """Each encoder's text-to-text figures minus those of plain MiniLM."""
    rows = []
    for column in columns:
        for case in WORD_CASES:
            ours, theirs = column.find(case), plain.find(case)
            if ours and theirs and column is not plain:
                estimate = _signed(*difference(ours, theirs))
                rows.append(f"| `{column.name}` | `{case}` | {estimate} |")
    return "\n".join([f"| encoder | case | minus `{plain.name}` |", "| --- | --- | ---: |", *rows])


def room_ratios(columns: Sequence[Column], untrained: Sequence[Column]) -> str:
    """Recall@20 of rooms over that of each encoder that saw no pair, asked in the same way."""
    lines = ["| encoder | over | case | ratio |", "| --- | --- | --- | ---: |"]
    for column in columns:
        for other in untrained:
            for case in ROOM_CASES:
                ours, theirs = column.find(case), other.find(case)
                if ours and theirs and column is not other and theirs.value > 0:
                    value, low, high = ratio(ours, theirs)
                    lines.append(
                        f"| `{column.name}` | `{other.name}` | `{case}` "
                        f"| {value:.2f} [{low:.2f}, {_bound(high)}] |"
                    )
    return "\n".join(lines)


def _cell(figure: Figure | None) -> str:
    return "" if figure is None else f"{figure.value:.3f} [{figure.low:.3f}, {figure.high:.3f}]"


def _signed(value: float, low: float, high: float) -> str:
    return f"{value:+.3f} [{low:+.3f}, {high:+.3f}]"


def _bound(high: float) -> str:
    return f"{high:.2f}" if high < 1e6 else "∞"


def _method() -> str:
    templates = ", ".join(f'"{template}"' for template in TEMPLATES)
    return (
        "In brackets the 95% interval of 2,000 bootstrap resamples of the queries (of the photos, "
        "where a photo has five captions; of the rooms), seed 0. The 2,000 titles are a draw with "
        "seed 0 from the first test row of each title. Among equal scores the right answer counts "
        "as last. Class names stand as in the file (hyphens as spaces; contracted clothing labels "
        f"written out), averaged over the templates {templates}. A room photo is cut into "
        "1 + 3x3 + 5x5 windows, and an item scores the mean of its two best, as chosen on 60 "
        "training rooms with `imagenet`; by chance a room finds 20 of 2,187 items: a recall of "
        "0.009, or 0.1 items of its 11. "
        '"Heads, quoted": projection heads on the same frozen towers, 7,000 pairs, four minutes; '
        "a figure that was given to us, not measured here."
    )
