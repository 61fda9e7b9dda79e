"""The Playground as somebody at the screen uses it: by roles and names, and what the page records of itself."""

from __future__ import annotations

import re
import time
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from playwright.sync_api import Locator, Page, expect

READY = """() => {
  const pictures = [...(window.rnnviz?.pictures.values() ?? [])];
  return pictures.some((p) => p.visible) && pictures.every((p) => !p.visible || p.drawn) && rnnviz.store.kept.length > 0;
}"""

STATE = """() => {
  const { store } = rnnviz;
  return { run: store.run, step: rnnviz.shownStep(), newest: store.newest, kept: store.kept, steps: store.steps,
    status: store.status.word, following: store.following, lacks: store.lacks(), updates: rnnviz.updates,
    losses: store.seriesLength };
}"""

# Nothing new for longer than the time between two polls of a page at rest.
AT_REST = """() => {
  const { store } = rnnviz, now = performance.now();
  if (window.rest?.revision !== store.revision) window.rest = { revision: store.revision, since: now };
  return !store.lacks() && now - window.rest.since > 1300;
}"""

# What is on the screen rather than what was meant for it: the shapes and images of each visible drawing.
DRAWN = """() => {
  const hash = (text) => [...text].reduce((sum, char) => (31 * sum + char.charCodeAt(0)) | 0, 7);
  const shape = (e) => e.getAttribute("d") ?? e.getAttribute("href") ?? e.getAttribute("xlink:href");
  return Object.fromEntries([...rnnviz.pictures.values()].filter((p) => p.visible && p.drawn).map((p) => [
    p.key, hash([...p.gd.querySelectorAll(".main-svg path, .main-svg image")].map(shape).join())]));
}"""

# Looks at every animation frame until `stop`; what it saw is in `window.seen`.
WATCH = """() => {
  const seen = (window.seen = { frames: 0, blank: [], mixed: [], remounted: [], steps: [], longest: 0 });
  const nodes = new Map([...rnnviz.pictures.values()].map((p) => [p.key, p.gd]));
  let last = performance.now();
  const look = () => {
    if (window.seen !== seen) return;
    const now = performance.now();
    seen.longest = Math.max(seen.longest, now - last);
    last = now;
    const visible = [...rnnviz.pictures.values()].filter((p) => p.visible && p.drawn);
    for (const p of visible) {
      const svg = p.gd.querySelector(".main-svg");
      if (!svg?.querySelector("path, image") || svg.getBoundingClientRect().width < 50) seen.blank.push(p.key);
      if (nodes.get(p.key) !== p.gd || !p.gd.isConnected) seen.remounted.push(p.key);
    }
    const steps = [...new Set(visible.map((p) => p.step))];
    if (steps.length !== 1) seen.mixed.push(steps);
    if (seen.steps.at(-1) !== steps[0]) seen.steps.push(steps[0]);
    seen.frames += 1;
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}"""


class Screen:
    """One tab showing the Playground."""

    def __init__(self, page: Page):
        self.page = page

    def open(self, server: str, path: str = "/playground", **query: object) -> Screen:
        return self.visit(f"{server}{path}" + (f"?{urlencode(query)}" if query else ""))

    def visit(self, url: str) -> Screen:
        self.page.goto(url)
        return self.ready()

    def ready(self) -> Screen:
        """Wait until pictures are drawn and the page can be operated."""
        self.page.wait_for_function(READY)
        expect(self.page.get_by_role("button", name=re.compile("^(Train|Pause)$"))).to_be_visible()
        return self

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name, exact=True)

    def press(self, name: str) -> None:
        self.button(name).click()

    def train(self) -> None:
        self.press("Train")
        expect(self.button("Pause")).to_be_visible()

    def pause(self) -> None:
        """Pause, and wait until the last slice has arrived."""
        self.press("Pause")
        self.rest()

    def rest(self) -> None:
        expect(self.button("Train")).to_be_visible()
        self.until(AT_REST)

    def setting(self, label: str) -> Locator:
        """A slider of the sidebar."""
        return self.page.get_by_role("slider", name=label)

    @property
    def scrubber(self) -> Locator:
        return self.page.get_by_role("slider", name="training step")

    @property
    def state(self) -> dict[str, Any]:
        return self.page.evaluate(STATE)

    @property
    def drawn(self) -> dict[str, int]:
        """A fingerprint of every visible picture."""
        return self.page.evaluate(DRAWN)

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.page.evaluate("location.href")).query))

    def until(self, condition: str, argument: object = None) -> float:
        """Wait for a condition in the page's own words; returns the seconds it took."""
        began = time.monotonic()
        self.page.wait_for_function(condition, arg=argument, polling="raf")
        return time.monotonic() - began

    def reach(self, step: int) -> None:
        """Wait until training has come so far."""
        self.until("(step) => rnnviz.store.newest >= step", step)

    def watch(self) -> None:
        """Look at every picture in every animation frame from now on."""
        self.page.evaluate(WATCH)

    def seen(self) -> dict[str, Any]:
        """What the watch saw; ends it."""
        return self.page.evaluate("() => { const seen = window.seen; window.seen = null; return seen; }")
