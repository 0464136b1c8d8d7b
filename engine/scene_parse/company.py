"""What a visit is for, who comes along, and for whom it is: in words."""

from __future__ import annotations

import re

from engine.scene_parse.numerals import NUMBER, number
from engine.scene_parse.spans import Clue, Context, Rule, clause, rule

OLDEST = 120

_OCCASIONS = {
    "birthday": (r"birthday|b-?day", r"生日|寿辰|过寿"),
    "wedding": (r"weddings?|bridal shower|hen (?:do|party)", r"婚礼|结婚(?!纪念)|喜宴"),
    "anniversary": (r"(?:wedding )?anniversary", r"(?:结婚)?(?:周年)?纪念日"),
    "engagement": (r"engagement(?: party)?", r"订婚"),
    "baby shower": (r"baby shower|new baby|newborn gift", r"满月|百日宴|宝宝出生"),
    "christening": (r"christening|baptism", r"受洗|洗礼"),
    "graduation": (r"graduation", r"毕业(?:典礼)?"),
    "housewarming": (r"house ?-?warming", r"乔迁|搬新家"),
    "moving": (r"moving house|moving in", r"搬家"),
    "retirement": (r"retirement", r"退休"),
    "funeral": (r"funeral", r"葬礼|丧礼"),
    "picnic": (r"picnic", r"野餐"),
    "barbecue": (r"barbecue|bbq|cook-?out|grill party|grilling", r"烧烤"),
    "party": (r"(?:house |cocktail |garden |pool )?party(?! of [0-9])", r"派对|聚会|聚餐|开趴"),
    "dinner party": (r"dinner party", r"晚宴"),
    "game night": (r"game night|board game night", r"桌游之夜|看球"),
    "movie night": (r"movie night|film night", r"电影之夜|看电影"),
    "date": (r"date night|first date|(?:for|on) a date", r"约会"),
    "camping": (r"camping(?: trip)?", r"露营"),
    "hiking": (r"hiking(?: trip)?|hike|trekking", r"徒步|爬山|登山"),
    "fishing": (r"fishing trip|go(?:ing)? fishing", r"钓鱼"),
    "road trip": (r"road ?trip", r"自驾游?"),
    "holiday": (r"on (?:holiday|vacation)|for (?:my |our |the )?(?:holidays?|vacation)", r"度假"),
    "travel": (
        r"(?:for |on )?(?:business )?travel(?:l?ing)?|weekend away|city break",
        r"旅行|旅游|出差",
    ),
    "work": (r"(?:for|to) (?:work|the office)|work ?day|work lunch", r"上班|工作(?:日|用)"),
    "interview": (r"(?:job )?interview", r"面试"),
    "school": (r"back to school|for school|school (?:start|year)", r"开学|上学"),
    "gym": (r"(?:for|at|to) the gym|work-?out|gym session", r"健身"),
    "running": (r"go(?:ing)? running|for (?:a run|running)|marathon", r"跑步|马拉松"),
    "yoga": (r"(?:for )?yoga(?! (?:mat|pants))", r"瑜伽(?!垫|裤)"),
    "swimming": (r"go(?:ing)? swimming|for swimming|pool day", r"游泳"),
    "skiing": (r"ski(?:ing)? (?:trip|holiday)|go(?:ing)? skiing|for skiing", r"滑雪"),
    "beach": (r"beach (?:party|holiday|vacation)", r"沙滩派对"),
    "festival": (r"music festival|for a festival|concert", r"音乐节|演唱会"),
    "prom": (r"prom", r"毕业舞会"),
    "formal": (r"formal (?:event|affair|dinner)|black[- ]tie|gala", r"正式场合|晚会"),
    "breakfast": (r"(?:for )?breakfast(?! (?:bar|cereal))|brunch", r"早餐|早饭"),
    "lunch": (r"for lunch|packed lunch|lunch(?= (?:with|for|today|tomorrow))", r"午餐|午饭"),
    "dinner": (
        r"for (?:dinner|supper)|(?:dinner|supper)(?= (?:with|for|tonight|today|tomorrow))",
        r"晚餐|晚饭",
    ),
    "get well": (r"get well(?: soon)?", r"探病|早日康复"),
    "thank you": (r"thank[- ]you(?: gift| present)?", r"答谢|感谢礼"),
}
"""Canonical word: English, Chinese."""

_ALONE = {
    "dinner": "dinner|supper", "lunch": "lunch", "work": "work", "party": "party",
    "school": "school", "gym": "gym", "date": "date", "beach": "beach",
    "holiday": "vacation|holidays?",
    "running": "running|run", "travel": "trip", "skiing": "skiing", "swimming": "swimming",
}  # fmt: skip
"""What is an occasion in a clause of its own, and may be anything in "work boots"."""

_PEOPLE = {
    "wife": (r"wife", r"老婆|妻子|太太|媳妇"),
    "husband": (r"husband|hubby", r"老公|丈夫|先生"),
    "girlfriend": (r"girlfriend|gf|fianc[eé]e", r"女朋友|女友|未婚妻"),
    "boyfriend": (r"boyfriend|bf|fianc[eé](?!e)", r"男朋友|男友|未婚夫"),
    "partner": (r"partner|spouse|significant other", r"爱人|对象|另一半"),
    "mother": (r"mother(?:-in-law)?|mum|mom|mummy|mommy", r"妈妈?|母亲|婆婆|丈母娘"),
    "father": (r"father(?:-in-law)?|dad|daddy", r"爸爸?|父亲|公公|岳父"),
    "parents": (r"parents", r"父母|爸妈|家长"),
    "grandmother": (r"grandmother|grandma|granny|nan(?:na)?", r"奶奶|外婆|姥姥"),
    "grandfather": (r"grandfather|grandpa|granddad", r"爷爷|外公|姥爷"),
    "grandparents": (r"grandparents", r"爷爷奶奶|外公外婆|老人"),
    "son": (r"son", r"儿子"),
    "daughter": (r"daughter", r"女儿|闺女"),
    "baby": (r"baby|newborn|infant", r"宝宝|婴儿"),
    "toddler": (r"toddler", r"幼儿"),
    "boy": (r"(?:little )?boy", r"小?男孩子?"),
    "girl": (r"(?:little )?girl", r"小?女孩子?"),
    "child": (r"child|kid", r"小孩子?|孩子|小朋友"),
    "children": (r"children|kids", r"孩子们|小朋友们"),
    "grandson": (r"grandson", r"孙子|外孙"),
    "granddaughter": (r"granddaughter", r"孙女|外孙女"),
    "teenager": (r"teen(?:ager)?", r"青少年"),
    "brother": (r"brother", r"哥哥|弟弟|兄弟"),
    "sister": (r"sister", r"姐姐|妹妹|姐妹"),
    "nephew": (r"nephew", r"侄子|外甥"),
    "niece": (r"niece", r"侄女|外甥女"),
    "uncle": (r"uncle", r"叔叔|舅舅"),
    "aunt": (r"aunt(?:ie|y)?", r"阿姨|姑姑|姨妈"),
    "cousin": (r"cousin", r"表[哥弟姐妹]|堂[哥弟姐妹]"),
    "friend": (r"(?:best )?friend|bestie", r"朋友|闺蜜|好友|哥们"),
    "friends": (r"friends", r"朋友们|好友们"),
    "colleague": (r"colleague|co-?worker", r"同事"),
    "boss": (r"boss|manager", r"老板|领导"),
    "teacher": (r"teacher", r"老师"),
    "neighbour": (r"neighbou?r", r"邻居"),
    "family": (r"(?:whole |the )?family", r"全?家人?|一家人"),
    "couple": (r"couple", r"情侣|夫妻"),
    "dog": (r"dog|puppy", r"狗狗?|小狗"),
    "cat": (r"cat|kitten", r"猫咪?|小猫"),
}
_ENGLISH = "|".join(sorted((en for en, _ in _PEOPLE.values()), key=len, reverse=True))
_CHINESE = "|".join(
    sorted((one for _, zh in _PEOPLE.values() for one in zh.split("|")), key=len, reverse=True)
)
_MY = r"(?:(?:my|our|his|her|their|your|a|an|the|dear|old|young|lovely) ){0,3}"
_AGE = rf"(?P<age>{NUMBER})[ -]?(?P<unit>years?|yrs?|months?|y)(?:[ /-]?(?:old|o))"
_HAN_AGE = rf"(?P<age>{NUMBER}) ?(?P<unit>岁半?|个月)(?:大)?"


def _person(text: str) -> str | None:
    wanted = text.strip()
    for name, forms in _PEOPLE.items():
        if any(re.fullmatch(form, wanted, re.IGNORECASE) for form in forms):
            return name
    return None


def _age(match: re.Match[str]) -> float | None:
    value = number(match["age"])
    if value is None:
        return None
    if match["unit"].casefold().startswith(("month", "个月")):
        value = round(value / 12, 2)
    value += 0.5 * match["unit"].endswith("半")
    return value if value <= OLDEST else None


def _for_person(match: re.Match[str], context: Context) -> Clue | None:
    return Clue(recipient=_person(match["who"]))


def _for_age(match: re.Match[str], context: Context) -> Clue | None:
    age = _age(match)
    who = _person(match["who"]) if match["who"] else None
    return None if age is None else Clue(recipient=who, recipient_age=age)


def _turning(match: re.Match[str], context: Context) -> Clue | None:
    age = number(match["age"])
    if age is None or age > OLDEST:
        return None
    return Clue(occasion="birthday", recipient_age=age)


def _with_person(match: re.Match[str], context: Context) -> Clue | None:
    return Clue(companions=_person(match["who"]))


def _with_people(match: re.Match[str], context: Context) -> Clue | None:
    count = number(match["n"])
    if count is None or not 1 <= count <= 1_000 or count % 1:
        return None
    return Clue(companions="alone" if count == 1 else f"{count:.0f} people")


def _constant(pattern: str, clue: Clue) -> Rule:
    return rule(pattern, lambda _, __: clue)


RULES: tuple[Rule, ...] = (
    *(
        _constant(
            rf"(?:(?:for|to|at|on) (?:my |our |a |an |the |his |her )?)?(?:{en})|{zh}",
            Clue(occasion=word),
        )
        for word, (en, zh) in _OCCASIONS.items()
    ),
    *(_constant(clause(en), Clue(occasion=word)) for word, en in _ALONE.items()),
    rule(r"(?:(?:my|his|her|a|the) )?(?P<age>[0-9]{1,3})(?:st|nd|rd|th) birthday", _turning),
    rule(rf"(?P<age>{NUMBER})岁生日", _turning),
    rule(rf"(?:for|to) {_MY}(?P<who>{_ENGLISH})(?!'s|-|s\b)", _for_person),
    rule(rf"(?:(?:for|to) )?{_MY}{_AGE}(?: (?P<who>{_ENGLISH}))?", _for_age),
    rule(
        rf"(?:for|to) {_MY}(?P<who>{_ENGLISH}),? (?:who is |aged? )(?P<age>{NUMBER})(?P<unit>)",
        _for_age,
    ),
    rule(rf"(?:送给|送|给|为)我?的?(?P<who>{_CHINESE})", _for_person),
    rule(rf"(?:送给|送|给|为)?(?:我的?|一个)?{_HAN_AGE}的?(?P<who>{_CHINESE})?", _for_age),
    rule(rf"(?:together )?with {_MY}(?P<who>{_ENGLISH})(?!'s)", _with_person),
    rule(rf"(?:和|跟|与|陪|带)我?的?(?P<who>{_CHINESE})(?:们)?(?:一起)?", _with_person),
    rule(
        rf"(?:for|with|party of|family of|group of|table for) (?P<n>{NUMBER})"
        r"(?: (?:people|persons|guests|adults|of us))?"
        r"(?=\s*(?:$|[^\sA-Za-z0-9$€£¥%°.-])| (?:with|and|tonight|tomorrow|on|in|at|under)\b)",
        _with_people,
    ),
    rule(rf"(?P<n>{NUMBER}) (?:people|persons|guests)|(?P<m>(?!))", _with_people),
    rule(rf"(?P<n>{NUMBER})个?人(?:份|吃|一起)?", _with_people),
    _constant(r"(?:by myself|on my own|(?:home )?alone)|独自|自己一个人", Clue(companions="alone")),
    _constant(r"(?:for|with) (?:the )?(?:whole )?family|全家|一家人", Clue(companions="family")),
    _constant(r"just the two of us|两个人|二人世界", Clue(companions="2 people")),
)
