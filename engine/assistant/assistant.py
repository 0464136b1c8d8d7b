"""An assistant that shops with the customer, by grammar and embeddings.

A message becomes an intent and a wish; tools put candidates on the bus and narrow them; the answer
is a list of items that exist, each with its id and the engine's own reason.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import reduce
from statistics import median

from engine.assistant.conversation import (
    MAX_BASKET,
    REMEMBERED_SAID,
    REMEMBERED_SEEN,
    Conversation,
    Reply,
)
from engine.assistant.intents import Intent, Meant, intent_of
from engine.assistant.phrases import Phrases, speaks_chinese
from engine.assistant.shelf import Path, Shelf
from engine.assistant.tools import Tools
from engine.assistant.wanted import Wanted, understand
from engine.errors import DataError, UnknownIdError
from engine.explain.naming import stem, words_of
from engine.recommend import Engine
from engine.recommendation import Recommendation
from engine.scene import Scene

SHOWN = 5
MAX_CHARS = 1_000
"""Longer messages are read so far."""
MIN_SHARE = 0.3
"""Of the first candidates, for a kind to be asked about."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One message and what it is answered from."""

    tools: Tools
    text: str
    meant: Meant
    before: Conversation
    wanted: Wanted
    """Of the conversation, with this message where it is a wish or a condition."""
    is_new: bool
    """Whether a new wish was made."""
    image: bytes | None
    phrases: Phrases
    k: int

    @property
    def pointed(self) -> tuple[str, ...]:
        """Item ids that the message points at; without a number, the first."""
        places = self.meant.places or (1,)
        return tuple(self.before.shown[at - 1] for at in places if at <= len(self.before.shown))


class Assistant:
    """Answers messages over an engine; holds no conversation itself, so one serves all."""

    def __init__(self, engine: Engine) -> None:
        """Use an open engine."""
        self._engine = engine

    def reply(
        self,
        user_id: str,
        text: str,
        conversation: Conversation | None = None,
        *,
        scene: Scene | None = None,
        image: bytes | None = None,
        k: int = SHOWN,
    ) -> Reply:
        """Answer one message.

        Args:
            user_id: May be unknown.
            text: English or Chinese.
            conversation: What the last reply carried; None begins one.
            scene: What is known of the moment beside the words.
            image: A photo that the message comes with.
            k: Items at most.

        Raises:
            ImageError: The photo cannot be read.
        """
        return self.answer(self.turn(user_id, text, conversation, scene=scene, image=image, k=k))

    def answer(self, turn: Turn) -> Reply:
        """Answer a message that was understood."""
        return _ANSWERS[turn.meant.intent](turn)

    def turn(
        self,
        user_id: str,
        text: str,
        conversation: Conversation | None = None,
        *,
        scene: Scene | None = None,
        image: bytes | None = None,
        k: int = SHOWN,
    ) -> Turn:
        """Understand one message, before anything is looked up; arguments as of :meth:`reply`."""
        before = conversation or Conversation()
        text = " ".join(text[:MAX_CHARS].split())
        tools = Tools.of(self._engine, user_id)
        moment = scene or Scene()
        read = _Reading(tools.shelf, self._engine, moment)
        chosen = _chosen_option(text, before)
        if chosen is not None:
            before = replace(before, chosen=chosen, options=())
            wanted, is_new = read.wish(before), False
            return Turn(
                tools, text, Meant(Intent.FIND), before, wanted, is_new, image, _phrases(text), k
            )
        meant = intent_of(text, len(before.shown))
        if image is not None and meant == Meant(Intent.SIMILAR):
            meant = Meant(Intent.FIND)  # "something like this" is said of the photo
        said = read(text)
        is_change = before.said and not said.says_what and image is None
        if meant.intent is not Intent.FIND:
            wanted, is_new = read.wish(before), False
        elif is_change:
            before = replace(before, said=(*before.said, text)[-REMEMBERED_SAID:])
            wanted, is_new = read.wish(before), False
        else:
            before = Conversation(said=(text,), basket=before.basket)
            wanted, is_new = said, True
        return Turn(tools, text, meant, before, wanted, is_new, image, _phrases(text), k)


@dataclass(frozen=True, slots=True)
class _Reading:
    """Reads messages of one conversation."""

    shelf: Shelf
    engine: Engine
    moment: Scene

    def __call__(self, text: str) -> Wanted:
        settings = self.engine.dataset_settings
        now = self.moment.at(self.engine.run.zone)
        locale = self.moment.locale or ("zh" if speaks_chinese(text) else None)
        wanted = understand(text, self.shelf, now=now, country=settings.country, locale=locale)
        told = {
            name: value
            for name in type(wanted.scene).model_fields
            if (value := getattr(wanted.scene, name)) not in (None, {})
        }
        return replace(wanted, scene=self.moment.model_copy(update=told))

    def wish(self, conversation: Conversation) -> Wanted:
        """The wish of a conversation under everything said since."""
        if not conversation.said:
            return self("")
        wanted = reduce(Wanted.changed_by, map(self, conversation.said))
        if conversation.chosen:
            wanted = replace(wanted, categories=frozenset({conversation.chosen}))
        return wanted


def _phrases(text: str) -> Phrases:
    return Phrases(speaks_chinese(text))


def _chosen_option(text: str, before: Conversation) -> Path | None:
    """The option of the last question that a message names."""
    said = frozenset(map(stem, words_of(text)))
    for path in before.options:
        name = frozenset(map(stem, words_of(path[-1])))
        if said and said <= name | {"the", "i", "mean", "please"} and said & name:
            return path
    return None


def _find(turn: Turn) -> Reply:
    """Find, narrow, and ask back where kinds differ so much that the answer changes the list."""
    turn.tools.find(turn.wanted, image=turn.image)
    return answer_list(turn)


def _more(turn: Turn) -> Reply:
    if not turn.before.said:
        return _find(turn)
    _again(turn)
    turn.tools.leave_out(turn.before.seen)
    return answer_list(turn)


def _again(turn: Turn) -> None:
    """The wish once more, within the prices that were drawn since."""
    turn.tools.find(turn.wanted)
    if turn.before.price_below is not None:
        turn.tools.cheaper_than(turn.before.price_below)
    if turn.before.price_above is not None:
        turn.tools.dearer_than(turn.before.price_above)


def _by_price(turn: Turn) -> Reply:
    """Below, or above, the middle price of what was shown."""
    shown = [turn.tools.item(item_id).price for item_id in turn.before.shown]
    prices = [price for price in shown if price is not None]
    if not prices:
        return _say(turn, "Tell me first what you are looking for.", "请先告诉我您想找什么。")
    middle = float(median(prices))
    cheaper = turn.meant.intent is Intent.CHEAPER
    before = turn.before
    before = replace(before, price_below=middle) if cheaper else replace(before, price_above=middle)
    turn = replace(turn, before=before)
    _again(turn)
    turn.tools.leave_out(turn.before.seen)
    return answer_list(turn)


def _compare(turn: Turn) -> Reply:
    places = turn.meant.places or tuple(range(1, min(2, len(turn.before.shown)) + 1))
    ids = [turn.before.shown[at - 1] for at in places if at <= len(turn.before.shown)]
    if len(ids) < 2:
        return _say(turn, "Show me two items to compare first.", "请先选出两件要比较的商品。")
    items = turn.tools.why(ids, turn.wanted.scene)
    told = [turn.phrases.pair(items), turn.phrases.cheapest(items)]
    return _reply(turn, "\n".join(filter(None, told)), items)


def _why(turn: Turn) -> Reply:
    items = turn.tools.why(turn.pointed, turn.wanted.scene)
    if not items:
        return _say(turn, "I have not shown you anything yet.", "我还没有推荐任何商品。")
    return _reply(turn, turn.phrases.why(items), items)


def _beside(turn: Turn) -> Reply:
    """What goes with, or is like, what was pointed at."""
    if not turn.pointed:
        return _say(turn, "Tell me first what you are looking for.", "请先告诉我您想找什么。")
    if turn.meant.intent is Intent.GOES_WITH:
        turn.tools.goes_with(turn.pointed)
    else:
        try:
            turn.tools.similar(turn.pointed[0])
        except DataError as error:
            return _say(turn, str(error), str(error))
    return answer_list(turn, keep_reasons=True)


def _portrait(turn: Turn) -> Reply:
    try:
        portrait = turn.tools.portrait()
    except UnknownIdError:
        return _say(turn, "I do not know your purchases yet.", "我还不了解您的购物记录。")
    return _reply(turn, turn.phrases.portrait(portrait))


def _basket(turn: Turn) -> Reply:
    basket = turn.before.basket
    if turn.meant.intent is Intent.TAKE:
        basket = tuple(dict.fromkeys((*basket, *turn.pointed)))[:MAX_BASKET]
    elif turn.meant.intent is Intent.DROP:
        basket = tuple(item_id for item_id in basket if item_id not in turn.pointed)
    turn = replace(turn, before=replace(turn.before, basket=basket))
    return _reply(turn, turn.phrases.basket([turn.tools.item(item_id) for item_id in basket]))


def _reset(turn: Turn) -> Reply:
    turn = replace(turn, before=Conversation(basket=turn.before.basket))
    return _say(turn, "What are you looking for?", "您想找什么？")


def _greet(turn: Turn) -> Reply:
    return _say(turn, "What can I find for you?", "您想找点什么？")


def answer_list(turn: Turn, *, keep_reasons: bool = False) -> Reply:
    """The first of the bus with their reasons, and a question where one helps.

    Args:
        turn: Its bus holds what was found.
        keep_reasons: Leave the reasons that the items came with: what goes with what.
    """
    found = turn.tools.bus.found
    first = [one.item.item_id for one in found[: turn.k]]
    if not first:
        return _reply(turn, turn.phrases.none(turn.wanted))
    items = tuple(found[: turn.k]) if keep_reasons else turn.tools.why(first, turn.wanted.scene)
    seen = (*turn.before.seen, *first)[-REMEMBERED_SEEN:]
    options = _kinds(turn)
    after = replace(
        turn.before,
        shown=tuple(first),
        seen=seen,
        options=options,
        asked=turn.before.asked or bool(options),
    )
    names = tuple(path[-1] for path in options)
    return Reply(
        text=turn.phrases.found(turn.wanted, len(items)),
        conversation=after,
        intent=turn.meant.intent,
        items=items,
        question=turn.phrases.which(names) if names else None,
        options=names,
        way=tuple(turn.tools.bus.way),
    )


def _kinds(turn: Turn) -> tuple[Path, ...]:
    """Kinds between which a question decides: each would fill a list of its own."""
    if turn.before.asked or turn.before.chosen or not turn.is_new or not turn.wanted.words:
        return ()
    counts = turn.tools.departments()
    whole = sum(counts.values())
    large = [path for path, n in counts.items() if n >= max(MIN_SHARE * whole, 2)]
    return tuple(sorted(large, key=lambda path: -counts[path])) if len(large) > 1 else ()


def _reply(turn: Turn, text: str, items: tuple[Recommendation, ...] = ()) -> Reply:
    return Reply(text, turn.before, turn.meant.intent, items, way=tuple(turn.tools.bus.way))


def _say(turn: Turn, english: str, chinese: str) -> Reply:
    return _reply(turn, turn.phrases.say(english, chinese))


_ANSWERS: dict[Intent, Callable[[Turn], Reply]] = {
    Intent.FIND: _find,
    Intent.MORE: _more,
    Intent.CHEAPER: _by_price,
    Intent.DEARER: _by_price,
    Intent.COMPARE: _compare,
    Intent.WHY: _why,
    Intent.GOES_WITH: _beside,
    Intent.SIMILAR: _beside,
    Intent.PORTRAIT: _portrait,
    Intent.TAKE: _basket,
    Intent.DROP: _basket,
    Intent.BASKET: _basket,
    Intent.RESET: _reset,
    Intent.GREET: _greet,
}
