"""The page Sweep in a real browser: a sweep runs to its end, a point is clicked, and its run opens in the Playground."""

import re

from playwright.sync_api import Page, expect

LINK = (
    "/sweep?cell=rnn&task=latch&hidden_size=4&batch_size=8&steps=400&learning_rate=0.02"
    "&across=length:8,12,16&by=cell:rnn,gru&seeds=2"
)
DOTS = """() => document.querySelectorAll(".st-key-sweep_picture .scatterlayer .point").length"""


def test_from_start_to_the_run_behind_a_point(app_server, page: Page, settle, measured) -> None:
    page.goto(f"{app_server.url}{LINK}")
    settle(page)
    expect(page.get_by_text("12 runs")).to_be_visible()
    expect(page.get_by_text("No run has ended yet: dots appear here")).to_be_visible()
    began = page.evaluate("performance.now()")
    page.get_by_role("button", name="Start", exact=True).click()
    page.wait_for_function(f"({DOTS})() > 0")
    measured("milliseconds from Start to the first dot of a small sweep", page.evaluate("performance.now()") - began)
    expect(page.get_by_text("All 12 runs are done")).to_be_visible()
    page.wait_for_function(f"({DOTS})() === 6")
    expect(page).to_have_url(re.compile(r"[?&]sweep="))

    page.reload()
    settle(page)
    expect(page.get_by_text("All 12 runs are done")).to_be_visible()
    page.wait_for_function(f"({DOTS})() === 6")
    dot = page.locator(".st-key-sweep_picture .scatterlayer .trace").nth(1).locator(".point").first
    where = dot.bounding_box()
    assert where is not None
    page.mouse.click(where["x"] + where["width"] / 2, where["y"] + where["height"] / 2)
    link = page.get_by_role("link", name=re.compile("^seed 1: "))
    expect(link).to_be_visible()
    expect(page.get_by_text("Sequence length 8, GRU.", exact=True)).to_be_visible()
    link.click()
    expect(page).to_have_url(re.compile(r"/playground\?.*cell=gru.*"))
    settle(page)
    expect(page).to_have_url(re.compile(r"length=8.*seed=1"))
