"""Weather, temperature, device and whereabouts in words."""

from __future__ import annotations

import re

from engine.scene_parse.numerals import NUMBER, number
from engine.scene_parse.spans import Clue, Context, Rule, clause, rule

COLDEST, HOTTEST = -80, 70
"""Bounds of :attr:`engine.scene.Scene.temperature`, degrees Celsius."""

_IN_FAHRENHEIT = frozenset(["US", "LR", "BS", "BZ", "KY", "PW", "FM", "MH"])
_WEATHER = {
    "rain": (
        r"raining|rainy|pouring|drizzling|drizzly|in the rain|heavy rain"
        r"|wet(?= (?:day|weather|evening))",
        r"下大雨|下小雨|下着雨|下雨天?|大雨|小雨|雨天",
        "rain|drizzle|showers|wet",
    ),
    "storm": (r"stormy|thunderstorms?", r"暴风雨|雷雨|台风", "storm"),
    "snow": (r"snowing|snowy|in the snow", r"下大雪|下着雪|下雪天?|大雪|雪天", "snow"),
    "hot": (
        r"heat ?wave|scorching|sweltering|boiling hot|too hot|so hot|very hot|really hot",
        r"天气很?热|(?<![今明后])天很?热|炎热|好热|很热|大热天|高温",
        "hot",
    ),
    "warm": (r"warm(?= (?:day|weather|evening|night|outside|out)\b)", r"暖和|温暖的?天", "warm"),
    "cold": (
        r"freezing(?: cold)?|chilly|frosty|so cold|very cold|really cold|cold snap",
        r"天气很?冷|(?<![今明后])天很?冷|寒冷|好冷|很冷|大冷天",
        "cold|icy",
    ),
    "wind": (r"windy|blustery", r"刮大?风|大风", "wind"),
    "cloud": (r"cloudy|overcast", r"阴天|多云", "grey|gray|cloud"),
    "fog": (r"foggy|misty", r"大雾|雾天|有雾|雾霾", "fog|mist"),
    "sun": (
        r"sunny|in the sun(?!day)|sun is shining",
        r"大?晴天|出太阳|阳光明媚|晴朗",
        "sunshine|clear skies|sun",
    ),
    "humid": (r"humid|muggy", r"闷热|潮湿", "humid"),
}
"""Canonical word: English that always means the weather, Chinese, English that does in a clause of
its own ("hot, barbecue") or before a word for the day ("a hot day")."""

_ITS = r"(?:(?:it(?:'s| is| will be)|if it(?:'s| is)|when it(?:'s| is)) )?"
_DAY = r"(?: (?:day|weather|outside|out|evening|night|morning|afternoon)\b(?: (?:today|outside))?)"
_DEVICES = {
    "mobile": r"(?:on|from|by) (?:my |a |the )?(?:mobile(?: phone)?|phone|smartphone|iphone)"
    r"(?! (?:case|cover|holder))|手机上|用手机",
    "tablet": r"(?:on|from) (?:my |a |the )?(?:tablet|ipad)|平板上|用平板",
    "desktop": r"(?:on|from) (?:my |a |the )?(?:desktop|laptop|computer|pc)|电脑上|用电脑",
}
_SETTINGS = {
    "home": r"(?:from|at) home|在家里?",
    "office": r"(?:in|at) the office|at work|在办公室|在公司",
    "store": r"in(?: the)? (?:store|shop)|在店里",
    "outdoors": r"outdoors?(?= |$)(?! (?:furniture|light|jacket|shoes))"
    r"|in the (?:garden|park|woods)"
    r"|户外|在公园",
    "beach": r"(?:at|on|to) the beach|beach (?:day|trip)|在?海边|沙滩上",
    "mountains": r"in the mountains|在山里|去爬山",
    "restaurant": r"(?:at|in) a (?:restaurant|cafe|café|bar)|在餐厅|在咖啡馆",
}
_COUNTRIES = {
    "US": "(?:the )?(?:usa|us|united states|america)|美国", "CN": "(?:mainland )?china|中国",
    "GB": "(?:the )?(?:uk|united kingdom)|(?:great )?britain|england|scotland|英国",
    "DE": "germany|德国", "FR": "france|法国", "IT": "italy|意大利", "ES": "spain|西班牙",
    "PT": "portugal|葡萄牙", "NL": "(?:the )?netherlands|holland|荷兰", "BE": "belgium|比利时",
    "AT": "austria|奥地利", "CH": "switzerland|瑞士", "SE": "sweden|瑞典", "NO": "norway|挪威",
    "DK": "denmark|丹麦", "FI": "finland|芬兰", "PL": "poland|波兰", "CZ": "czechia|捷克",
    "IE": "ireland|爱尔兰", "GR": "greece|希腊", "TR": "turkey|土耳其", "RU": "russia|俄罗斯",
    "UA": "ukraine|乌克兰", "IN": "india|印度", "JP": "japan|日本", "KR": "(?:south )?korea|韩国",
    "TH": "thailand|泰国", "VN": "vietnam|越南", "SG": "singapore|新加坡",
    "MY": "malaysia|马来西亚",
    "ID": "indonesia|印度尼西亚|印尼", "PH": "(?:the )?philippines|菲律宾",
    "AU": "australia|澳大利亚",
    "NZ": "new zealand|新西兰", "CA": "canada|加拿大", "MX": "mexico|墨西哥", "BR": "brazil|巴西",
    "AR": "argentina|阿根廷", "ZA": "south africa|南非", "EG": "egypt|埃及",
    "SA": "saudi arabia|沙特", "AE": "(?:the )?(?:uae|emirates)|dubai|阿联酋",
    "IL": "israel|以色列",
    "NG": "nigeria|尼日利亚", "KE": "kenya|肯尼亚",
}  # fmt: skip
_UNIT = r"° ?(?P<unit>[cf])?|℃|℉|(?:degrees?|deg)(?: (?P<name>celsius|centigrade|fahrenheit|c|f))?"


def _celsius(match: re.Match[str], context: Context) -> Clue | None:
    said = match.groupdict()
    value = number(match["n"])
    if value is None:
        return None
    value = -value if match["minus"] else value
    unit = (said.get("unit") or said.get("name") or "")[:1].casefold()
    if not unit:
        in_fahrenheit = "℉" in match[0] or (
            context.country in _IN_FAHRENHEIT and "℃" not in match[0] and "度" not in match[0]
        )
        unit = "f" if in_fahrenheit else "c"
    value = round((value - 32) / 1.8, 1) if unit == "f" else value
    return Clue(temperature=value + 0.0) if COLDEST <= value <= HOTTEST else None


def _place(match: re.Match[str], context: Context) -> Clue | None:
    return Clue(place=f"{match['kind'].casefold()}-{match['id']}")


def _weather_rules(weather: str, always: str, han: str, alone: str) -> tuple[Rule, ...]:
    clue = Clue(weather=weather)
    optional = rf"(?:(?:on )?(?:a |the |this )?)?(?:{always})(?:{_DAY})?"
    return (
        rule(rf"{_ITS}{optional}|{han}", lambda _, __: clue),
        rule(clause(alone), lambda _, __: clue),
        rule(
            rf"it(?:'s| is| will be) (?:{alone})(?: (?:outside|out|today|tonight))?"
            r"(?! (?:sauce|chocolate|water|dog|pot|pink))"
            rf"|(?:on )?(?:a |the )?(?:{alone}){_DAY}",
            lambda _, __: clue,
        ),
    )


def _constant(pattern: str, clue: Clue) -> Rule:
    return rule(pattern, lambda _, __: clue)


RULES: tuple[Rule, ...] = (
    *(made for word, forms in _WEATHER.items() for made in _weather_rules(word, *forms)),
    rule(
        rf"(?:{_ITS[:-1]})?".replace(")??", ")?")
        + rf"(?:at |about |around |below )?(?P<minus>-|−|minus |零下)?"
        rf"(?P<n>{NUMBER}) ?(?:{_UNIT})(?: (?:outside|out|below))?",
        _celsius,
    ),
    rule(
        r"(?:(?:^|(?<=[,.;，。；]))\s*|(?<=is )|(?<='s )|(?<=at ))"
        r"(?P<span>(?P<minus>-|−|minus )?(?P<n>[0-9]{1,3}) ?(?P<unit>[CF]))",
        _celsius,
    ),
    rule(rf"(?:气温)?(?P<minus>零下|-|−)?(?P<n>{NUMBER}) ?(?:摄氏)?度(?!假|数|电)", _celsius),
    *(_constant(words, Clue(device=name)) for name, words in _DEVICES.items()),
    *(_constant(words, Clue(setting=name)) for name, words in _SETTINGS.items()),
    *(
        _constant(
            rf"(?<!made )(?:in (?:{words.rpartition('|')[0]})|在{words.rpartition('|')[2]})",
            Clue(country=code),
        )
        for code, words in _COUNTRIES.items()
    ),
    rule(r"(?:in |at )?(?P<kind>store|shop|branch)[- #](?P<id>[0-9]{1,6})", _place),
)
