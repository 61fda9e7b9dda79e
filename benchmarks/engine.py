"""Threads against worker processes: total steps/s, the page's own work p95, memory, at 1 and 10 runs."""

from __future__ import annotations

import time
from pathlib import Path
from statistics import median, quantiles

import psutil

from rnnviz import Experiment, advance, start
from rnnviz.runs import Engine, Registry, make_executor

ROUNDS, SECONDS = 3, 4.0
LSTM = Experiment(steps=50_000)


def main() -> None:
    """Measure and print."""
    print(f"\nThe engine (LSTM, T 50, H 32, B 32; {ROUNDS} interleaved rounds of {SECONDS:g} s each, medians)")
    print(
        "| runs | executor | steps/s ÷ one headless run | slowest ÷ fastest run | page work p95 | memory of all processes |"
    )
    print("|---|---|---|---|---|---|")
    alone = median(_headless() for _ in range(ROUNDS))
    for runs in (1, 10):
        results: dict[str, list[tuple[float, float, float, float]]] = {"threads": [], "processes": []}
        for _ in range(ROUNDS):
            for kind, taken in results.items():
                taken.append(_measure(kind, runs))
        for kind, taken in results.items():
            speed, even, p95, memory = (median(column) for column in zip(*taken, strict=True))
            print(
                f"| {runs} | {kind} | {speed / alone:.2f} | {even:.2f} | {1e3 * p95:.0f} ms | {memory:.0f} MiB |",
                flush=True,
            )


def _headless() -> float:
    """Steps per second of `advance` in this process, recording a frame as often as the engine does."""
    checkpoint, began, steps = start(LSTM), time.perf_counter(), 0
    while (now := time.perf_counter() - began) < SECONDS:
        done = advance(checkpoint, seconds=0.08)
        checkpoint, steps = done.checkpoint, steps + len(done.losses)
    return steps / now


def _measure(kind: str, runs: int) -> tuple[float, float, float, float]:
    engine = Engine(lambda: make_executor(kind))
    registry = Registry(engine)
    try:
        live = [registry.create(LSTM.amend(seed=k)) for k in range(runs)]
        for run in live:
            run.play()
        while any(run.poll().step == 0 for run in live):
            time.sleep(0.05)
        first, began, waits = [run.poll().step for run in live], time.perf_counter(), []
        while (passed := time.perf_counter() - began) < SECONDS:
            for run in live:
                asked = time.perf_counter()
                run.poll()
                _page_work()
                waits.append(time.perf_counter() - asked)
            time.sleep(0.1)
        gained = [run.poll().step - before for run, before in zip(live, first, strict=True)]
        me = psutil.Process()
        memory = sum(p.memory_info().rss for p in (me, *me.children(recursive=True))) / 2**20
        for run in live:
            run.pause()
    finally:
        engine.shutdown()
    return sum(gained) / passed, min(gained) / max(gained), quantiles(waits, n=20)[-1], memory


def _page_work() -> None:
    """Pure Python like a script run's: about 10 ms when nothing else holds the interpreter."""
    for _ in range(60):
        sorted(str(Path("a") / str(k)) for k in range(30))
