"""Headless Chromium for the tests that drive the real page."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

CHROMIUM = shutil.which("chromium")
CHROMEDRIVER = shutil.which("chromedriver")
if CHROMIUM is None or CHROMEDRIVER is None:
    pytest.skip(
        "chromium or chromedriver is missing: apt-get install chromium chromium-driver",
        allow_module_level=True,
    )

webdriver = pytest.importorskip("selenium.webdriver")
from selenium.common.exceptions import StaleElementReferenceException  # noqa: E402
from selenium.webdriver.chrome.service import Service  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.remote.webelement import WebElement  # noqa: E402
from selenium.webdriver.support.ui import WebDriverWait  # noqa: E402

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


@contextmanager
def chromium() -> Iterator[webdriver.Chrome]:
    """A browser with a profile of its own, which keeps what pages write to the console."""
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        for flag in (*FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        driver = webdriver.Chrome(options=options, service=Service(CHROMEDRIVER))
        yield driver
        driver.quit()


def complaints(browser: webdriver.Chrome) -> list[dict[str, object]]:
    """What the console has had to say since the last look."""
    return [line for line in browser.get_log("browser") if line["level"] in {"SEVERE", "WARNING"}]


def wait(browser: webdriver.Chrome, condition: Callable[[], object]) -> None:
    waiting = WebDriverWait(browser, WAIT_S, ignored_exceptions=(StaleElementReferenceException,))
    waiting.until(lambda _: condition())


def one(within: webdriver.Chrome | WebElement, selector: str) -> WebElement:
    return within.find_element(By.CSS_SELECTOR, selector)


def texts(within: webdriver.Chrome | WebElement, selector: str) -> list[str]:
    return [found.text for found in within.find_elements(By.CSS_SELECTOR, selector)]


def request_of(browser: webdriver.Chrome) -> str | None:
    """Id of the list that the page shows."""
    return browser.find_element(By.ID, "list").get_attribute("data-request")


def shown(browser: webdriver.Chrome, where: str = "#list") -> list[str]:
    """The item ids of a list, in their order."""
    script = "return [...document.querySelectorAll(arguments[0])].map(card => card.dataset.item)"
    return browser.execute_script(script, f"{where} .card")


def focused_id(browser: webdriver.Chrome) -> str:
    return browser.execute_script("return document.activeElement.id")
