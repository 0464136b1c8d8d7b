"""The clauses of reasons in Chinese: what :mod:`engine.explain.evidence` found, said again.

Names of items and categories stay as the shop writes them, in quotation marks. Chinese has no
plural; a count takes its measure word instead.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from engine.explain.claim import Claim, Kind
from engine.explain.evidence import CLOSE_LOOK, CLOSE_WISH, WISH_CHARS
from engine.explain.facts import Facts
from engine.explain.wording import quoted, span_of

VERBS = {"buy": "买", "pick": "选", "rate": "评", "look at": "看"}
SOLD = {"buy": "售出", "pick": "被加入购物车", "rate": "获得评分", "look at": "被浏览"}
_UNITS = {"day": "天", "week": "周", "month": "个月", "year": "年"}
_OFFERS = {"discount": "降价", "display": "专门陈列", "mailer": "登上促销单"}
_DAYS = {"weekday": "工作日", "weekend": "周末"}
_DAYS |= {
    day: f"周{numeral}"
    for day, numeral in zip(
        ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"),
        "一二三四五六日",
        strict=True,
    )
}
_PARTS = {
    "night": "夜里",
    "early morning": "清晨",
    "morning": "上午",
    "midday": "中午",
    "afternoon": "下午",
    "evening": "晚上",
}


def in_chinese(claim: Claim, facts: Facts) -> Claim:
    """The claim with Chinese clauses that say the same."""
    return claim._replace(wordings=_SAY[claim.kind](claim, facts))


def _verb(facts: Facts) -> str:
    return VERBS.get(facts.verb.base, "选")


def span(days: float) -> str:
    """A stretch of time as people count it: 9天, 5周, 3个月."""
    count, unit = span_of(days)
    return f"{max(count, 1):,}{_UNITS[unit]}"


def ago(days: float) -> str:
    """A moment in the past: 不到一天前, 9天前, 5周前."""
    return "不到一天前" if days < 1 else f"{span(days)}前"


def _fold(ratio: float) -> str:
    digits = f"{ratio:.1f}".removesuffix(".0") if ratio < 9.95 else f"{ratio:,.0f}"
    return f"{digits}倍"


def _name(claim: Claim) -> str:
    return f"「{claim.name}」"


def _due(_claim: Claim, facts: Facts) -> tuple[str, ...]:
    since, interval = facts.days_since or 0.0, facts.interval_days or 1.0
    if facts.due_in_days is not None and since + facts.due_in_days > 0:
        interval = since + facts.due_in_days
    verb, left = _verb(facts), interval - since
    when = f"预计{span(left)}后再{verb}" if left >= 1 else f"现在差不多该再{verb}了"
    rhythm = f"您大约每{span(interval)}{verb}一次"
    return (f"{rhythm}，上次是{ago(since)}，{when}", f"{rhythm}，{when}")


def _habit(_claim: Claim, facts: Facts) -> tuple[str, ...]:
    verb, count = _verb(facts), f"{facts.times_taken:,}次"
    return (f"您{verb}过它{count}", f"您已经{verb}过它{count}")


def _last_time(_claim: Claim, facts: Facts) -> tuple[str, ...]:
    when = ago(facts.days_since or 0.0)
    return (f"您上次{_verb(facts)}它是在{when}", f"您{when}{_verb(facts)}过它")


def _wish(_claim: Claim, facts: Facts) -> tuple[str, ...]:
    words = (quoted(facts.wish or "", WISH_CHARS) or "").strip('"')
    close = (facts.wish_similarity or 0.0) >= CLOSE_WISH
    return (f"它{'符合' if close else '接近'}您说的「{words}」",)


def _look(_claim: Claim, facts: Facts) -> tuple[str, ...]:
    close = (facts.photo_similarity or 0.0) >= CLOSE_LOOK
    return (f"它和您的照片{'很像' if close else '有些像'}",)


def _offer(_claim: Claim, facts: Facts) -> tuple[str, ...]:
    return (offers_in_chinese(facts.offers, here=facts.place is not None),)


def offers_in_chinese(offers: Sequence[str], *, here: bool) -> str:
    """The offers that run, as a clause: 它本周在本店降价，还有优惠券."""
    kinds = set(offers)
    states = [said for kind, said in _OFFERS.items() if kind in kinds]
    if not states and kinds != {"coupon"}:
        states = ["有优惠"]
    if not states:
        return "它本周有优惠券"
    coupon = "，还有优惠券" if "coupon" in kinds else ""
    return f"它本周{'在本店' if here else ''}{'并'.join(states)}{coupon}"


def _together(claim: Claim, facts: Facts) -> tuple[str, ...]:
    verb = _verb(facts)
    return (f"{verb}过{_name(claim)}的人也{verb}了它",)


def _category(claim: Claim, facts: Facts) -> tuple[str, ...]:
    verb = _verb(facts)
    wording = claim.wordings[0]
    if wording.startswith("it is found"):
        return (f"它属于{_name(claim)}",)
    if "often" in wording:
        return (f"您常{verb}{_name(claim)}类的商品",)
    return (f"您{verb}过{_name(claim)}类的商品",)


def _place(_claim: Claim, facts: Facts) -> tuple[str, ...]:
    fold = _fold(facts.place_lift or 1.0)
    return (f"它在本店受欢迎的程度是别处的{fold}", f"在本店，它受欢迎的程度是别处的{fold}")


def _hour(_claim: Claim, facts: Facts) -> tuple[str, ...]:
    when = slot_in_chinese(facts.slot or "")
    fold = _fold(facts.slot_lift or 1.0)
    return (f"它在{when}受欢迎的程度是平时的{fold}", f"{when}它受欢迎的程度是平时的{fold}")


def slot_in_chinese(slot: str) -> str:
    """A part of the week: 周五晚上 for "Friday evening"."""
    day, _, part = slot.strip().lower().partition(" ")
    return f"{_DAYS.get(day, '这时')}{_PARTS.get(part, '')}"


def _path(claim: Claim, facts: Facts) -> tuple[str, ...]:
    way = claim.wordings[0].partition(": ")[2]
    return (f"知识图谱里有一条路通向它：{way}",)


def _popular(_claim: Claim, facts: Facts) -> tuple[str, ...]:
    sold = f"{SOLD.get(facts.verb.base, '售出')}{facts.sold_28_days:,}次"
    return (f"它在过去四周{sold}", f"过去四周它{sold}")


def _new(_claim: Claim, facts: Facts) -> tuple[str, ...]:
    return (f"您还没有{_verb(facts)}过它",)


_SAY: dict[Kind, Callable[[Claim, Facts], tuple[str, ...]]] = {
    Kind.DUE: _due,
    Kind.WISH: _wish,
    Kind.LOOK: _look,
    Kind.HABIT: _habit,
    Kind.OFFER: _offer,
    Kind.TOGETHER: _together,
    Kind.CATEGORY: _category,
    Kind.PLACE: _place,
    Kind.HOUR: _hour,
    Kind.LAST_TIME: _last_time,
    Kind.PATH: _path,
    Kind.POPULAR: _popular,
    Kind.NEW: _new,
}
