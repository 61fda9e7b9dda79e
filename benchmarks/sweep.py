"""A sweep of 60 trials: how busy it keeps the cores, and what a live run beside it notices."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from statistics import median, quantiles

import psutil
from playwright.sync_api import Page

import rnnviz
from benchmarks.page import ROOT, browser_here, fresh, open_page, other_widget, server
from rnnviz import Experiment
from rnnviz.runs import make_executor
from rnnviz.runs.engine import workers_here

CELLS, LENGTHS, SEEDS = ("rnn", "lstm", "gru"), (10, 20, 30, 50), 5
POINTS = [
    Experiment(cell=cell, task="temporal_order", length=length, steps=1000, seed=seed)
    for seed in range(SEEDS)
    for length in LENGTHS
    for cell in CELLS
]
LINK = "/sweep?cell=lstm&task=temporal_order&steps=20000&across=length:100,150&by=cell:rnn,lstm,gru&seeds=5"
ROUNDS, WATCHED_SECONDS = 3, 8.0


def main() -> None:
    """Measure and print."""
    workers = workers_here()
    print(f"\nA sweep of {len(POINTS)} trials on {workers} worker processes ({ROUNDS} rounds, medians)")
    busy, cpu, wall = zip(*(_busy(workers) for _ in range(ROUNDS)), strict=True)
    print(
        f"- busy: slices are being computed {100 * median(busy):.1f} % of workers × time, first slice to last outcome, "
        f"workers already started (rounds: {', '.join(f'{100 * one:.1f}' for one in busy)})"
    )
    print(f"- CPU time of the workers: {100 * median(cpu):.1f} % of cores × time; {median(wall):.0f} s of wall time")
    _beside_a_live_run()


def _busy(workers: int) -> tuple[float, float, float]:
    """Share of the workers' time spent in trials, share of the cores' time, and seconds."""
    with make_executor("processes", workers) as executor:
        # Every worker has compiled and loaded what it needs.
        list(executor.map(time.sleep, [1.0] * workers))
        before, began = _workers_cpu(), time.perf_counter()
        outcomes = list(rnnviz.sweep(POINTS, executor, store=False))
        wall, cpu = time.perf_counter() - began, _workers_cpu() - before
    assert len(outcomes) == len(POINTS)
    return sum(one.seconds for one in outcomes) / (wall * workers), cpu / (wall * (os.cpu_count() or 1)), wall


def _workers_cpu() -> float:
    children = psutil.Process().children(recursive=True)
    return sum(times.user + times.system for times in (child.cpu_times() for child in children))


def _beside_a_live_run() -> None:
    with browser_here("A live run beside a sweep") as browser, tempfile.TemporaryDirectory() as results:
        if browser is None:
            return
        os.environ["RNNVIZ_RESULTS"] = results
        with server([sys.executable, "scripts/serve.py"], ROOT) as url:
            live, other = (browser.new_context(viewport={"width": 1440, "height": 900}).new_page() for _ in range(2))
            open_page(live, url)
            measured: dict[bool, list[tuple[float, float]]] = {False: [], True: []}
            waits: dict[bool, list[float]] = {False: [], True: []}
            for _ in range(ROUNDS):
                for swept in (False, True):
                    _sweep(other, url, swept)
                    measured[swept].append(_watched(live, url))
                    waits[swept] += other_widget(live, url)
    for swept, name in ((False, "alone"), (True, "beside a running sweep")):
        speed, pictures = (median(column) for column in zip(*measured[swept], strict=True))
        relative = speed / median(one for one, _ in measured[False])
        print(
            f"- a live LSTM run {name}: {relative:.2f} × its steps/s alone, pictures at {pictures:.1f} Hz; another widget "
            f"answers after {1e3 * median(waits[swept]):.0f} ms, p95 {1e3 * quantiles(waits[swept], n=20)[-1]:.0f} ms "
            f"over {len(waits[swept])}"
        )


def _sweep(page: Page, url: str, running: bool) -> None:
    """Let the page of another visitor run a sweep, or none."""
    if running:
        page.goto(f"{url}{LINK}")
        page.get_by_role("button", name="Start", exact=True).or_(page.get_by_role("button", name="Resume")).click()
    elif page.get_by_role("button", name="Cancel").count():
        page.get_by_role("button", name="Cancel").click()
    page.wait_for_timeout(2000)


def _watched(page: Page, url: str) -> tuple[float, float]:
    """Steps and pictures per second of a run that somebody watches."""
    fresh(page, url, "cell=lstm&steps=50000")
    page.get_by_role("button", name="Train", exact=True).click()
    page.wait_for_timeout(2000)
    look = "[performance.now(), window.rnnviz.store.newest, window.rnnviz.updates]"
    before = page.evaluate(look)
    page.wait_for_timeout(WATCHED_SECONDS * 1000)
    seconds, steps, updates = (b - a for a, b in zip(before, page.evaluate(look), strict=True))
    page.get_by_role("button", name="Pause", exact=True).click()
    return 1e3 * steps / seconds, 1e3 * updates / seconds
