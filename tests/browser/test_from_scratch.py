"""The programs: opened by a link, taken home, and on to the Playground and back with the same run."""

import ast
import re

from playwright.sync_api import expect

from rnnviz import Experiment
from rnnviz.scratch import numpy_program, torch_program
from tests.browser.screen import Screen


def test_a_link_shows_the_program_and_what_is_downloaded_is_the_same(page, app_server):
    page.goto(f"{app_server.url}/from_scratch?cell=gru&task=adding&hidden_size=8")
    made = Experiment(cell="gru", hidden_size=8)
    shown = page.get_by_test_id("stCode")
    expect(shown).to_contain_text("def back(w, x, h, tape, direct):")
    expect(shown.locator(".token.keyword, span[style*='color']").first).to_be_visible()
    with page.expect_download() as downloading:
        page.get_by_role("button", name="gru_adding_numpy.py").click()
    assert downloading.value.suggested_filename == "gru_adding_numpy.py"
    assert downloading.value.path().read_text("utf-8") == numpy_program(made)
    page.get_by_role("button", name="PyTorch", exact=True).click()
    with page.expect_download() as downloading:
        page.get_by_role("button", name="gru_adding_torch.py").click()
    assert downloading.value.path().read_text("utf-8") == torch_program(made)
    with page.expect_download() as downloading:
        page.get_by_role("button", name="The app’s numbers").first.click()
    assert downloading.value.path().read_bytes()[:2] == b"PK", "an .npz is a zip file"
    ast.parse(numpy_program(made))


def test_the_same_run_on_both_pages(page, app_server):
    screen = Screen(page).open(app_server.url, cell="gru", hidden_size=8)
    run = screen.state["run"]
    page.get_by_role("link", name="The same network as a program").click()
    expect(page.get_by_test_id("stCode")).to_contain_text("GRU learns to add two marked numbers")
    expect(page).to_have_url(re.compile(rf"/from_scratch\?.*cell=gru.*run={run}"))
    page.get_by_role("link", name="Watch it learn").click()
    expect(page).to_have_url(re.compile(rf"/playground\?.*cell=gru.*run={run}"))
    screen.ready()
    page.get_by_role("link", name="From scratch", exact=True).click()  # from the list of pages, which names no run
    expect(page.get_by_test_id("stCode")).to_contain_text("GRU learns to add two marked numbers")
    expect(page).to_have_url(re.compile(rf"run={run}"))
