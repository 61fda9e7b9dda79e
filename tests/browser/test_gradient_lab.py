"""The Gradient lab in a real browser: a link, a slider, and the way to the Playground and back."""

import re

from playwright.sync_api import Page, expect

from rnnviz.figures import palette

PICTURES = """() => [...document.querySelectorAll(".rnnviz-plot")].map((plot) => plot.getBoundingClientRect().height)"""
DRAWN = """(key) => document.querySelector(`.st-key-${key} .rnnviz-drawn .rnnviz-gd`)?._fullLayout != null"""
RANGE = """() => document.querySelector(".st-key-lab_decay_picture .rnnviz-gd")._fullLayout.xaxis.range"""
LINK = "/gradient_lab?lane1=lstm~bias1&lane2=rnn&T=50"
LINES = """() => [...document.querySelectorAll(".st-key-lab_decay_picture .scatterlayer path.js-line")]
  .map((e) => e.getAttribute("d")).join()"""


def test_a_slider_is_answered_and_the_address_follows(app_server, page: Page, settle, measured) -> None:
    page.goto(f"{app_server.url}{LINK}")
    settle(page)
    expect(page.locator(".rnnviz-plot")).to_have_count(3)
    page.wait_for_function(f"({LINES})().length > 0")
    before = page.evaluate(LINES)
    slider = page.get_by_role("slider", name="How much does it want to keep?")
    slider.focus()
    began = page.evaluate("performance.now()")
    page.keyboard.press("ArrowRight")
    page.wait_for_function(f"(before) => {{ const now = ({LINES})(); return now && now !== before; }}", arg=before)
    measured("milliseconds until the big plot answers a slider", page.evaluate("performance.now()") - began)
    expect(page).to_have_url(re.compile(r"lane1=lstm(~|%7E)bias1\.5"))
    settle(page)
    expect(page.get_by_text("loses the past fastest")).to_be_visible()


def test_quick_clicks_undo_nothing(app_server, page: Page, settle) -> None:
    """The second click finds a page that still shows the lines before the first."""
    page.goto(f"{app_server.url}/gradient_lab?lane1=gru")
    settle(page)
    page.get_by_text("What decays faster?", exact=True).click()
    page.get_by_text(re.compile("^Over . seeds$")).click()
    expect(page).to_have_url(re.compile("lane1=rnn&lane2=lstm&lane3=lstm(~|%7E)bias1&lane4=gru"))
    settle(page)
    page.get_by_text("When does it explode?", exact=True).click()
    page.get_by_role("button", name="Remove").click()
    expect(page).to_have_url(re.compile(r"lane1=rnn\S*relu\S*lane3="))
    page.wait_for_timeout(1500)
    assert page.url.count("lane") == 3, "one of the question's four lines is taken out"
    assert page.url.count("linear") == 0, "the first of the question's lines"


def test_the_plot_follows_a_slider_while_it_is_held(app_server, page: Page, settle) -> None:
    page.goto(f"{app_server.url}{LINK}")
    settle(page)
    page.wait_for_function(f"({LINES})().length > 0")
    slider = page.get_by_role("slider", name="How much does it want to keep?")
    slider.hover()  # once it stands still
    box, before = slider.bounding_box(), page.evaluate(LINES)
    middle = box["y"] + box["height"] / 2
    page.mouse.down()
    for place in (0.6, 0.7, 0.8):
        page.mouse.move(box["x"] + place * box["width"], middle)
        page.wait_for_function(f"(before) => {{ const now = ({LINES})(); return now && now !== before; }}", arg=before)
        before = page.evaluate(LINES)
    page.mouse.move(box["x"] + box["width"], middle)
    page.mouse.up()
    expect(page).to_have_url(re.compile(r"lane1=lstm(~|%7E)bias6"))
    expect(slider).to_have_attribute("aria-valuetext", "forget bias 6")


def test_there_and_back_keeps_the_lab_and_the_run(app_server, page: Page, settle) -> None:
    page.goto(f"{app_server.url}{LINK}")
    settle(page)
    page.get_by_role("link", name="Playground", exact=True).click()
    expect(page).to_have_url(re.compile(r"/playground\?.*run="))
    settle(page)
    run = re.search(r"run=([\w-]+)", page.url)[1]  # type: ignore[index]
    page.get_by_role("link", name="Gradient lab").click()
    expect(page).to_have_url(re.compile(r"/gradient_lab\?.*T=50"))
    settle(page)
    page.get_by_role("link", name="Playground", exact=True).click()
    expect(page).to_have_url(re.compile(f"/playground.*run={run}"))


def test_a_changed_picture_is_drawn_in_place_and_keeps_the_zoom(app_server, new_page, settle) -> None:
    page = new_page(color_scheme="dark")
    page.goto(f"{app_server.url}{LINK}")
    settle(page)
    for key in ("lab_decay_picture", "lab_plane_picture"):
        page.wait_for_function(DRAWN, arg=key)
    assert page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    paper = "getComputedStyle(document.querySelector('.st-key-lab_decay_picture .rnnviz')).getPropertyValue('--paper')"
    assert page.evaluate(paper) == palette("dark").page
    whole, heights = page.evaluate(RANGE), page.evaluate(PICTURES)
    box = page.locator(".st-key-lab_decay_picture .nsewdrag").bounding_box()
    page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.6 * box["width"], box["y"] + box["height"] / 2, steps=4)
    page.mouse.up()
    page.wait_for_function(f"(whole) => ({RANGE})()[1] !== whole[1]", arg=whole)
    zoomed, before = page.evaluate(RANGE), page.evaluate(LINES)
    page.evaluate("window.nodes = [...document.querySelectorAll('.rnnviz-gd')]")
    page.get_by_role("slider", name="How much does it want to keep?").press("ArrowRight")
    page.wait_for_function(f"(before) => {{ const now = ({LINES})(); return now && now !== before; }}", arg=before)
    settle(page)
    assert page.evaluate(RANGE) == zoomed
    assert page.evaluate("nodes.every((node) => node.isConnected)"), "a picture was mounted anew"
    assert page.evaluate(PICTURES) == heights, "a picture changed its height"
