"""Addresses: as the very first request of a server, with any values in them, and with bad intentions."""

import re

from playwright.sync_api import expect

from tests.browser.conftest import serving
from tests.browser.screen import Screen


def test_a_deep_link_is_the_first_request_a_server_ever_gets(cold_server, page):
    asked = {"cell": "gru", "task": "temporal_order", "hidden_size": "24", "length": "20", "seed": "7"}
    screen = Screen(page).open(cold_server.url, **asked)
    expect(page.get_by_role("heading", level=1)).to_have_text("GRU learns to tell the order of two symbols")
    assert asked.items() <= screen.query.items()
    expect(screen.setting("Hidden size")).to_have_attribute("aria-valuetext", "24")
    screen.train()
    screen.reach(3)
    screen.press("Pause")


def test_a_link_to_a_run_of_a_server_that_has_restarted_opens_the_same_experiment(page, app_server):
    screen = Screen(page).open(app_server.url, cell="rnn", run="from-before")
    expect(page.get_by_text("no longer on this server")).to_be_visible()
    assert screen.query["cell"] == "rnn"
    assert screen.query["run"] == screen.state["run"] != "from-before"


def test_the_app_also_starts_without_its_launcher(page):
    with serving("plain_streamlit", ["-m", "streamlit", "run", "app.py"]) as server:
        screen = Screen(page).open(server.url, "/", cell="gru")
        assert re.search(r"/playground\?", page.url)
        assert screen.query["cell"] == "gru"
        screen.press("Step")
        screen.until("() => rnnviz.shownStep() === 1")
        page.goto("about:blank")  # or it would look for its server


def test_a_hostile_link_shows_sentences_and_harms_nothing(page, app_server):
    dialogs = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    attack = "<script>alert(1)</script><img src=x onerror=alert(2)>"
    screen = Screen(page).open(
        app_server.url, hidden_size="1e9", cell=attack, length="abc", task="**b** $x$", run=attack
    )
    expect(
        page.get_by_text(re.compile("hidden_size`? must be between 1 and 256. Got 1000000000. Using 256"))
    ).to_be_visible()
    expect(page.get_by_text("Got '<script>alert(1)</script>")).to_be_visible()
    expect(page.get_by_text("Got '**b** $x$'.")).to_be_visible()
    expect(
        page.get_by_text(re.compile("length`? must be a whole number between 2 and 2000. Got 'abc'"))
    ).to_be_visible()
    assert attack not in page.evaluate("location.href")
    assert screen.query["hidden_size"] == "256"
    screen.press("Step")
    screen.until("() => rnnviz.shownStep() === 1")
    assert dialogs == []


def test_a_run_that_diverges_is_explained_and_saved_in_one_click(page, app_server):
    exploding = {"cell": "rnn", "activation": "linear", "initialisation": "spectral", "spectral_radius": 1.1}
    screen = Screen(page).open(app_server.url, **exploding, optimizer="sgd", learning_rate=0.1, clip_norm=0, length=30)
    screen.press("Train")
    expect(page.get_by_text("This run diverged.")).to_be_visible()
    expect(page.get_by_text(re.compile(r"Step \d+: .*gradient norm")).first).to_be_visible()
    expect(screen.button("Train")).to_be_disabled()
    diverged = screen.state
    screen.watch()
    page.get_by_role("button", name=re.compile("^Clip at 1 and go back")).click()
    expect(screen.button("Train")).to_be_enabled()
    expect(page.get_by_text("This run diverged.")).to_have_count(0)
    assert "clip_norm" not in screen.query, "1 is what a run has unless told otherwise"
    assert screen.state["newest"] <= diverged["newest"]
    screen.train()
    screen.reach(diverged["newest"] + 20)
    assert screen.seen()["blank"] == []
    screen.press("Pause")


def test_rewind_goes_back_to_the_untrained_network_in_every_picture(page, app_server):
    screen = Screen(page).open(app_server.url, hidden_size=8)
    untrained = screen.drawn
    screen.train()
    screen.reach(30)
    screen.pause()
    assert screen.drawn["says"] != untrained["says"]
    screen.press("Rewind")
    screen.until("() => rnnviz.store.newest === 0")
    page.wait_for_timeout(300)
    assert screen.state["losses"] == 0
    assert screen.drawn["says"] == untrained["says"]
    assert screen.drawn["gradient"] == untrained["gradient"]
    expect(page.get_by_text("Untrained: press Train.")).to_be_visible()
