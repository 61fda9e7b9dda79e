"""Pictures that only some tasks have, drawn and kept up to date by a real browser."""

import pytest
from playwright.sync_api import expect

from tests.browser.screen import Screen


@pytest.mark.parametrize(
    ("task", "pictures"),
    [
        ("sentiment", {"says", "input", "opinion"}),
        ("scanline", {"says", "input", "upright"}),
        ("reverse", {"says", "input", "attention"}),
    ],
)
def test_the_pictures_of_a_task_are_drawn_and_follow_the_training(page, app_server, task, pictures):
    page.set_viewport_size({"width": 1440, "height": 1600})
    screen = Screen(page).open(app_server.url, task=task, hidden_size=8)
    before = screen.drawn
    assert pictures <= set(before)
    screen.press("Step")
    screen.until("() => rnnviz.shownStep() === 1")
    screen.rest()
    changed = {key for key, drawn in screen.drawn.items() if drawn != before[key]}
    assert pictures - {"input", "upright"} <= changed
    assert not {"input", "upright"} & changed, "the example stays the same"


def test_every_label_that_is_said_is_written_at_every_step(page, app_server):
    screen = Screen(page).open(app_server.url, task="speech_ctc", steps=20, learning_rate=0.05)
    screen.train()
    screen.until("() => rnnviz.store.status.word === 'finished'")
    written = """() => [...rnnviz.pictures.get("says").gd.querySelectorAll(".textpoint")].map((p) => p.textContent)"""
    assert len(page.evaluate(written)) == 40, "a place for each frame, however often it was empty before"


def test_a_network_writes_while_it_trains(page, app_server):
    screen = Screen(page).open(app_server.url, task="text", hidden_size=8, steps=50_000)
    panel = page.locator(".st-key-writer")
    written = panel.locator("div", has_text="the").last
    before = written.inner_text()
    assert len(before) > 100
    screen.train()
    expect(written).not_to_have_text(before)
    screen.press("Pause")
