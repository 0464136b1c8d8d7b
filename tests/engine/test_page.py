"""The real page, driven in headless Chromium."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from chromium import (
    chromium,
    complaints,
    focused_id,
    one,
    request_of,
    shown,
    texts,
    wait,
    webdriver,
)
from live_server import LiveServer, start_server
from PIL import Image, ImageDraw
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select


@pytest.fixture(scope="module")
def server(small_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    running = start_server(small_run, tmp_path_factory.mktemp("page"))
    yield running
    running.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[webdriver.Chrome]:
    with chromium() as driver:
        yield driver


@pytest.fixture
def page(server: LiveServer, browser: webdriver.Chrome) -> Iterator[webdriver.Chrome]:
    browser.get(f"{server.url}/")
    wait(browser, lambda: request_of(browser))
    yield browser
    assert complaints(browser) == []


def scored(browser: webdriver.Chrome) -> list[str]:
    script = "return [...document.querySelectorAll('.score')].map(score => score.textContent)"
    return [*shown(browser), *browser.execute_script(script)]


def after(browser: webdriver.Chrome, act: Callable[[], object]) -> list[str]:
    """Do something that asks for a new list, and read the new list."""
    before = request_of(browser)
    act()
    wait(browser, lambda: request_of(browser) not in {None, before})
    return scored(browser)


def pick(browser: webdriver.Chrome, field: str, index: int) -> None:
    Select(browser.find_element(By.ID, field)).select_by_index(index)


def test_the_list_has_pictures_prices_and_reasons(page):
    cards = page.find_elements(By.CSS_SELECTOR, ".card")
    assert len(cards) == len(set(shown(page))) == 12
    loaded = "return [...document.images].filter(i => i.complete && i.naturalWidth > 0).length"
    wait(page, lambda: page.execute_script(loaded) >= 1)
    failed = "return [...document.images].filter(i => i.src && i.complete && !i.naturalWidth)"
    assert page.execute_script(failed) == []
    for card in cards:
        assert card.find_element(By.CLASS_NAME, "title").text
        assert card.find_element(By.CLASS_NAME, "reason").text
    assert page.find_element(By.ID, "headline").text.startswith("For ")
    assert " ms" in page.find_element(By.ID, "latency").text
    assert page.find_element(By.ID, "attribution").text


def test_why_opens_on_evidence_and_trace(page):
    summary = page.find_element(By.CSS_SELECTOR, ".card summary")
    summary.send_keys(Keys.ENTER)
    proof = page.find_element(By.CSS_SELECTOR, ".card details[open] .proof")
    assert proof.find_elements(By.CSS_SELECTOR, ".scores dt")
    assert "rank" in proof.text


def test_another_shopper_gets_another_list(page):
    before = scored(page)
    headline = page.find_element(By.ID, "headline").text
    assert after(page, lambda: pick(page, "shopper", 1)) != before
    assert page.find_element(By.ID, "headline").text != headline


def test_someone_new_gets_a_list_too(page):
    choices = Select(page.find_element(By.ID, "shopper"))
    after(page, lambda: choices.select_by_visible_text("Someone new"))
    assert len(shown(page)) == 12


def test_the_scene_changes_the_list(page):
    before = scored(page)
    day = "#days input:not(:checked)"
    on_another_day = after(page, lambda: page.find_elements(By.CSS_SELECTOR, day)[3].click())
    elsewhere = after(page, lambda: pick(page, "place", 1))
    assert before != on_another_day
    assert on_another_day != elsewhere


def test_a_typed_wish_changes_the_list(page):
    before = scored(page)
    word = page.find_elements(By.CSS_SELECTOR, ".title")[-1].text.split(",")[0]
    wish = page.find_element(By.ID, "wish")
    assert after(page, lambda: wish.send_keys(word)) != before


def test_adding_to_the_basket_changes_the_next_list(page):
    choices = Select(page.find_element(By.ID, "shopper"))
    after(page, lambda: choices.select_by_visible_text("Someone new"))
    before = scored(page)
    card = page.find_element(By.CSS_SELECTOR, ".card")
    title = card.find_element(By.CLASS_NAME, "title").text
    assert after(page, lambda: card.find_element(By.CLASS_NAME, "add").click()) != before
    assert page.find_element(By.ID, "basket-items").text == title
    status = page.find_element(By.ID, "status")
    assert status.get_attribute("aria-live") == "polite"
    assert status.text.startswith(f"{title} is in the basket.")


def test_a_photo_changes_the_list_and_can_be_taken_away(page, tmp_path):
    before = scored(page)
    photo = Image.new("RGB", (1600, 1200), "white")
    ImageDraw.Draw(photo).ellipse((500, 300, 1100, 900), fill="red")
    photo.save(tmp_path / "apple.png")
    chosen = one(page, "#photo input")
    assert after(page, lambda: chosen.send_keys(str(tmp_path / "apple.png"))) != before
    assert one(page, "#photo .preview img").get_attribute("naturalWidth") == "1024"
    assert after(page, one(page, "#photo .preview button").click) == before


def test_what_is_no_picture_is_told_in_words(page, tmp_path):
    (tmp_path / "notes.png").write_text("no picture")
    one(page, "#photo input").send_keys(str(tmp_path / "notes.png"))
    wait(page, lambda: "notes.png is not a picture" in one(page, "#fault").text)


def test_a_sentence_becomes_chips_that_can_be_taken_away(page):
    day = one(page, "#date").get_attribute("value")
    say = one(page, "#say")
    wait(page, say.is_displayed)
    after(page, lambda: say.send_keys("Friday evening, raining, under 3", Keys.ENTER))
    fields = "return [...document.querySelectorAll('.chip')].map(chip => chip.dataset.field)"
    assert page.execute_script(fields) == ["time", "time", "weather", "price_max"]
    assert one(page, "#days input:checked").get_attribute("aria-label") == "Friday"
    assert one(page, "#time").get_attribute("value") == "19:00"
    assert one(page, "#weather").get_attribute("value") == "rain"
    prices = [float(text.strip("$")) for text in texts(page, "#list .price")]
    assert prices
    assert max(prices) <= 3

    weather = "[data-field=weather] button"
    after(page, lambda: one(page, weather).send_keys(Keys.ENTER))
    assert one(page, "#weather").get_attribute("value") == ""
    assert say.get_attribute("value") == "Friday evening, under 3"
    assert page.execute_script("return document.activeElement.closest('.chip') !== null")

    # What is set by hand stays, and the words that had set it go.
    page.refresh()
    wait(page, lambda: request_of(page))
    assert page.execute_script(fields) == ["time", "time", "price_max"]
    after(page, lambda: one(page, "#days input[value='6']").click())
    assert page.execute_script(fields) == ["price_max"]
    assert one(page, "#days input:checked").get_attribute("aria-label") == "Sunday"
    assert one(page, "#date").get_attribute("value") > day


def test_search_takes_the_place_of_the_list_until_it_is_cleared(page):
    headline = one(page, "#headline").text
    word = texts(page, "#list .title")[-1].split(",")[0]
    box = one(page, "#find")
    after(page, lambda: box.send_keys(word))
    assert one(page, "#headline").text == f"Found for “{word}”"
    assert any(word in title for title in texts(page, "#list .title"))
    after(page, lambda: box.send_keys(Keys.ESCAPE))
    assert one(page, "#headline").text == headline


def test_the_drawer_shows_what_is_like_and_what_goes_with_an_item(page, server):
    item = shown(page)[0]
    opener = one(page, "#list .card .like")
    opener.send_keys(Keys.ENTER)
    drawer = one(page, "#drawer-list")
    wait(page, lambda: drawer.get_attribute("data-shows") == "like")
    with server.client() as client:
        alike = client.get(f"/v1/items/{item}/similar", params={"k": 12}).json()
        apart = client.get(f"/v1/items/{item}/complements", params={"k": 12}).json()
    assert shown(page, "#drawer-list") == [slot["item"]["item_id"] for slot in alike["items"]]
    one(page, "[data-shows=goes]").send_keys(Keys.ENTER)
    wait(page, lambda: drawer.get_attribute("data-shows") == "goes")
    assert shown(page, "#drawer-list") == [slot["item"]["item_id"] for slot in apart["items"]]
    webdriver.ActionChains(page).send_keys(Keys.ESCAPE).perform()
    wait(page, lambda: not one(page, "#drawer").is_displayed())
    assert page.switch_to.active_element == opener


def test_the_path_of_the_graph_is_drawn_and_told(page, server):
    one(page, "#list .card summary").send_keys(Keys.ENTER)
    wait(page, lambda: page.find_elements(By.CSS_SELECTOR, "#list .route"))
    user, item = one(page, "#shopper").get_attribute("value"), shown(page)[0]
    with server.client() as client:
        why = client.post("/v1/explain", json={"user_id": user, "item_id": item}).json()
    ways = [path["steps"] for path in why["paths"]]
    steps = next((way for way in ways if len(way) > 1), ways[0])
    route = one(page, "#list .route")
    assert len(route.find_elements(By.CSS_SELECTOR, ".node")) == len(steps) + 1
    told = route.get_attribute("aria-label")
    assert told.startswith("You took ")
    assert told.endswith(steps[-1]["name"])
    assert route.get_attribute("role") == "img"


def test_the_assistant_answers_beside_the_list(page):
    word = texts(page, "#list .title")[0].split(",")[0]
    wait(page, one(page, "#chat-open").is_displayed)
    one(page, "#chat-open").send_keys(Keys.ENTER)
    assert focused_id(page) == "message"
    one(page, "#message").send_keys(word, Keys.ENTER)
    wait(page, lambda: shown(page, "#talk"))
    assert word.lower() in " ".join(texts(page, "#talk .title")).lower()
    one(page, "#message").send_keys(Keys.ESCAPE)
    assert not one(page, "#chat").is_displayed()
    assert focused_id(page) == "chat-open"


def test_what_is_not_wanted_leaves_and_the_focus_stays_in_the_list(page):
    unwanted = shown(page)[2]
    button = page.find_elements(By.CSS_SELECTOR, ".card .no")[2]
    after(page, lambda: button.send_keys(Keys.ENTER))
    assert unwanted not in shown(page)
    focused = "return document.getElementById('list').contains(document.activeElement)"
    assert page.execute_script(focused)


def test_the_address_brings_the_same_scene_back(page):
    after(page, lambda: pick(page, "place", 2))
    items = shown(page)
    headline = page.find_element(By.ID, "headline").text
    page.refresh()
    wait(page, lambda: request_of(page))
    assert page.find_element(By.ID, "headline").text == headline
    assert shown(page) == items


@pytest.mark.parametrize("width", [320, 390, 768, 1366])
def test_nothing_sticks_out_of_the_window(page, width):
    metrics = {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": width < 500}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        for summary in page.find_elements(By.CSS_SELECTOR, ".card summary")[:3]:
            summary.send_keys(Keys.ENTER)
        # Not window.innerWidth: a phone's grows with what sticks out.
        assert page.execute_script("return document.documentElement.scrollWidth") <= width
        cut = """return [...document.querySelectorAll('.card button, .card .price, .top p')]
            .filter(e => e.offsetParent && e.getBoundingClientRect().right > arguments[0] + 1)
            .map(e => e.className)"""
        assert page.execute_script(cut, width) == []
    finally:
        page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_stand_out_from_their_ground(page, scheme):
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    for ink, ground in [
        ("ink", "paper"),
        ("quiet", "paper"),
        ("quiet", "surface"),
        ("on-accent", "accent"),
        ("accent", "accent-wash"),
        ("on-shelf", "shelf"),
        ("warn", "paper"),
    ]:
        assert contrast(page, ink, ground) >= 4.5, (scheme, ink, ground)


def contrast(page: webdriver.Chrome, ink: str, ground: str) -> float:
    """WCAG 2 contrast ratio of two of the style sheet's colours."""
    script = "return getComputedStyle(document.documentElement).getPropertyValue(arguments[0])"
    lights = sorted(
        (luminance(page.execute_script(script, f"--{name}").strip()) for name in (ink, ground)),
        reverse=True,
    )
    return (lights[0] + 0.05) / (lights[1] + 0.05)


def luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
