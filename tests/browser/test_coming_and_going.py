"""Runs outlive pages: reload, a second tab, a closed tab; and what browser buttons do."""

import time

from playwright.sync_api import expect

from rnnviz.runs.live import LEASE_SECONDS
from tests.browser.screen import Screen

LONG = {"steps": 50_000, "hidden_size": 16}


def test_a_reload_finds_the_same_run_still_training_and_its_whole_history(page, app_server):
    screen = Screen(page).open(app_server.url, **LONG)
    screen.train()
    screen.until("() => rnnviz.store.steps.length > 10")
    before = screen.state
    page.reload()
    screen.ready()
    expect(screen.button("Pause")).to_be_visible()
    screen.reach(before["newest"] + 1)
    assert screen.state["run"] == before["run"]
    assert screen.state["status"] == "training"
    screen.pause()
    after = screen.state
    assert after["lacks"] is None
    assert after["steps"] == after["kept"]
    assert after["steps"][0] == 0
    assert len(after["steps"]) > 8
    assert after["losses"] == after["newest"]


def test_two_tabs_on_one_run_agree(new_page, app_server, measured):
    first = Screen(new_page()).open(app_server.url, **LONG)
    first.train()
    first.reach(3)
    second = Screen(new_page()).visit(first.page.evaluate("location.href"))
    expect(second.button("Pause")).to_be_visible()
    assert second.state["run"] == first.state["run"]
    second.press("Pause")
    began = time.monotonic()
    expect(first.button("Train")).to_be_visible()
    waited = time.monotonic() - began
    measured("a pause shows in the other tab after, s", waited)
    assert waited <= 3
    first.rest()
    second.rest()
    ours, theirs = first.state, second.state
    assert ours["newest"] == theirs["newest"]
    assert ours["steps"] == theirs["steps"]
    assert first.drawn["gradient"] == second.drawn["gradient"]


def test_a_setting_changed_in_one_tab_shows_in_the_other(new_page, app_server):
    first = Screen(new_page()).open(app_server.url, **LONG)
    second = Screen(new_page()).visit(first.page.evaluate("location.href"))
    first.setting("Learning rate").press("ArrowRight")
    first.until("() => location.search.includes('learning_rate=')")
    second.until("() => location.search.includes('learning_rate=')")
    assert second.query == first.query


def test_training_stops_when_nobody_looks_and_goes_on_when_somebody_does(new_page, app_server, measured):
    first = Screen(new_page()).open(app_server.url, **LONG)
    first.train()
    first.reach(20)
    begin, began = first.state["newest"], time.monotonic()
    first.page.wait_for_timeout(2000)
    left, gone = first.state["newest"], time.monotonic()
    speeds = [(left - begin) / (gone - began)]
    url = first.page.evaluate("location.href")
    first.page.close()

    away = 3 * LEASE_SECONDS
    time.sleep(away)
    second = Screen(new_page()).visit(url)
    back = second.state["newest"]
    waited = time.monotonic() - gone
    expect(second.button("Pause")).to_be_visible()
    begin, began = second.state["newest"], time.monotonic()
    second.page.wait_for_timeout(2000)
    speeds.append((second.state["newest"] - begin) / (time.monotonic() - began))
    assert speeds[1] > 0, "it goes on as soon as somebody looks"
    worked = (back - left) / max(speeds)
    measured("seconds of work in a closed tab", worked, {"away": waited, "lease": LEASE_SECONDS, "speeds": speeds})
    # The lease, one slice, and the time the second page took to open.
    assert worked <= LEASE_SECONDS + 1 + (waited - away)
    second.press("Pause")


def test_the_back_button_is_not_a_trap(page, app_server):
    page.goto(f"{app_server.url}/_stcore/health")
    screen = Screen(page).open(app_server.url)
    for key in ("ArrowRight", "ArrowRight", "ArrowLeft"):
        url = page.evaluate("location.href")
        screen.setting("Learning rate").press(key)
        screen.until("(url) => location.href !== url", url)
    for _ in range(8):
        page.evaluate("history.back()")
        page.wait_for_timeout(700)
        if page.url.endswith("health"):
            return
    raise AssertionError(f"still at {page.url} after going back eight times")
