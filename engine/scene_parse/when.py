"""Days and hours in words, English and Chinese.

A weekday is the next one, today included; "next Friday" is that of the week after this one. An
hour without a day is the next such hour; a day without an hour is noon.
"""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta

from engine.calendar import weekend_days
from engine.scene_parse.numerals import HAN, NUMBER, number
from engine.scene_parse.spans import Clue, Context, Rule, rule

NOON = time(12)
_LAST_YEAR = 2200
_FIRST_YEAR = 1900
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MONTHS = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
]
_HAN_WEEKDAYS = "一二三四五六日"
_PARTS = {
    "early morning": 7,
    "morning": 9,
    "lunchtime": 12,
    "noon": 12,
    "midday": 12,
    "afternoon": 15,
    "evening": 19,
    "night": 21,
    "凌晨": 2,
    "清晨": 7,
    "早上": 9,
    "早晨": 9,
    "上午": 10,
    "中午": 12,
    "下午": 15,
    "傍晚": 18,
    "晚上": 19,
    "晚间": 19,
    "深夜": 23,
    "半夜": 23,
    "晚": 20,
    "早": 9,
}
_WEEKDAY = r"(?P<weekday>mon|tues?|wed(?:nes)?|thu(?:rs?)?|fri|satur|sun)(?:day|(?<!satur)(?<!sun))"
_MONTH = (
    r"(?P<month>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?"
    r"|sep(?:t(?:ember)?)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
)
_NO_GOODS = r"(?! (?:dress|gown|bag|wear|shoes|cream|light|glow|star))"


def shifted(day: date, days: float) -> date | None:
    """A day so many days on; None beyond the calendar."""
    try:
        moved = day + timedelta(days=days)
    except OverflowError:
        return None
    return moved if _FIRST_YEAR <= moved.year <= _LAST_YEAR else None


def moment_of(clue: Clue, now: datetime) -> datetime | None:
    """The moment that day and clock make together, on the clock of ``now``; None if untold."""
    if clue.moment is not None:
        return clue.moment
    day = clue.day or clue.feast_day
    if day is None and clue.clock is None:
        return None
    today = now.date()
    if day is None:
        is_past = clue.clock is not None and clue.clock < now.time()
        day = (shifted(today, 1) if is_past else today) or today
    clock = clue.clock or (now.time().replace(second=0, microsecond=0) if day == today else NOON)
    return datetime.combine(day, clock, tzinfo=now.tzinfo)


def _named_day(match: re.Match[str], context: Context) -> Clue | None:
    word = match["day"].casefold()
    return Clue(day=shifted(context.now.date(), _NAMED_DAYS[word]))


def _tonight(match: re.Match[str], context: Context) -> Clue | None:
    days = 1 if match[0].startswith("明") else 0
    hour = _PARTS["早" if match[0].endswith("早") else "晚"]
    return Clue(day=shifted(context.now.date(), days), clock=time(hour))


def _now(match: re.Match[str], context: Context) -> Clue | None:
    return Clue(moment=context.now.replace(second=0, microsecond=0))


def _weekday(match: re.Match[str], context: Context) -> Clue | None:
    short = match["weekday"].casefold()[:3]
    wanted = next(i for i, name in enumerate(_WEEKDAYS) if name.startswith(short))
    return _day_of_week(wanted, (match["which"] or "").casefold() == "next", context)


def _han_weekday(match: re.Match[str], context: Context) -> Clue | None:
    wanted = _HAN_WEEKDAYS.find(match["weekday"].replace("天", "日"))
    return _day_of_week(wanted, (match["which"] or "").startswith("下"), context)


def _day_of_week(wanted: int, is_next_week: bool, context: Context) -> Clue:
    today = context.now.date()
    if is_next_week:
        return Clue(day=shifted(today, 7 + wanted - today.weekday()))
    return Clue(day=shifted(today, (wanted - today.weekday()) % 7))


def _weekend(match: re.Match[str], context: Context) -> Clue | None:
    today, free = context.now.date(), weekend_days(context.country)
    is_next = (match["which"] or "").casefold() in {"next", "下", "下个"}
    first = next((d for d in range(7) if d in free and (d - 1) % 7 not in free), 5)
    if is_next:
        return Clue(day=shifted(today, 7 + first - today.weekday()))
    days = 0 if today.weekday() in free else (first - today.weekday()) % 7
    return Clue(day=shifted(today, days))


def _later(match: re.Match[str], context: Context) -> Clue | None:
    count = number(match["n"])
    if count is None or count > 1_000:
        return None
    unit = match["unit"].casefold().rstrip("s").lstrip("个")
    if unit in {"hour", "hr", "小时", "钟头", "minute", "min", "分钟"}:
        minutes = count if unit in {"minute", "min", "分钟"} else 60 * count
        moment = context.now.replace(second=0, microsecond=0) + timedelta(minutes=minutes)
        return Clue(moment=moment)
    days = {"day": 1, "天": 1, "week": 7, "周": 7, "星期": 7, "礼拜": 7}.get(unit, 30)
    return Clue(day=shifted(context.now.date(), round(count * days)))


def _iso(match: re.Match[str], context: Context) -> Clue | None:
    day = _date(int(match["y"]), int(match["m"]), int(match["d"]))
    if day is None or not match["H"]:
        return Clue(day=day)
    clock = _clock(int(match["H"]), int(match["M"]))
    return Clue(day=day, clock=clock) if clock else None


def _month_day(match: re.Match[str], context: Context) -> Clue | None:
    short = match["month"].casefold()[:3]
    month = next(i for i, name in enumerate(_MONTHS, start=1) if name.startswith(short))
    return _next_date(match["y"], month, int(match["d"]), context)


def _han_date(match: re.Match[str], context: Context) -> Clue | None:
    month, day = number(match["m"]), number(match["d"])
    if month is None or day is None:
        return None
    return _next_date(match["y"], int(month), int(day), context)


def _next_date(year: str | None, month: int, day: int, context: Context) -> Clue | None:
    today = context.now.date()
    if year:
        return Clue(day=_date(int(year), month, day))
    found = _date(today.year, month, day)
    if found is None or found < today:
        found = _date(today.year + 1, month, day) or found
    return Clue(day=found)


def _date(year: int, month: int, day: int) -> date | None:
    if not _FIRST_YEAR <= year <= _LAST_YEAR:
        return None
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _clock(hour: int, minute: int) -> time | None:
    return time(hour, minute) if hour < 24 and minute < 60 else None


def _twelve(match: re.Match[str], context: Context) -> Clue | None:
    hour, minute = int(match["h"]), int(match["min"] or 0)
    if not 1 <= hour <= 12:
        return None
    afternoon = match["half"].casefold().startswith("p")
    return Clue(clock=_clock(hour % 12 + 12 * afternoon, minute))


def _twenty_four(match: re.Match[str], context: Context) -> Clue | None:
    return Clue(clock=_clock(int(match["h"]), int(match["min"])))


def _han_clock(match: re.Match[str], context: Context) -> Clue | None:
    hour = number(match["h"])
    minute = 30 if match["half"] else number(match["min"] or "0")
    if hour is None or minute is None:
        return None
    part = match["part"]
    is_late = part is not None and _PARTS[part] >= 12 and hour < 12
    return Clue(clock=_clock(int(hour) + 12 * is_late, int(minute)))


def _part(match: re.Match[str], context: Context) -> Clue | None:
    return Clue(clock=time(_PARTS[" ".join(match["part"].casefold().split())]))


def _this_part(match: re.Match[str], context: Context) -> Clue | None:
    hour = _PARTS[match["part"].casefold()]
    return Clue(day=context.now.date(), clock=time(hour))


def _midnight(match: re.Match[str], context: Context) -> Clue | None:
    return Clue(clock=time(23, 59))


_NAMED_DAYS = {
    "today": 0, "tomorrow": 1, "the day after tomorrow": 2, "day after tomorrow": 2,
    "next week": 7, "今天": 0, "今日": 0, "明天": 1, "明日": 1, "后天": 2, "大后天": 3, "下周": 7,
    "下星期": 7, "tmrw": 1, "tmr": 1,
}  # fmt: skip
_HAN_PARTS = "|".join(part for part in _PARTS if not part.isascii() and len(part) > 1)

RULES: tuple[Rule, ...] = (
    rule(
        r"(?P<day>today|tomorrow|tmrw|tmr|(?:the )?day after tomorrow|next week"
        r"|今天|今日|明天|明日|大后天|后天|下周(?![一二三四五六日天末])|下星期(?![一二三四五六日天]))",
        _named_day,
    ),
    rule(r"tonight|[今明](?:晚|早)(?!上)|今夜", _tonight),
    rule(r"right now|now|asap|现在|马上", _now),
    rule(rf"(?:on )?(?:(?P<which>next|this|coming) )?{_WEEKDAY}", _weekday),
    rule(
        r"(?P<which>下个?|这个?|本)?(?:周|星期|礼拜)(?P<weekday>[一二三四五六日天])", _han_weekday
    ),
    rule(r"(?:(?:on |at |over |for )?(?P<which>next|this|the|coming) )?weekend", _weekend),
    rule(r"(?P<which>下个?|这个?|本)?周末", _weekend),
    rule(
        rf"in (?P<n>a|an|{NUMBER}) ?(?P<unit>minutes?|mins?|hours?|hrs?|days?|weeks?|months?)",
        _later,
    ),
    rule(
        rf"(?P<n>[0-9]{{1,3}}|{HAN}) ?"
        r"(?P<unit>分钟|个?小时|个?钟头|天|周|个?星期|个?礼拜|个月)(?:以后|之后|后)",
        _later,
    ),
    rule(
        r"(?:on )?(?P<y>[0-9]{4})-(?P<m>[0-9]{2})-(?P<d>[0-9]{2})"
        r"(?:[ T](?P<H>[0-9]{2}):(?P<M>[0-9]{2})(?::[0-9]{2})?)?",
        _iso,
    ),
    rule(
        rf"(?:on )?{_MONTH}\.? (?:the )?(?P<d>[0-9]{{1,2}})(?:st|nd|rd|th)?"
        r"(?:,? (?P<y>[0-9]{4}))?",
        _month_day,
    ),
    rule(
        rf"(?:on )?(?:the )?(?P<d>[0-9]{{1,2}})(?:st|nd|rd|th)?(?: of)? {_MONTH}"
        r"(?: (?P<y>[0-9]{4}))?",
        _month_day,
    ),
    rule(
        rf"(?:(?P<y>[0-9]{{4}})年)?(?P<m>[0-9]{{1,2}}|{HAN})月(?P<d>[0-9]{{1,2}}|{HAN})[日号]",
        _han_date,
    ),
    rule(r"(?:at )?(?P<h>[0-9]{1,2})(?:[:.](?P<min>[0-9]{2}))? ?(?P<half>[ap]\.?m)\.?", _twelve),
    rule(r"(?:at )?(?P<h>[0-9]{1,2}):(?P<min>[0-9]{2})", _twenty_four),
    rule(
        rf"(?P<part>{_HAN_PARTS}|晚|早)?(?P<h>[0-9]{{1,2}}|{HAN})点钟?(?:(?P<half>半)|(?P<min>[0-9]{{1,2}}|{HAN})分)?",
        _han_clock,
    ),
    rule(
        r"(?:in the |at |around )?"
        rf"(?P<part>early morning|morning|lunchtime|noon|midday|afternoon|evening){_NO_GOODS}",
        _part,
    ),
    rule(rf"(?:(?<=day )|(?<=tomorrow )|at |late )(?P<part>night){_NO_GOODS}", _part),
    rule(r"this (?P<part>morning|afternoon|evening)", _this_part),
    rule(rf"(?P<part>{_HAN_PARTS}|(?<=[一二三四五六日天])晚)", _part),
    rule(r"(?:at )?midnight|午夜", _midnight),
)
