"""The State space in a real browser: scrubbing moves the dots and nothing else, and a unit is found by what it tracks."""

import re
from collections.abc import Callable

from playwright.sync_api import Page, TimeoutError, expect

LINK = "/state_space?cell=gru&task=flip_flop&hidden_size=8&length=20&batch_size=8&steps=40&learning_rate=0.02"
SPACE = "document.querySelector('.st-key-space_picture .rnnviz-gd')"
DRAWN = f"() => {SPACE}?._fullLayout?.scene?._scene != null"
DOTS = f"() => Array.from({SPACE}._fullData[0].x.slice(0, 12))"
CAMERA = f"() => {{ const {{ x, y, z }} = {SPACE}._fullLayout.scene._scene.getCamera().eye; return [x, y, z]; }}"


def trained(page: Page, server: str, settle) -> None:
    page.goto(f"{server}{LINK}")
    settle(page)
    page.wait_for_function(DRAWN)
    page.get_by_role("button", name="Train", exact=True).click()
    expect(page.get_by_text("Training step 40 of 40")).to_be_visible()
    expect(page.locator('[class*="st-key-space_step_"]')).to_be_visible()
    settle(page)


def drag(page: Page) -> None:
    """Turn the picture, and let go beside it."""
    page.locator(".st-key-space_picture .rnnviz-gd").hover()  # once it stands still
    box = page.locator(".st-key-space_picture .rnnviz-gd").bounding_box()
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.move(*middle)
    page.mouse.down()
    page.mouse.move(middle[0] + 140, middle[1] + 30, steps=5)
    page.mouse.move(middle[0] + 140, box["y"] - 40)
    page.mouse.up()


def insist(page: Page, act: Callable[[], None], until: str, argument: object) -> None:
    """Act as somebody would whose first try met a page that was just being drawn anew: twice at most again."""
    for patience in (5_000, 5_000, 20_000):
        act()
        try:
            page.wait_for_function(until, arg=argument, timeout=patience)
            return
        except TimeoutError:
            continue
    raise AssertionError(f"nothing came of it: {until}")


def test_scrubbing_moves_the_dots_and_keeps_the_view_that_was_turned(app_server, new_page, settle) -> None:
    page = new_page(viewport={"width": 900, "height": 700})  # drawn without a graphics card: every pixel counts
    trained(page, app_server.url, settle)
    still = page.evaluate(CAMERA)
    insist(page, lambda: drag(page), f"(still) => Math.abs(({CAMERA})()[0] - still[0]) > 0.2", still)
    page.wait_for_timeout(300)  # until the view has come to rest
    turned, late = page.evaluate(CAMERA), page.evaluate(DOTS)
    page.evaluate(f"window.node = {SPACE}")
    ends = page.evaluate(f"{SPACE}._fullLayout.scene.xaxis.range")
    moved = f"(late) => ({DOTS})().some((x, k) => Math.abs(x - late[k]) > 1e-3)"
    insist(page, lambda: page.get_by_role("slider", name="Training step").press("Home"), moved, late)
    settle(page)
    assert page.evaluate(f"window.node === {SPACE}"), "the picture was mounted anew"
    assert max(abs(a - b) for a, b in zip(page.evaluate(CAMERA), turned, strict=True)) < 1e-6
    assert page.evaluate(f"{SPACE}._fullLayout.scene.xaxis.range") == ends


def test_units_are_sorted_by_what_they_track(app_server, new_page, settle) -> None:
    page = new_page(viewport={"width": 1000, "height": 1400})
    page.goto(f"{app_server.url}{LINK}")
    settle(page)
    unit = page.locator(".st-key-space_unit")
    found = []
    for quantity in ("bit 1", "bit 3"):
        page.locator(".st-key-space_sort input").fill(quantity)
        page.keyboard.press("Enter")
        expect(page.locator(".st-key-space_unit_picture")).to_contain_text(f"{quantity}, scaled to fit")
        settle(page)
        unit.locator("input").click()
        expect(page.get_by_role("option")).to_have_count(8)
        options = page.get_by_role("option").all_inner_texts()
        page.keyboard.press("Escape")
        r = [float(re.search(r"r = (\S+)", text)[1].replace("−", "-")) for text in options]  # type: ignore[index]
        assert [abs(value) for value in r] == sorted((abs(value) for value in r), reverse=True)
        found.append(r)
    assert found[0] != found[1]
    expect(page.locator(".st-key-space_unit_picture .textpoint text").first).to_be_visible()
