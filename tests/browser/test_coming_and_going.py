"""Runs outlive pages: reload, a second tab, a closed tab; and what browser buttons do."""

import contextlib
import os
import time
from pathlib import Path

import pytest
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
    ours = first.state
    second.until(
        "([newest, frames]) => rnnviz.store.newest === newest && rnnviz.store.steps.length === frames",
        [ours["newest"], len(ours["steps"])],
    )
    assert second.state["steps"] == ours["steps"]
    second.page.wait_for_timeout(100)
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
    left, url = first.state["newest"], first.page.evaluate("location.href")
    first.page.close()
    busy = cores_used(app_server, 1)  # the lease runs, and so does training
    time.sleep(LEASE_SECONDS)
    idle = cores_used(app_server, 2)
    measured("cores used after a tab is closed, lease over", idle, {"within the lease": busy})
    assert busy > 0.2
    assert idle < 0.1

    second = Screen(new_page()).visit(url)
    expect(second.button("Pause")).to_be_visible()
    back = second.state["newest"]
    assert back > left
    second.reach(back + 20)
    second.press("Pause")


def cores_used(server, seconds):
    """Processor time the app and its workers take, as cores."""

    def used():
        total = 0
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):  # a process may end meanwhile
                fields = stat.read_text().rpartition(")")[2].split()
                if int(fields[2]) == server.process.pid:  # its process group
                    total += int(fields[11]) + int(fields[12])
        return total / os.sysconf("SC_CLK_TCK")

    if not Path("/proc/self/stat").exists():
        pytest.skip("Processor time is read from /proc.")
    before = used()
    time.sleep(seconds)
    return (used() - before) / seconds


def test_the_back_button_is_not_a_trap(page, app_server, measured):
    page.goto(f"{app_server.url}/_stcore/health")
    screen = Screen(page).open(app_server.url)
    for key in ("ArrowRight", "ArrowRight", "ArrowLeft"):
        url = page.evaluate("location.href")
        screen.setting("Learning rate").press(key)
        screen.until("(url) => location.href !== url", url)
    for times in range(1, 9):
        page.evaluate("history.back()")
        page.wait_for_timeout(700)
        if page.url.endswith("health"):
            measured("times to press Back to leave", times)
            return
    raise AssertionError(f"still at {page.url} after going back eight times")
