"""The Playground in a real browser: start-up, first movement, responsiveness, and what watching costs."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles

from playwright.sync_api import Browser, Error, Page, sync_playwright

from rnnviz import Experiment, advance, start

ROOT = Path(__file__).resolve().parents[1]
ROUNDS = 3
WATCHED_SECONDS = 8.0
EMPTY_PAGE = """
import plotly.graph_objects as go, streamlit as st, torch
st.plotly_chart(go.Figure(go.Scatter(y=[1, 3, 2])))
"""
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]


def main() -> None:
    """Measure and print."""
    with browser_here("The page") as browser:
        if browser is None:
            return
        print(f"\nThe page (Chromium on the same machine, medians of {ROUNDS} interleaved rounds)")
        ours, empty = [], []
        for _ in range(ROUNDS):
            empty.append(_time_to_empty(browser))
            ours.append(_time_to_playground(browser))
        print(f"- start to a drawn, usable Playground: {median(ours) / median(empty):.2f} × an empty page with torch")
        with server([sys.executable, "scripts/serve.py"], ROOT) as url:
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            open_page(page, url)
            first = median(_first_change(page, url) for _ in range(5))
            print(f"- click on Train to the first changed picture: {1e3 * first:.0f} ms")
            for cell in ("rnn", "lstm", "gru"):
                watched, headless, updates = zip(*(_watched(page, url, cell) for _ in range(ROUNDS)), strict=True)
                print(
                    f"- {cell}: steps/s with the page moving {median(watched) / median(headless):.2f} × headless, "
                    f"pictures at {median(updates):.1f} Hz"
                )
            waits = other_widget(page, url)
            print(
                f"- another widget's response while training: median {1e3 * median(waits):.0f} ms, "
                f"p95 {1e3 * quantiles(waits, n=20)[-1]:.0f} ms over {len(waits)}"
            )


@contextmanager
def browser_here(what: str) -> Iterator[Browser | None]:
    """A browser to measure `what` in; None, and a word about it, where there is none."""
    chromium = os.environ.get("RNNVIZ_CHROMIUM") or next(
        filter(None, map(shutil.which, ("chromium", "google-chrome"))), None
    )
    if chromium is None:
        print(f"\n{what}: no Chromium found, nothing measured.")
        yield None
        return
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield browser
        browser.close()


@contextmanager
def server(command: list[str], folder: Path) -> Iterator[str]:
    """A server of its own on a free port, stopped at the end; gives its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = [f"--server.port={port}", "--server.headless=true"]
    process = subprocess.Popen(
        [*command, *options], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(20)


def open_page(page: Page, url: str) -> None:
    """Go there as soon as somebody listens."""
    deadline = time.perf_counter() + 60
    while time.perf_counter() < deadline:
        try:
            page.goto(url)
            return
        except Error:  # the server does not listen yet
            time.sleep(0.05)
    raise TimeoutError(url)


def _time_to_empty(browser: Browser) -> float:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "app.py").write_text(EMPTY_PAGE)
        page, began = browser.new_page(), time.perf_counter()
        with server([sys.executable, "-m", "streamlit", "run", "app.py"], Path(folder)) as url:
            open_page(page, url)
            page.wait_for_selector(".js-plotly-plot .main-svg", timeout=60_000)
            took = time.perf_counter() - began
            page.close()
    return took


def _time_to_playground(browser: Browser) -> float:
    page, began = browser.new_page(), time.perf_counter()
    with server([sys.executable, "scripts/serve.py"], ROOT) as url:
        open_page(page, f"{url}/playground")
        page.wait_for_function(READY, timeout=60_000)
        took = time.perf_counter() - began
        page.close()
    return took


READY = """() => window.rnnviz && window.rnnviz.updates > 0 && document.querySelector(".js-plotly-plot .main-svg")
    && [...document.querySelectorAll("button")].some((b) => b.innerText.includes("Train") && !b.disabled)"""


def fresh(page: Page, url: str, query: str) -> None:
    """Open a new run on the Playground and wait until it can be trained."""
    page.goto(f"{url}/playground?{query}")
    page.wait_for_function(READY, timeout=60_000)
    page.wait_for_timeout(1500)


def _first_change(page: Page, url: str) -> float:
    fresh(page, url, "cell=lstm")
    began = time.perf_counter()
    page.get_by_role("button", name="Train", exact=True).click()
    page.wait_for_function("window.rnnviz.shownStep() > 0", polling=10)
    return time.perf_counter() - began


def _watched(page: Page, url: str, cell: str) -> tuple[float, float, float]:
    """Steps/s with the page open, the same run headless right afterwards, and pictures per second."""
    fresh(page, url, f"cell={cell}&steps=50000")
    page.get_by_role("button", name="Train", exact=True).click()
    page.wait_for_timeout(2000)
    look = "[performance.now(), window.rnnviz.store.newest, window.rnnviz.updates]"
    before = page.evaluate(look)
    page.wait_for_timeout(WATCHED_SECONDS * 1000)
    after = page.evaluate(look)
    page.get_by_role("button", name="Pause", exact=True).click()
    page.goto("about:blank")
    time.sleep(1)
    seconds, steps, updates = (b - a for a, b in zip(before, after, strict=True))
    return 1e3 * steps / seconds, _headless(cell), 1e3 * updates / seconds


def _headless(cell: str) -> float:
    checkpoint, began, steps = start(Experiment(cell=cell, steps=50_000)), time.perf_counter(), 0
    while (passed := time.perf_counter() - began) < WATCHED_SECONDS / 2:
        done = advance(checkpoint, seconds=0.08)
        checkpoint, steps = done.checkpoint, steps + len(done.losses)
    return steps / passed


def other_widget(page: Page, url: str) -> list[float]:
    """Move the learning-rate slider by key and wait until the server's answer is in the address."""
    fresh(page, url, "cell=lstm&steps=50000")
    page.get_by_role("button", name="Train", exact=True).click()
    page.wait_for_timeout(1500)
    slider = page.get_by_role("slider", name="Learning rate")
    waits = []
    for k in range(20):
        slider.focus()
        href = page.evaluate("location.href")
        began = time.perf_counter()
        page.keyboard.press("ArrowRight" if k % 2 else "ArrowLeft")
        page.wait_for_function("before => location.href !== before", arg=href, polling=5)
        waits.append(time.perf_counter() - began)
        page.wait_for_timeout(200)
    return waits
