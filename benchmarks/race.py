"""The race: what three lanes get of the machine, what eight seeds cost, and how it feels in a browser."""

from __future__ import annotations

import sys
import time
from concurrent.futures import Executor, wait
from statistics import median, quantiles

from playwright.sync_api import Page

from benchmarks.page import ROOT, browser_here, open_page, server
from rnnviz import Checkpoint, Experiment, advance, start
from rnnviz.runs import Engine, Race, make_executor
from rnnviz.runs.engine import SLICE_SECONDS, workers_here
from rnnviz.runs.race import Turn

ROUNDS, SECONDS, WATCHED_SECONDS = 3, 5.0, 8.0
SEEDS, SEED_STEPS = 8, 100
LANES = [Experiment(cell=cell, steps=50_000) for cell in ("rnn", "lstm", "gru")]


def main() -> None:
    """Measure and print."""
    workers = workers_here()
    print(f"\nThe race (T 50, H 32, B 32, {workers} worker processes; medians of {ROUNDS} interleaved rounds)")
    in_steps, in_seconds = [], []
    seeds: dict[str, list[float]] = {lane.cell: [] for lane in LANES}
    executor = make_executor("processes", workers)
    _all_busy(executor, LANES[0], workers)  # started and compiled
    for _ in range(ROUNDS):
        rates = [_all_busy(executor, lane, workers) for lane in LANES]  # steps/s on one core, all cores busy
        # Equal steps: the time of one round of steps is the sum of what each lane's step takes, shared by the cores.
        in_steps.append(_raced(0) / (len(LANES) * workers / sum(1 / rate for rate in rates)))
        in_seconds.append(_raced(SECONDS * 0.9) / (workers / len(LANES) * sum(rates)))
        for lane in LANES:
            seeds[lane.cell].append(_seeds(executor, lane, workers))
    executor.shutdown()
    print(f"- three lanes, same steps: {median(in_steps):.2f} of fair sharing without pages")
    print(f"- three lanes, same seconds: {median(in_seconds):.2f} of fair sharing without pages")
    for cell, ratios in seeds.items():
        print(
            f"- {SEEDS} seeds of {cell}: {median(ratios):.2f} × the time of one ({min(ratios):.2f} to {max(ratios):.2f})"
        )
    with browser_here("The race in a browser") as browser:
        if browser is None:
            return
        with server([sys.executable, "scripts/serve.py"], ROOT) as url:
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            open_page(page, url)
            hertz, waits = zip(*(_watched(page, url) for _ in range(ROUNDS)), strict=True)
            every = [value for several in waits for value in several]
            print(f"- three lanes watched: pictures at {median(hertz):.1f} Hz")
            print(
                f"- another widget's response meanwhile: median {1e3 * median(every):.0f} ms, "
                f"p95 {1e3 * quantiles(every, n=20)[-1]:.0f} ms over {len(every)}"
            )


def _headless(checkpoint: Checkpoint, seconds: float) -> float:
    """Runs in a worker: steps per second of `advance`, a frame recorded as often as the engine does."""
    began, steps = time.perf_counter(), 0
    while (passed := time.perf_counter() - began) < seconds:
        done = advance(checkpoint, seconds=SLICE_SECONDS)
        checkpoint, steps = done.checkpoint, steps + len(done.losses)
    return steps / passed


def _all_busy(executor: Executor, lane: Experiment, workers: int) -> float:
    """Steps per second of one worker while all of them do the same."""
    checkpoint = start(lane)
    return median(
        done.result() for done in [executor.submit(_headless, checkpoint, SECONDS / 2) for _ in range(workers)]
    )


def _raced(seconds: float) -> float:
    """Steps per second of all lanes together, polled as by a page."""
    engine = Engine(lambda: make_executor("processes"))
    try:
        race = Race(LANES, engine, seconds=seconds)
        race.play()
        while race.poll().step == 0:
            time.sleep(0.05)
        began, first = time.perf_counter(), _steps(race)
        while (passed := time.perf_counter() - began) < SECONDS and race.poll().status == "training":
            time.sleep(0.15)
        done = _steps(race) - first
        race.pause()
    finally:
        engine.shutdown()
    return done / passed


def _steps(race: Race) -> int:
    return sum(standing.step for standing in race.poll().standings)


def _seeds(executor: Executor, lane: Experiment, workers: int) -> float:
    """Time of `SEEDS` seeds, shared out over the workers as a race does it, in times of one."""
    checkpoints = [start(lane.amend(seed=seed)) for seed in range(SEEDS)]
    one = [Turn((checkpoints[0],), SEED_STEPS, None, None, True)]
    all_of_them = [Turn(tuple(checkpoints[k::workers]), SEED_STEPS, None, None, k == 0) for k in range(workers)]
    times: dict[int, list[float]] = {1: [], workers: []}
    for _ in range(5):
        for turns in (one, all_of_them):
            began = time.perf_counter()
            wait([executor.submit(turn.compute) for turn in turns])
            times[len(turns)].append(time.perf_counter() - began)
    return median(times[workers]) / median(times[1])


def _watched(page: Page, url: str) -> tuple[float, list[float]]:
    """Pictures per second of a race of three, and how long clicks on another widget wait meanwhile."""
    page.goto(f"{url}/cell_race?task=adding&steps=50000&lane1=rnn&lane2=lstm&lane3=gru")
    page.wait_for_function("window.rnnviz && document.querySelector('.js-plotly-plot .main-svg')", timeout=60_000)
    page.wait_for_timeout(1500)
    page.get_by_role("button", name="Start", exact=True).click()
    page.wait_for_timeout(2500)
    look = "[performance.now(), window.rnnviz.updates]"
    before = page.evaluate(look)
    page.wait_for_timeout(1000 * WATCHED_SECONDS)
    after = page.evaluate(look)
    waits = []
    for k in range(10):
        began = time.perf_counter()
        page.get_by_role("radio", name=str(2 + k % 2), exact=True).click()
        page.wait_for_function(f"location.href.includes('edit={2 + k % 2}')", polling=5)
        waits.append(time.perf_counter() - began)
        page.wait_for_timeout(250)
    page.get_by_role("button", name="Pause", exact=True).click()
    page.wait_for_timeout(500)
    return 1e3 * (after[1] - before[1]) / (after[0] - before[0]), waits
