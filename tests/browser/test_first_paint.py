"""What a visitor has before touching anything: on a desk, in the dark, on a phone."""

import time

from playwright.sync_api import expect

from rnnviz.figures import palette
from tests.browser.screen import Screen

INK = "(ink) => [...rnnviz.pictures.values()].every((p) => !p.drawn || p.gd._fullLayout.font.color === ink)"


def test_the_page_is_drawn_and_ready_to_train_before_anything_is_pressed(page, app_server, measured):
    asked, refused = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("response", lambda response: refused.append(response.url) if response.status >= 400 else None)
    page.on("requestfailed", lambda request: refused.append(request.url))
    began = time.monotonic()
    screen = Screen(page).open(app_server.url)
    measured("first paint, s", time.monotonic() - began)
    expect(page.get_by_role("heading", level=1)).to_have_text("LSTM learns to add two marked numbers")
    expect(screen.button("Train")).to_be_enabled()
    assert screen.state["step"] == 0
    assert {"loss", "says", "history", "gradient"} <= set(screen.drawn)
    expect(page.get_by_role("status").filter(has_text="ready")).to_be_visible()
    assert [url for url in asked if not url.startswith((app_server.url, "data:", "blob:"))] == []
    # Opened below the root, Streamlit looks for its server there first: expected, and not ours.
    assert [url for url in refused if "/playground/_stcore/" not in url] == []

    page.evaluate("[...rnnviz.pictures.values()].at(-1).root.scrollIntoView()")
    screen.until("() => [...rnnviz.pictures.values()].at(-1).drawn")
    page.evaluate("[...rnnviz.pictures.values()][0].root.scrollIntoView()")
    screen.until("() => [...rnnviz.pictures.values()].every((p) => p.drawn || !p.visible)")


def test_the_first_screen_holds_the_lesson_untrained_and_while_training(page, app_server):
    screen = Screen(page).open(app_server.url, steps=50_000)
    lowest = """() => ["loss", "says", "history", "gradient"]
      .map((key) => rnnviz.pictures.get(key).root.querySelector(".rnnviz-look").getBoundingClientRect().bottom)"""
    bar = "document.querySelector('.rnnviz-scrubber').getBoundingClientRect().top"
    untrained = page.evaluate(lowest)
    assert max(untrained) <= page.evaluate(bar)
    screen.train()
    screen.reach(200)
    assert page.evaluate(lowest) == untrained, "nothing moves when training starts"
    screen.press("Pause")


def test_a_dark_system_gets_a_dark_page_and_pictures_follow_when_the_theme_changes(new_page, app_server):
    screen = Screen(new_page(color_scheme="dark")).open(app_server.url, hidden_size=8)
    page = screen.page
    screen.until(INK, palette("dark").ink)
    background = page.evaluate("getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor")
    assert max(int(part) for part in background[4:-1].split(",")[:3]) < 60
    screen.press("Step")
    screen.until("() => rnnviz.shownStep() === 1")
    page.emulate_media(color_scheme="light")
    screen.until(INK, palette("light").ink)
    assert screen.state["steps"] == [0, 1]
    assert screen.state["step"] == 1


def test_a_phone_shows_everything_within_its_width_with_train_in_reach(new_page, app_server):
    size = {"width": 390, "height": 844}
    screen = Screen(new_page(viewport=size, is_mobile=True, has_touch=True, device_scale_factor=2)).open(app_server.url)
    expect(screen.button("Train")).to_be_in_viewport()
    screen.button("Train").tap()  # would fail under anything that covers it
    expect(screen.button("Pause")).to_be_in_viewport()
    screen.reach(1)
    over = """() => [document.documentElement, document.body, ...document.querySelectorAll("[data-testid=stMain]")]
      .map((e) => e.scrollWidth - e.clientWidth)"""
    wider = """() => [...document.querySelectorAll("[data-testid=stMain] *")].filter((e) => e.checkVisibility()
      && e.getBoundingClientRect().width > 0 && e.getBoundingClientRect().right > innerWidth + 1
      && !e.closest("svg, .js-plotly-plot")).map((e) => e.outerHTML.slice(0, 120))"""
    for width in (390, 320):
        screen.page.set_viewport_size({"width": width, "height": 844})
        screen.page.wait_for_timeout(300)
        assert max(screen.page.evaluate(over)) <= 0
        assert screen.page.evaluate(wider) == []
    screen.press("Pause")
