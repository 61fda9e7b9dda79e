"""A fully recorded training step against the same step in bare `torch.nn`, one thread, interleaved rounds."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from statistics import median
from typing import TypeVar

import torch
from torch import nn

from rnnviz import CELLS, Experiment, advance, start
from rnnviz.arithmetic import flushed_denormals, one_thread
from rnnviz.model import training_batch
from rnnviz.tracing import frame

ROUNDS, STEPS = 9, 12
TWINS = ("rnn", "lstm", "gru")  # the cells that torch.nn has
SIZES = ((100, 32), (400, 32), (100, 128))
LENGTHS = (100, 250, 500, 1000, 2000)


CONDITIONS = f"B 32, medians of {ROUNDS} interleaved rounds, one thread"
K = TypeVar("K")


def main() -> None:
    """Measure and print."""
    with one_thread(), flushed_denormals():
        print(f"\nA training step that records every state's gradient, in other people's terms ({CONDITIONS})")
        print(
            "| cell | T | H | × bare torch.nn, nothing recorded | × unrolled autograd, retain_grad | frame, in steps |"
        )
        print("|---|---|---|---|---|---|")
        for length, hidden in SIZES:
            for name in TWINS:
                print(_row(Experiment(cell=name, length=length, hidden_size=hidden)), flush=True)

        print(f"\nTime per training step and time step as sequences grow, relative to T = {LENGTHS[0]} ({CONDITIONS})")
        print(f"| cell | {' | '.join(f'T {length}' for length in LENGTHS)} |")
        print("|---" * (len(LENGTHS) + 1) + "|")
        for name in TWINS:
            taken = _medians({n: _ours(Experiment(cell=name, length=n), 4000 // n) for n in LENGTHS})
            relative = [taken[n] / taken[LENGTHS[0]] for n in LENGTHS]  # each did equally many time steps
            print(f"| {name} | {' | '.join(f'{value:.2f}' for value in relative)} |", flush=True)

        print(f"\nTime of a training step of every cell, relative to the lstm's (T 100, H 32, {CONDITIONS})")
        print("| cell | × lstm |\n|---|---|")
        seconds = _medians({name: _ours(Experiment(cell=name, length=100), STEPS) for name in CELLS})
        for name in CELLS:
            print(f"| {name} | {seconds[name] / seconds['lstm']:.2f} |")


def _row(experiment: Experiment) -> str:
    checkpoint = start(experiment)
    contestants: dict[str, Callable[[], object]] = {
        "ours": _ours(experiment, STEPS),
        "bare": _torch_loop(experiment, _bare(experiment)),
        "unrolled": _torch_loop(experiment, _unrolled(experiment)),
        "frame": lambda: frame(checkpoint),
    }
    seconds = _medians(contestants)
    return (
        f"| {experiment.cell} | {experiment.length} | {experiment.hidden_size} "
        f"| {seconds['bare'] / seconds['ours']:.2f} | {seconds['unrolled'] / seconds['ours']:.2f} "
        f"| {seconds['frame'] / (seconds['ours'] / STEPS):.2f} |"
    )


def _ours(experiment: Experiment, steps: int) -> Callable[[], object]:
    checkpoint = start(experiment)
    return lambda: advance(checkpoint, steps, record_last=False, record_norms=True)


def _medians(contestants: Mapping[K, Callable[[], object]]) -> dict[K, float]:
    """Seconds each takes, in interleaved rounds."""
    taken: dict[K, list[float]] = {name: [] for name in contestants}
    for round_ in range(ROUNDS + 1):
        for name, run in contestants.items():
            began = time.perf_counter()
            run()
            if round_:  # the first warms up
                taken[name].append(time.perf_counter() - began)
    return {name: median(values) for name, values in taken.items()}


def _torch_loop(
    experiment: Experiment, network: tuple[nn.Module, Callable[[torch.Tensor], torch.Tensor]]
) -> Callable[[], None]:
    module, answer = network
    optimizer = torch.optim.Adam(module.parameters(), lr=experiment.learning_rate)

    def run() -> None:
        for step in range(STEPS):
            batch = training_batch(experiment, step)
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(answer(torch.from_numpy(batch.inputs)), torch.from_numpy(batch.targets))
            loss.backward()
            nn.utils.clip_grad_norm_(module.parameters(), experiment.clip_norm)
            optimizer.step()
            loss.item()

    return run


def _bare(experiment: Experiment) -> tuple[nn.Module, Callable[[torch.Tensor], torch.Tensor]]:
    twin = start(experiment).to_torch()
    return twin, twin


def _unrolled(experiment: Experiment) -> tuple[nn.Module, Callable[[torch.Tensor], torch.Tensor]]:
    """What one writes to see every gradient: a loop over torch's own cell modules that retains each state's gradient."""
    kind = {"rnn": nn.RNNCell, "lstm": nn.LSTMCell, "gru": nn.GRUCell}[experiment.cell]
    cell, readout = kind(2, experiment.hidden_size), nn.Linear(experiment.hidden_size, 1)

    def answer(inputs: torch.Tensor) -> torch.Tensor:
        h = torch.zeros(inputs.shape[1], experiment.hidden_size)
        state = (h, h) if experiment.cell == "lstm" else h
        states = []
        for x in inputs:
            state = cell(x, state)
            for tensor in state if isinstance(state, tuple) else (state,):
                tensor.retain_grad()
                states.append(tensor)
        said: torch.Tensor = readout(state[0] if isinstance(state, tuple) else state)
        return said

    return nn.ModuleList([cell, readout]), answer
