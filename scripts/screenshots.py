"""Take the README's pictures from the running product: `python scripts/screenshots.py http://localhost:8501`."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

DOCS = Path(__file__).resolve().parents[1] / "docs"
SHOTS = {
    "lstm-solves-adding": ("playground?cell=lstm&task=adding&length=50&forget_bias=1", "Train", "light", 900),
    "rnn-does-not": ("playground?cell=rnn&task=adding&length=50", "Train", "light", 900),
    "gru-dark": ("playground?cell=gru&task=temporal_order&length=50", "Train", "dark", 900),
    "cell-race": (
        "cell_race?task=adding&steps=1500&lane1=rnn&lane2=lstm&lane3=gru&lane4=mingru&lane5=lru&seeds=5",
        "Start",
        "light",
        1180,
    ),
}


def main(server: str) -> None:
    """Train each run to its budget and keep what the page then shows."""
    chromium = os.environ.get("RNNVIZ_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for name, (address, button, scheme, height) in SHOTS.items():
            _shoot(browser, f"{server}/{address}", button, scheme, height, DOCS / f"{name}.png")
        browser.close()


def _shoot(browser: Browser, url: str, button: str, scheme: str, height: int, file: Path) -> None:
    page = browser.new_page(viewport={"width": 1440, "height": height}, color_scheme=scheme)  # type: ignore[arg-type]
    page.goto(url)
    page.wait_for_function("window.rnnviz && window.rnnviz.updates > 0")
    page.get_by_role("button", name=button, exact=True).click()
    page.wait_for_function(
        "['finished', 'solved'].includes(window.rnnviz.store.status?.word) && window.rnnviz.store.newest >= 1400",
        timeout=240_000,
    )
    page.mouse.move(0, 0)
    page.wait_for_timeout(1000)
    page.screenshot(path=file)
    page.close()


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "http://localhost:8501")
