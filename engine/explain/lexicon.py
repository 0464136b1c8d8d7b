"""The English words that a reason may use, and what each does; every other word is a claim.

Each part is one letter, so that a sentence becomes a short string and its claims are found by the
patterns of :mod:`engine.explain.grammar`.
"""

from __future__ import annotations

from enum import StrEnum


class Part(StrEnum):
    """What a word, a name or a number does in a sentence about an item."""

    YOU = "Y"
    PEOPLE = "P"
    WHO = "W"
    DEED = "V"
    DOING = "v"
    """A deed as "buying", whose doer is left out."""
    DEEDS = "N"
    """A deed as a noun: "nine purchases"."""
    LIKE = "l"
    OFTEN = "o"
    RECENTLY = "c"
    DUE = "D"
    SOON_DUE = "S"
    OFFER = "O"
    POPULAR = "L"
    MATCH = "M"
    ASKED = "A"
    GOES_WITH = "G"
    PHOTO = "F"
    GIFT = "g"
    FOR = "f"
    BY = "B"
    NEW = "n"
    NOT = "~"
    HERE = "H"
    NOW = "w"
    AND = "&"
    STOP = "."
    PAUSE = ","
    # In Chinese alone.
    OF = "d"
    SOLD = "x"
    """A deed as "was sold": whoever did it."""
    SAME = "z"
    """As in "this is one too"."""
    # Names.
    ITEM = "I"
    THING = "T"
    CATEGORY = "C"
    BRAND = "k"
    WISH = "U"
    QUOTE = "Q"
    WHEN = "s"
    UNCLEAR = "?"
    # Numbers.
    TIMES = "t"
    AGO = "a"
    EVERY = "e"
    PERIOD = "p"
    AHEAD = "h"
    RATIO = "r"
    MONEY = "m"
    # Words that leave no letter.
    IT = "it"
    THIS = "this"
    OWN = "your"
    ARTICLE = "the"
    NEUTRAL = ""


VERBS = {
    "buy": "buy|buys|bought|purchase|purchased|order|ordered|picked up|pick up|got|stocked up on",
    "pick": "pick|picked|put|added|add",
    "look at": "look at|looked at|looks at|view|viewed|views|browsed|browse|saw|checked out|"
    "check out|had a look at|clicked on|clicked",
    "rate": "rate|rated|rates|reviewed|scored",
    "": "took|take|taken|chose|choose|chosen|went for|go for|get|gets",
}
"""Deeds by what they are to a shop; the last ones may be any."""
GERUNDS = {"buy": "buying|purchasing|ordering", "look at": "looking at|viewing", "rate": "rating"}
NOUNS = {
    "buy": "purchase of|purchases|purchases of|orders|orders of",
    "look at": "looks|looks at|views|views of",
    "rate": "ratings|ratings of",
}
OFFERS = {
    "display": "on display|displayed|on show",
    "discount": "reduced|discounted|discount|on sale|marked down|price cut|at a reduced price|"
    "at a discount|a discount",
    "coupon": "coupon|coupons|a coupon out|with a coupon out",
    "mailer": "mailer|flyer|this week's mailer|in the mailer|the weekly mailer",
    "": "on offer|special offer|on promotion|promoted|a deal|on a deal",
}
"""Offers by kind; the last ones are a lower price of any kind."""

_WORDS: dict[Part, str] = {
    Part.YOU: "you|you've|you'd|you're",
    Part.PEOPLE: "people|shoppers|customers|others|other shoppers|other customers|other people|"
    "viewers|buyers|those|many|many people|many shoppers|many customers|all shoppers|"
    "all customers|several shoppers",
    Part.WHO: "who",
    Part.LIKE: "like|enjoy|seem to like|seem to enjoy",
    Part.OFTEN: "often|regularly|frequently|usually|usual|regular|regulars|favorite|favourite|"
    "routine|habit|staple|staples|a lot|go-to|tend to|routinely",
    Part.RECENTLY: "recently|lately|just",
    Part.DUE: "due|due now|due again|time for more|time for another|running out|running low|"
    "run out|run low|restock|overdue|stock up|replenish|time to buy it again|time for it again|"
    "need it again|need more",
    Part.SOON_DUE: "nearly due|due soon|due again soon|almost due|soon due|due shortly",
    Part.POPULAR: "popular|popular choice|sells well|selling well|in demand|often bought here",
    Part.MATCH: "match|matches|matching|fit|fits|suit|suits|suitable|close to|comes close to|"
    "come close to|in line with|answers",
    Part.ASKED: "asked for|ask for|looking for|wish for|search|searched for|wish|wanted|requested|"
    "typed|had in mind|want",
    Part.GOES_WITH: "goes with|go with|goes well with|go well with|pairs with|pairs well with|"
    "pair with|pair well with|complements|complement|goes along with",
    Part.PHOTO: "your photo|the photo|photo|your picture|the picture you sent",
    Part.GIFT: "gift|present|gifts|presents|gift idea",
    Part.FOR: "for",
    Part.BY: "by|from",
    Part.NEW: "new to you|something new|new for you|not tried",
    Part.NOT: "not|never|haven't|don't|hasn't|no|without|yet to|didn't",
    Part.HERE: "here|in this store|in this shop|in this branch|at this store|at this shop|"
    "at this branch|in your store|at your store|in store|in the store|in this location",
    Part.NOW: "this week|now|right now|currently|at the moment|this week's|at present",
    Part.AND: "and|but|while|as well as|plus",
    Part.IT: "it|them|they|its|it's",
    Part.THIS: "this|these|this one|this item|this product|that one|these ones",
    Part.OWN: "your|yours",
    Part.ARTICLE: "the|a|an|another|some|one of the",
    Part.NEUTRAL: "is|are|was|were|been|be|being|has|have|had|having|of|to|in|on|at|with|that|"
    "which|so|because|since|as|after|before|already|again|too|also|as well|might|may|could|"
    "would|can|will|seem|seems|appears|soon|still|more|or|good|great|nice|handy|useful|choice|"
    "option|idea|worth|look|another look|worth a look|time|the last time|last time|last|latest|"
    "most recent|one|ones|we|thought of|thought|think|suggest|suggested|recommend|recommended|"
    "when|there|do|did|does|made|maker|brand|if|into|so far|make|makes|then|therefore|here's|"
    "about|around|or so|times|over|need|similar|alike|much|looks much like|looks like|"
    "look like|look much like|resembles|resemble|similar in look to|similar to|given|kind|type|"
    "category|belongs to|found under|found in|reason|well|perfect|ideal|come|comes|try|made by|"
    "today's|recent|previous|previously|earlier|shopping|as overall|as usual|as elsewhere|"
    "overall|elsewhere|as often|usual here|costs|cost|priced|price|out|going|"
    "going by|"
    "what|total|altogether|only natural|it's time|least|bit|well-known|may want|pick|"
    "good pick|great pick|fits in|up|past|being|back|like|just the thing|both|whenever|based|yet|"
    "to your cart|"
    "to your basket|in your basket|in your cart|"
    "to the cart|in the basket|into your basket|into your cart",
}


def _table() -> dict[tuple[str, ...], tuple[Part, str]]:
    found: dict[tuple[str, ...], tuple[Part, str]] = {}
    for part, by_meaning in (
        (Part.DEED, VERBS),
        (Part.DOING, GERUNDS),
        (Part.DEEDS, NOUNS),
        (Part.OFFER, OFFERS),
    ):
        for meaning, phrases in by_meaning.items():
            for phrase in phrases.split("|"):
                found[tuple(phrase.split())] = (part, meaning)
    for part, phrases in _WORDS.items():
        for phrase in phrases.split("|"):
            found.setdefault(tuple(phrase.split()), (part, ""))
    return found


PHRASES = _table()
"""Words of a phrase, lower case, with what it does and what is meant."""
LONGEST = max(map(len, PHRASES))
WORDS = frozenset(word for phrase in PHRASES for word in phrase)
"""Every single word of the lexicon: no name of an item may be made of these alone."""
SMALL_WORDS = frozenset(["of", "with", "on", "in", "for", "the", "and", "a", "an", "to", "at"])
DAY_WORDS = frozenset(
    [
        "weekday",
        "weekend",
        "monday",
        "tuesday",
        "wednesday",
        "thursday",
        "friday",
        "saturday",
        "sunday",
    ]
)
DAYTIME_WORDS = frozenset(["night", "morning", "midday", "afternoon", "evening"])
