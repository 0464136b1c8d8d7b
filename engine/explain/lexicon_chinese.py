"""The Chinese words that a reason may use, and what each does; every other word is a claim.

As in :mod:`engine.explain.lexicon`, each part is one letter. Chinese sets no blanks between words,
so that of all words which a stretch may begin with the longest is read.
"""

from __future__ import annotations

from engine.explain.lexicon import Part

VERBS = {
    "buy": "买|购买|购|下单|订购|回购|入手|选购|囤|购入",
    "pick": "加入购物车|加入过购物车|加入了购物车|加购|加",
    "look at": "看|浏览|查看|点开|点击",
    "rate": "评|评价|评分|打分|打过分|打了分",
    "": "选|选择|挑|挑选",
}
"""Deeds by what they are to a shop; the last ones may be any."""
SOLD = {
    "buy": "售出|卖出|卖掉|被购买|被买|被下单",
    "look at": "被浏览|被查看|被点击",
    "rate": "获得评分|获得评价|被评分|被评价|被打分",
    "pick": "被加入购物车|被加购",
}
"""What happened to an item, whoever did it."""
OFFERS = {
    "display": "专门陈列|陈列|重点陈列",
    "discount": "降价|打折|折扣|有折扣|特价|减价|优惠价|促销价",
    "coupon": "优惠券|有优惠券|可用优惠券",
    "mailer": "促销单|登上促销单|登上了促销单|登上本周的促销单|登上了本周的促销单|登上本周促销单",
    "": "有优惠|优惠|优惠中|促销|在促销|正在促销|特惠|做活动",
}
"""Offers by kind; the last ones are a lower price of any kind."""

_YOURS = "说的|要的|想要的|想找的|要找的|想买的|搜索的|搜的|提到的|的要求|的需求|的愿望|的描述"
_PHOTOS = "的照片|上传的照片|发的照片|拍的照片|给的照片|的图片|上传的图片|发的图片"
_WORDS: dict[Part, str] = {
    Part.YOU: "您|你",
    Part.PEOPLE: "大家|人们|其他人|别人|顾客|顾客们|其他顾客|用户|其他用户|买家|消费者|"
    "很多人|不少人|许多人|很多顾客|不少顾客|许多顾客|所有顾客",
    Part.WHO: "的人|的顾客|的用户|的买家|的消费者|的人们|的其他顾客|的观众",
    Part.OFTEN: "常|经常|常常|通常|时常|定期|习惯|往往|多次|很多次|好几次",
    Part.LIKE: "喜欢|喜爱|偏爱",
    Part.RECENTLY: "最近|近来|近期|刚|刚刚|不久前",
    Part.DUE: "该买了|该再买了|该再看了|该再选了|该再评了|又该买了|该再次购买了|该补货了|"
    "该补了|该再囤了|是时候再买了|可以再买了|快用完了|快喝完了|快吃完了|补货|需要补货",
    Part.SOON_DUE: "快该买了|快该再买了|快该补货了|就快用完了|很快该再买了|即将需要补货",
    Part.POPULAR: "受欢迎|受欢迎程度|受欢迎的程度|人气|热度|销量|畅销|热销|热卖|卖得好|卖得很好",
    Part.MATCH: "符合|匹配|契合|满足|贴合|接近|合乎|相似|像|很像|有些像|有点像|类似|适合",
    Part.ASKED: "|".join(f"{you}{said}" for you in "您你" for said in _YOURS.split("|")),
    Part.PHOTO: "照片|" + "|".join(f"{you}{of}" for you in "您你" for of in _PHOTOS.split("|")),
    Part.GOES_WITH: "很搭|搭配|相配|很配|绝配|配套|一起买|一起购买|一起下单",
    Part.BY: "来自|由|出自",
    Part.NOT: "没有|没|未|从未|从没|还没有|还没|尚未|不曾|未曾",
    Part.HERE: "本店|在本店|这家店|在这家店|本门店|在本门店|店内|在店内",
    Part.NOW: "本周|这周|本星期|现在|目前|正在|眼下",
    Part.AND: "和|与|跟|及|以及|并|并且|而且|且|但|不过|同时|又",
    Part.OF: "的",
    Part.SAME: "也是|也属于|就是|正是",
    Part.IT: "它|它们",
    Part.THIS: "这|这款|这件|这条|这个|这种|这部|这本|这瓶|这盒|这袋|这双|这只|这台|这套|这张|这支|"
    "这罐|这包|这一款|这一件|此款|本款|该款|该商品|这款商品|这件商品|这个商品|这款产品|本品",
    Part.OWN: "您的|你的",
    Part.NEUTRAL: "是|也|都|还|还有|另有|再|再次|就|就会|才|在|于|到|了|过|会|能|可以|可能|也许|"
    "或许|应该|似乎|看来|好像|大概|差不多|预计|正|正好|刚好|恰好|已经|已|曾|曾经|因为|由于|因此|所以|于是|既然|"
    "不妨|试试|试一试|看看|值得|值得考虑|值得一试|推荐|推荐给您|为您推荐|为您|给您|给|把|我们|想到|"
    "上次|上一次|最近一次|最后一次|一款|一件|一条|一种|一个|一部|一本|一瓶|一盒|商品|产品|"
    "好选择|不错|不错的选择|很好|很|很多|不少|许多|非常|特别|十分|挺|更|尤其|总共|一共|共|共计|累计|"
    "平时|平时的|别处|别处的|往常|往常的|平常的|其他店的|售价|价格|价格是|定价|标价|仅|只要|只需|"
    "仅需|品牌|出品|制造|生产|属于|吧|呢",
}
_ENDINGS = ("", "过", "了")
"""Of a deed: 买, 买过, 买了."""


def _table() -> dict[str, tuple[Part, str]]:
    found: dict[str, tuple[Part, str]] = {}
    for part, by_meaning, endings in (
        (Part.DEED, VERBS, _ENDINGS),
        (Part.SOLD, SOLD, _ENDINGS),
        (Part.OFFER, OFFERS, ("",)),
    ):
        for meaning, phrases in by_meaning.items():
            for phrase in phrases.split("|"):
                found |= {f"{phrase}{ending}": (part, meaning) for ending in endings}
    for part, phrases in _WORDS.items():
        for phrase in phrases.split("|"):
            found.setdefault(phrase, (part, ""))
    return found


PHRASES = _table()
"""Phrases with what they do and what is meant."""
LONGEST = max(map(len, PHRASES))
CATEGORY_ENDINGS = ("类的商品", "类商品", "类产品", "类的产品", "类")
"""Behind a name, they say that it is that of a category; the longest first."""
DAYS = {
    "工作日": "weekday", "平日": "weekday", "周末": "weekend",
    **{f"{week}{day}": name for week in ("周", "星期", "礼拜") for day, name in zip(
        "一二三四五六日天",
        ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday", "sunday"),
        strict=True,
    )},
}  # fmt: skip
DAYTIMES = {
    "夜里": "night", "深夜": "night", "夜间": "night", "清晨": "early morning", "上午": "morning",
    "早上": "morning", "早晨": "morning", "中午": "midday", "下午": "afternoon", "晚上": "evening",
    "傍晚": "evening", "晚间": "evening",
}  # fmt: skip
_SPEAKING = frozenset(
    [Part.YOU, Part.PEOPLE, Part.WHO, Part.SOLD, Part.OFFER, Part.DUE, Part.IT, Part.THIS]
)


def speaks(text: str) -> bool:
    """Whether a text says something instead of naming something: it addresses, offers, points."""
    found = {
        text[start:end]
        for start in range(len(text))
        for end in range(start + 1, min(start + LONGEST, len(text)) + 1)
    }
    said = [PHRASES[one] for one in found if one in PHRASES]
    return any(part in _SPEAKING for part, _ in said) or "买" in text


def is_of_known_words(text: str) -> bool:
    """Whether a text is made of words of the lexicon alone: then it can be no name."""
    reached = {0}
    for start in range(len(text)):
        if start in reached:
            ends = range(start + 1, min(start + LONGEST, len(text)) + 1)
            reached |= {end for end in ends if text[start:end] in PHRASES}
    return len(text) in reached
