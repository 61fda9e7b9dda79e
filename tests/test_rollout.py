"""A network that reads its own outputs says what the same network says when it is handed them."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from rnnviz import CELLS, TASKS, Checkpoint, Experiment, RnnvizError, start, trace
from rnnviz.model import answer
from rnnviz.rollout import FUTURE_STEPS, Reader, future, write
from rnnviz.tasks import Batch
from tests.plain import random_parameters

SURROUNDINGS: list[dict[str, Any]] = [{}, {"layers": 3, "residual": True, "layer_norm": True, "bptt_window": 2}]


def random_network(**fields: Any) -> Checkpoint:
    experiment = Experiment(**({"hidden_size": 4} | fields))
    return replace(start(experiment), parameters=random_parameters(experiment, spread=0.5).float().numpy())


def said_by(checkpoint: Checkpoint, inputs: np.ndarray) -> np.ndarray:
    """(T, O) by the whole network at once."""
    O, T = len(TASKS[checkpoint.experiment.task].output_names), len(inputs)
    loss = TASKS[checkpoint.experiment.task].loss
    batch = Batch(inputs[:, None], np.zeros((T, 1, O)) if loss == "mse" else np.zeros((T, 1), np.int64))
    return answer(checkpoint.experiment, torch.tensor(checkpoint.parameters).double(), batch).outputs[:, 0].numpy()


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("surroundings", SURROUNDINGS)
def test_the_future_is_what_the_network_says_when_handed_its_own_forecasts(
    cell: str, surroundings: dict[str, Any]
) -> None:
    checkpoint = random_network(cell=cell, task="forecast", **surroundings)
    past = np.random.default_rng(0).normal(size=(6, 1))
    found = future(checkpoint, past, 5)
    known = past
    for k in range(5):
        np.testing.assert_allclose(found[k], said_by(checkpoint, known)[-1], rtol=1e-9, atol=1e-12)
        known = np.concatenate([known, found[k : k + 1]])
    assert future(checkpoint, past).shape == (FUTURE_STEPS, 1)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("surroundings", SURROUNDINGS)
def test_reading_step_by_step_says_what_reading_at_once_says(cell: str, surroundings: dict[str, Any]) -> None:
    checkpoint = random_network(cell=cell, task="text", **surroundings)
    tr = trace(checkpoint)
    reader = Reader(checkpoint)
    said = np.stack([reader.read(x) for x in tr.inputs[:7, 2]])
    np.testing.assert_allclose(said, tr.outputs[:7, 2], rtol=1e-9, atol=1e-12)


def test_at_temperature_zero_the_likeliest_symbol_is_written_and_read_again() -> None:
    checkpoint = random_network(cell="gru", task="text", hidden_size=8)
    symbols = len(TASKS["text"].output_names)
    known = np.eye(symbols)[[3, 1, 4]]
    for symbol in write(checkpoint, known, 12, 0, np.random.default_rng(0)):
        assert symbol == said_by(checkpoint, known)[-1].argmax()
        known = np.concatenate([known, np.eye(symbols)[[symbol]]])


@pytest.mark.parametrize("temperature", [0.3, 1.0, 4.0])
def test_symbols_are_drawn_from_the_softmax_at_the_temperature(temperature: float) -> None:
    checkpoint = random_network(cell="rnn", task="text", hidden_size=8)
    known = np.eye(len(TASKS["text"].output_names))[[0, 5]]
    said = said_by(checkpoint, known)[-1] / temperature
    p = np.exp(said - said.max())
    p /= p.sum()
    rng, n = np.random.default_rng(1), 2000
    drawn = [next(write(checkpoint, known, 1, temperature, rng)) for _ in range(n)]
    found = np.bincount(drawn, minlength=len(p)) / n
    assert (np.abs(found - p) < 5 * np.sqrt(p * (1 - p) / n) + 2 / n).all()


def test_the_same_generator_writes_the_same_text() -> None:
    checkpoint = random_network(cell="lstm", task="text")
    known = np.eye(len(TASKS["text"].output_names))[:2]
    one, again, other = (list(write(checkpoint, known, 30, 1.0, np.random.default_rng(s))) for s in (3, 3, 4))
    assert one == again != other


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"task": "adding"}, "Only a network that answers at every step and reads forwards .* Got task=adding"),
        ({"task": "reverse"}, "Only a network that answers at every step"),
        ({"task": "forecast", "bidirectional": True}, "Got task=forecast, bidirectional=true"),
    ],
)
def test_a_network_that_needs_more_than_the_past_is_refused(fields: dict[str, Any], sentence: str) -> None:
    with pytest.raises(RnnvizError, match=sentence):
        future(start(Experiment(**fields)), np.zeros((3, 1)))


def test_writing_needs_symbols_and_a_temperature() -> None:
    text, known = start(Experiment(task="text", hidden_size=3)), np.eye(len(TASKS["text"].input_names))[:1]
    rng = np.random.default_rng(0)
    with pytest.raises(RnnvizError, match=r"`temperature` must be at least 0\. Got -1"):
        list(write(text, known, 3, -1, rng))
    for task in ("forecast", "flip_flop", "parity"):
        inputs = np.zeros((2, len(TASKS[task].input_names)))
        with pytest.raises(RnnvizError, match=f"`write` needs a next-symbol task. Got {task}"):
            list(write(start(Experiment(task=task, hidden_size=3)), inputs, 3, 1.0, rng))
    with pytest.raises(RnnvizError, match="at least"):
        list(write(text, known, 3, float("nan"), rng))
    with pytest.raises(RnnvizError, match="start"):
        list(write(text, known[:0], 3, 1.0, rng))
