"""The cell race as somebody at the screen sees it: all lanes in one frame, one clock, one scrubber, one link."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.screen import AT_REST, READY, Screen

QUICK = {"task": "adding", "length": 20, "steps": 400, "lane1": "rnn~hidden_size=8", "lane2": "gru~hidden_size=8"}

MARKS = """() => Object.fromEntries([...rnnviz.pictures.values()].filter((p) => p.timed && p.drawn && p.visible)
  .map((p) => [p.key, p.marked.t]))"""


class RaceScreen(Screen):
    def ready(self) -> RaceScreen:
        self.page.wait_for_function(READY)
        expect(self.page.get_by_role("button", name=re.compile("^(Start|Pause)$"))).to_be_visible()
        return self

    def race(self) -> None:
        """Start, and wait for the end."""
        self.press("Start")
        self.until("() => rnnviz.store.newest === 400")
        self.until(AT_REST)


@pytest.fixture
def screen(page, app_server):
    return RaceScreen(page).open(app_server.url, "/cell_race", **QUICK)


def test_a_newcomer_presses_start_and_reads_who_learned(page, app_server):
    screen = RaceScreen(page).open(app_server.url, "/cell_race")
    expect(page.get_by_text("Press Start: which of them learns?")).to_be_visible()
    before = screen.drawn
    screen.press("Start")
    expect(page.get_by_text(re.compile("Solved by GRU"))).to_be_visible(timeout=60_000)
    expect(page.get_by_role("row", name=re.compile("GRU .* yes "))).to_be_visible()
    moved = {key for key, shape in screen.drawn.items() if before.get(key) != shape}
    assert {"loss", "reach"} <= moved
    screen.press("Pause")


def test_every_picture_of_every_lane_shows_the_same_step_and_none_is_made_anew(page, screen):
    screen.watch()
    screen.race()
    seen = screen.seen()
    assert len(seen["steps"]) > 3
    assert not seen["blank"]
    assert not seen["mixed"]
    assert not seen["remounted"]


def test_scrubbing_moves_all_lanes_at_once_and_hovering_marks_one_time_in_all(page, screen):
    screen.race()
    middle = screen.state["steps"][len(screen.state["steps"]) // 2]
    page.evaluate("(step) => rnnviz.store.scrub(step)", middle)
    screen.until(
        "(step) => [...rnnviz.pictures.values()].every((p) => !p.visible || !p.drawn || p.step === step)", middle
    )
    page.get_by_text("What does each unit say?").last.scroll_into_view_if_needed()
    picture = page.locator("[data-key='1.states'] .rnnviz-plot")
    screen.until("() => [...rnnviz.pictures.values()].every((p) => !p.visible || p.drawn)")
    picture.hover()
    screen.until("() => [...rnnviz.pictures.values()].some((p) => p.key === '1.states' && p.marked.t)")
    marks = page.evaluate(MARKS)
    assert {"1.states", "1.history"} <= set(marks)
    assert len(set(marks.values())) == 1, marks


def test_rewinding_from_the_scrubber_takes_every_lane_back(page, screen):
    screen.race()
    kept = page.evaluate("() => rnnviz.store.rewindable")
    page.evaluate("(step) => rnnviz.store.scrub(step)", kept[1])
    page.get_by_role("button", name=re.compile("^rewind to")).click()
    screen.until("(step) => rnnviz.store.newest === step", kept[1])
    expect(page.get_by_role("button", name="Start", exact=True)).to_be_enabled()


def test_two_quick_clicks_choose_lanes_and_change_none(page, app_server):
    """The second click finds a page that still shows the first lane's settings."""
    screen = RaceScreen(page).open(app_server.url, "/cell_race", **QUICK, lane3="lstm~hidden_size=8")
    for lane in ("2", "3", "1", "3"):
        page.get_by_role("radio", name=lane, exact=True).click()
        page.wait_for_timeout(30)
    screen.until("() => location.href.includes('edit=3')")
    page.wait_for_timeout(1500)
    assert [screen.query[f"lane{k}"].split("~")[0] for k in (1, 2, 3)] == ["rnn", "gru", "lstm"]


def test_the_link_opens_the_same_race_in_another_tab(page, screen):
    screen.race()
    other = RaceScreen(page.context.new_page()).visit(page.url)
    other.until("() => rnnviz.store.newest === 400")
    assert other.state["run"] == screen.state["run"]
    fresh = RaceScreen(page.context.new_page()).visit(re.sub("[&?]race=[^&]*", "", page.url))
    assert fresh.state["run"] != screen.state["run"]
    assert fresh.state["newest"] == 0


def test_a_phone_shows_the_race_within_its_width(app_server, browser):
    context = browser.new_context(viewport={"width": 390, "height": 844})
    page = context.new_page()
    page.goto(f"{app_server.url}/cell_race")
    expect(page.get_by_role("button", name="Start", exact=True)).to_be_in_viewport()
    expect(page.get_by_role("row", name=re.compile("^LSTM"))).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    context.close()
