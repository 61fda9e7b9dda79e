"""Inside the cell in a real browser: it plays, turns round, answers a click on a gate, and an operation."""

import re

import pytest
from playwright.sync_api import Page, expect

LINK = "/inside_the_cell?cell=lstm&task=adding&length=30&t=10"
DIAGRAM, STRIP = ".st-key-inside_diagram .js-plotly-plot", ".st-key-inside_strip_picture .js-plotly-plot"

# What the page says of the step it shows, in each of the places that show it.
SHOWN = f"""() => {{
  const diagram = document.querySelector("{DIAGRAM}"), strip = document.querySelector("{STRIP}");
  const boxes = diagram.data.find((trace) => trace.name === "symbols").customdata;
  return {{
    t: Number(document.querySelector("[class*='st-key-inside'][class*='_t '] input").value),
    equations: Number([...document.querySelectorAll("p")].map((p) => p.textContent.match(/^Which numbers.*t = (\\d+)/))
      .find(Boolean)[1]),
    strip: strip.layout.shapes[0].x1 + 0.5,
    h: boxes.find(([name]) => name === "h")[2],
    height: document.querySelector("[data-testid=stMain]").scrollHeight,
  }};
}}"""


@pytest.fixture
def opened(app_server, new_page, settle):
    # Tall enough for the strip, which is not brought up to date while it is out of sight.
    page = new_page(viewport={"width": 1440, "height": 1500})
    page.goto(f"{app_server.url}{LINK}")
    settle(page)
    for picture in (DIAGRAM, STRIP):
        page.wait_for_function("(name) => document.querySelector(name)?.data?.length > 0", arg=picture)
    return page


def reaches(page: Page, t: int) -> dict:
    page.wait_for_function(
        f"(t) => {{ const s = ({SHOWN})(); return s.t === t && s.equations === t && s.strip === t; }}", arg=t
    )
    return page.evaluate(SHOWN)


def test_play_moves_everything_together_and_nothing_else(opened: Page, measured) -> None:
    before = reaches(opened, 10)
    nodes = opened.evaluate_handle(f"() => ['{DIAGRAM}', '{STRIP}'].map((name) => document.querySelector(name))")
    opened.get_by_role("button", name="Play").click()
    began = opened.evaluate("performance.now()")
    seen = [reaches(opened, t) for t in (11, 12, 13)]
    measured("seconds for three steps of play, one a second", (opened.evaluate("performance.now()") - began) / 1000)
    opened.get_by_role("button", name="Pause").click()
    expect(opened.get_by_role("button", name="Play")).to_be_visible()
    assert len({one["h"] for one in (before, *seen)}) == 4, "each step has its own number"
    assert {one["height"] for one in (before, *seen)} == {before["height"]}, "nothing reflows"
    assert nodes.evaluate("(all) => all.every((node) => node.isConnected)"), "nothing was drawn afresh"
    stopped = opened.evaluate(SHOWN)["t"]
    expect(opened).to_have_url(re.compile(rf"[?&]t={stopped}(&|$)"))


def test_keys_step_and_backward_turns_the_arrows(opened: Page) -> None:
    opened.keyboard.press("n")
    reaches(opened, 11)
    opened.keyboard.press("b")
    reaches(opened, 10)
    turned = f"""() => {{
      const {{ x }} = document.querySelector("{DIAGRAM}")._fullData.find((trace) => trace.name === "arrows");
      return Array.from(x, (tail, k) => [tail, x[k + 1]]).filter((_, k) => k % 3 === 0).map(([tail, tip]) => tip < tail);
    }}"""
    ahead = opened.evaluate(turned)
    assert ahead
    assert not any(ahead)
    opened.get_by_text("backward", exact=True).click()
    opened.wait_for_function(f"() => ({turned})().every(Boolean)")
    expect(opened.get_by_text("Which way back does the error take at this step?")).to_be_visible()
    opened.get_by_role("button", name="Play").click()
    reaches(opened, 9)
    opened.get_by_role("button", name="Pause").click()


def test_a_quick_click_after_next_does_not_take_the_step_back(opened: Page) -> None:
    """The second click finds a page whose slider still shows the step before."""
    for t, other in ((11, "backward"), (12, "all units"), (13, "forward")):
        opened.get_by_role("button", name="Next").click()
        opened.get_by_text(other, exact=True).click()
        opened.wait_for_function(f"(t) => ({SHOWN})().equations === t", arg=t)
        opened.wait_for_timeout(1000)
        assert reaches(opened, t)["t"] == t


def test_a_click_on_a_gate_says_what_it_is(opened: Page) -> None:
    about = opened.locator(".st-key-inside_about")
    expect(about).to_contain_text("Click a box")
    height = about.bounding_box()["height"]
    place = opened.evaluate(f"""() => {{
      const gd = document.querySelector("{DIAGRAM}"), {{ xaxis, yaxis }} = gd._fullLayout;
      const boxes = gd._fullData.find((trace) => trace.name === "symbols");
      const k = boxes.customdata.findIndex(([name]) => name === "forget");
      const {{ left, top }} = gd.getBoundingClientRect();
      return [left + xaxis._offset + xaxis.d2p(boxes.x[k]), top + yaxis._offset + yaxis.d2p(boxes.y[k])];
    }}""")
    opened.mouse.move(*place)
    opened.mouse.click(*place)
    expect(about).to_contain_text("forget gate: how much of the old cell state is kept")
    assert about.bounding_box()["height"] == height, "nothing reflows"


def test_an_operation_on_a_gate_is_answered(opened: Page, measured) -> None:
    memory = opened.get_by_test_id("stMetric").filter(has_text="Half-life")
    expect(memory).to_contain_text("none")
    began = opened.evaluate("performance.now()")
    opened.get_by_text("drop it (hold it at 1)", exact=True).click()
    expect(memory).to_contain_text("for ever")
    measured("milliseconds until an operation on a gate is answered", opened.evaluate("performance.now()") - began)
    opened.locator(".st-key-inside_kept").scroll_into_view_if_needed()
    expect(opened.locator(".st-key-inside_kept .legendtext")).to_have_text(
        ["as it is", "forget: drop it (hold it at 1)"]
    )
