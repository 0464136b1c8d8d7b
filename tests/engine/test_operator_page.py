"""The operator's view, driven in headless Chromium on a server that asks for a key."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from chromium import chromium, complaints, focused_id, one, texts, wait, webdriver
from live_server import LiveServer, start_server
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from engine.publish import publish

KEY = "a key of the office"
HEADERS = {"Authorization": f"Bearer {KEY}"}


@pytest.fixture(scope="module")
def family(small_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs, the first of them published."""
    folder = tmp_path_factory.mktemp("family")
    for name in ("first", "second"):
        shutil.copytree(small_run, folder / name)
    publish(folder / "first")
    return folder


@pytest.fixture(scope="module")
def server(family: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    digest = hashlib.sha256(KEY.encode()).hexdigest()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VITRINE_API_KEYS", f"office:admin:{digest}")
        running = start_server(family, tmp_path_factory.mktemp("operator"))
    yield running
    running.stop()


@pytest.fixture(scope="module")
def office(server: LiveServer) -> Iterator[webdriver.Chrome]:
    """A browser into which the key was typed."""
    with chromium() as driver:
        driver.get(f"{server.url}/#operator")
        field = one(driver, "#key")
        wait(driver, field.is_displayed)
        assert focused_id(driver) == "key"
        complaints(driver)  # of the 401 that made the page ask
        field.send_keys(KEY, Keys.ENTER)
        wait(driver, lambda: texts(driver, "[data-panel=health] tbody th"))
        yield driver


@pytest.fixture
def view(office: webdriver.Chrome) -> Iterator[webdriver.Chrome]:
    yield office
    assert complaints(office) == []


def test_the_view_shows_readiness_and_every_worker(view, server):
    health = httpx.get(f"{server.url}/health").json()
    panel = one(view, "[data-panel=health]")
    assert texts(panel, ".pill")[0] == "ready"
    assert texts(panel, "tbody td:nth-child(2)") == [str(w["pid"]) for w in health["each"]]
    assert health["run_id"] in panel.text
    assert not view.find_element(By.ID, "shop-view").is_displayed()
    assert one(view, "#to-operator").get_attribute("aria-current") == "page"


def test_traffic_counts_what_was_asked(view, server):
    def counted() -> int:
        script = """return [...document.querySelectorAll('[data-panel=traffic] tbody tr')]
            .filter(row => row.cells[0].textContent === 'GET /v1/places')
            .map(row => row.cells[1].textContent)"""
        return sum(int(text) for text in view.execute_script(script))

    before = counted()
    for _ in range(3):
        httpx.get(f"{server.url}/v1/places", headers=HEADERS).raise_for_status()
    wait(view, lambda: counted() == before + 3)


def test_the_text_of_prometheus_is_read_as_it_is_meant(view):
    text = """# HELP calls_total Calls
calls_total{of="a \\"b\\""} 3.0
calls_total{of="c"} 4e1
took_bucket{le="0.1"} 10.0
took_bucket{le="0.2"} 30.0
took_bucket{le="1.0"} 40.0
took_bucket{le="+Inf"} 41.0
"""
    script = """const done = arguments[1];
        import("/page/metrics.js").then(({ parse, quantile, rate, total }) => {
            const found = parse(arguments[0]);
            const all = () => true;
            const earlier = { metrics: parse('calls_total{of="c"} 3'), at: 0 };
            done([
                total(found, "calls_total", ({ of }) => of === 'a "b"'),
                quantile(found, "took", 0.5, all),
                quantile(found, "took", 1, all) === Infinity,
                Number.isNaN(quantile(found, "none", 0.5, all)),
                rate({ metrics: found, at: 4000 }, earlier, "calls_total", all),
            ]);
        });"""
    # 20.5 of 41: past the 10 below 0.1, 10.5 of the 20 between 0.1 and 0.2; 43 - 3 calls in 4 s.
    found = view.execute_async_script(script, text)
    assert found == [3, pytest.approx(0.1525), True, True, 10]


def test_a_run_is_published_after_a_yes_and_rolled_back(view, family):
    def current() -> str:
        return (family / "current").resolve().name

    def press(selector: str, key: str) -> None:
        wait(view, lambda: view.find_elements(By.CSS_SELECTOR, selector))
        one(view, selector).send_keys(Keys.ENTER)
        wait(view, lambda: one(view, "dialog.ask").is_displayed())
        webdriver.ActionChains(view).send_keys(key).perform()
        wait(view, lambda: not view.find_elements(By.CSS_SELECTOR, "dialog.ask"))

    to_publish = "[aria-label='Publish second']"
    press(to_publish, Keys.ESCAPE)
    assert current() == "first"
    assert view.switch_to.active_element == one(view, to_publish)
    press(to_publish, Keys.TAB + Keys.ENTER)
    wait(view, lambda: current() == "second")
    wait(view, lambda: view.find_elements(By.CSS_SELECTOR, "[aria-label='Publish first']"))
    press("[data-panel=runs] .buttons button", Keys.TAB + Keys.ENTER)
    wait(view, lambda: current() == "first")


def test_a_policy_is_previewed_before_it_is_in_force(view, server):
    def in_force() -> str:
        return httpx.get(f"{server.url}/v1/policy", headers=HEADERS).json()["version"]

    panel = one(view, "[data-panel=policy]")
    wait(view, lambda: in_force() in panel.text)
    before = in_force()
    rules = one(panel, "textarea")
    rules.clear()
    rules.send_keys('{"name": "calm", "max_per_group": ')
    one(panel, ".buttons .add").click()
    wait(view, lambda: "not JSON" in panel.text)
    rules.send_keys("1}")
    one(panel, ".buttons .add").click()
    wait(view, lambda: panel.find_elements(By.CSS_SELECTOR, ".side"))
    now, then = panel.find_elements(By.CSS_SELECTOR, ".side")
    assert before in now.text
    assert "calm-" in then.text
    lost, won = (texts(side, "[data-mark]") for side in (now, then))
    assert len(lost) == len(won)
    assert set(texts(now, "li")) - set(texts(then, "li")) >= set(lost)
    assert in_force() == before


@pytest.mark.parametrize("width", [320, 768])
def test_the_view_fits_narrow_windows(view, width):
    metrics = {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": width < 500}
    view.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        assert view.execute_script("return document.documentElement.scrollWidth") <= width
    finally:
        view.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
