"""The real page, driven in headless Chromium."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from live_server import LiveServer, start_server

CHROMIUM = shutil.which("chromium")
CHROMEDRIVER = shutil.which("chromedriver")
if CHROMIUM is None or CHROMEDRIVER is None:
    pytest.skip(
        "chromium or chromedriver is missing: apt-get install chromium chromium-driver",
        allow_module_level=True,
    )

webdriver = pytest.importorskip("selenium.webdriver")
from selenium.webdriver.chrome.service import Service  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.support.ui import Select, WebDriverWait  # noqa: E402

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--window-size=1366,900",
    "--force-prefers-reduced-motion",
)
WAIT_S = 30


@pytest.fixture(scope="module")
def server(small_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    running = start_server(small_run, tmp_path_factory.mktemp("page"))
    yield running
    running.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[webdriver.Chrome]:
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        for flag in (*FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        driver = webdriver.Chrome(options=options, service=Service(CHROMEDRIVER))
        yield driver
        driver.quit()


@pytest.fixture
def page(server: LiveServer, browser: webdriver.Chrome) -> Iterator[webdriver.Chrome]:
    browser.get(f"{server.url}/")
    wait(browser, lambda: request_of(browser))
    yield browser
    severe = [line for line in browser.get_log("browser") if line["level"] in {"SEVERE", "WARNING"}]
    assert not severe, severe


def wait(browser: webdriver.Chrome, condition: Callable[[], object]) -> None:
    WebDriverWait(browser, WAIT_S).until(lambda _: condition())


def request_of(browser: webdriver.Chrome) -> str | None:
    return browser.find_element(By.ID, "list").get_attribute("data-request")


def shown(browser: webdriver.Chrome) -> list[str]:
    script = "return [...document.querySelectorAll('.card')].map(card => card.dataset.item)"
    return browser.execute_script(script)


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
