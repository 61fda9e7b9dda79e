"""Take the README's pictures from the running product: `python scripts/screenshots.py http://localhost:8501`."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

DOCS = Path(__file__).resolve().parents[1] / "docs"
SHOTS = {
    "lstm-solves-adding": ("cell=lstm&task=adding&length=50&forget_bias=1", "light"),
    "rnn-does-not": ("cell=rnn&task=adding&length=50", "light"),
    "gru-dark": ("cell=gru&task=temporal_order&length=50", "dark"),
}


def main(server: str) -> None:
    """Train each run to its budget and keep what the page then shows."""
    chromium = os.environ.get("RNNVIZ_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for name, (query, scheme) in SHOTS.items():
            _shoot(browser, f"{server}/playground?{query}", scheme, DOCS / f"{name}.png")
        browser.close()


def _shoot(browser: Browser, url: str, scheme: str, file: Path) -> None:
    page = browser.new_page(viewport={"width": 1440, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
    page.goto(url)
    page.wait_for_function("window.rnnviz && window.rnnviz.updates > 0")
    page.get_by_role("button", name="Train", exact=True).click()
    page.wait_for_function(
        "['finished', 'solved'].includes(window.rnnviz.store.status?.word) && window.rnnviz.store.newest >= 1400",
        timeout=120_000,
    )
    page.mouse.move(0, 0)
    page.wait_for_timeout(1000)
    page.screenshot(path=file)
    page.close()


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "http://localhost:8501")
