"""Races that make a point. What they claim is data, so that a slow test computes it anew over `SEEDS` seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from rnnviz.experiment import Experiment
from rnnviz.ui.race_state import Setup, lane_names

SEEDS = 5

Often = Literal["always", "sometimes", "never"]
Reach = Literal["all", "part"]


@dataclass(frozen=True)
class Preset:
    """A race that makes a point.

    Attributes:
        title: on its button.
        why: what to make of it; it claims nothing about how the race ends.
        setup: the race.
        solved: a lane, how many of `SEEDS` seeds are solved within the budget: all, some or none.
        untrained: a lane, whether the untrained network's gradient reaches back all steps, or fewer than half of them.
    """

    title: str
    why: str
    setup: Setup
    solved: tuple[Often, ...]
    untrained: tuple[Reach, ...]

    @property
    def finding(self) -> str:
        """What came out, in words."""
        names = lane_names(self.setup.lanes)
        ends = _grouped(names, self.solved, {"always": "always", "sometimes": "sometimes", "never": "never"})
        reach = _grouped(names, self.untrained, {"all": "all the way", "part": "less than half of the way"})
        return f"Solved in this budget, over {SEEDS} seeds: {ends}. Before training the gradient reaches back {reach}."

    def is_of(self, shown: Setup) -> bool:
        """Whether that is on the page, in whatever way it is looked at, and with any seed and number of seeds."""

        def plain(setup: Setup) -> Setup:
            lanes = tuple(lane.model_copy(update={"seed": 0}) for lane in setup.lanes)
            return replace(setup, lanes=lanes, edit=1, seeds=1, gate="", fraction=Setup.fraction, race="")

        return plain(shown) == plain(self.setup)


def _grouped(names: Sequence[str], each: Sequence[str], words: Mapping[str, str]) -> str:
    """ "**always** GRU · LSTM; **never** Elman RNN"."""
    groups = {how: [name for name, its in zip(names, each, strict=True) if its == how] for how in words}
    return "; ".join(f"**{words[how]}** {' · '.join(which)}" for how, which in groups.items() if which)


def _race(*lanes: dict[str, object], **shared: object) -> Setup:
    return Setup(tuple(Experiment(**(shared | lane)) for lane in lanes))


PRESETS = {
    "three": Preset(
        "RNN, LSTM, GRU at T = 50",
        "Who does not feel the first marked number can only guess: watch who leaves the dashed line, and when.",
        _race({"cell": "rnn"}, {"cell": "lstm"}, {"cell": "gru"}, task="adding", length=50, steps=1500),
        solved=("never", "always", "always"),
        untrained=("part", "part", "part"),
    ),
    "bias": Preset(
        "What the forget bias buys",
        "One LSTM three times, but for one number: how open its forget gate is at first. The product of the gates is the "
        "direct path back.",
        _race(
            {"forget_bias": 0.0}, {"forget_bias": 1.0}, {"forget_bias": 3.0},
            cell="lstm", task="temporal_order", length=50, hidden_size=50, steps=1500,
        ),
        solved=("never", "sometimes", "always"),
        untrained=("part", "part", "all"),
    ),
    "orthogonal": Preset(
        "Orthogonal against default",
        "The same cell, other initial weights: an orthogonal matrix turns the state without shrinking it.",
        _race(
            {}, {"initialisation": "orthogonal"},
            cell="rnn", task="temporal_order", length=50, hidden_size=50, steps=1500,
        ),
        solved=("never", "sometimes"),
        untrained=("part", "all"),
    ),
    "misprint": Preset(
        "The misprinted GRU",
        "A tutorial leaves out one term, z times the old state. Without this leak every way back leads through the "
        "candidate and the reset gate.",
        _race({"cell": "gru"}, {"cell": "gru_v3"}, {"cell": "gru_leakless"}, task="adding", length=50, steps=1000),
        solved=("always", "always", "never"),
        untrained=("part", "part", "part"),
    ),
    "clip": Preset(
        "Clip or not",
        "An identity matrix with ReLU keeps its gradient, and now and then it explodes. Clipping shortens the step that "
        "would throw the weights away; it does nothing for a gradient that vanishes.",
        _race(
            {"clip_norm": 0.0}, {"clip_norm": 1.0},
            cell="rnn", activation="relu", initialisation="identity", task="adding", length=50, learning_rate=0.01,
            steps=1500,
        ),
        solved=("never", "always"),
        untrained=("all", "all"),
    ),
    "guard": Preset(
        "Old guard, minGRU and LRU",
        "minGRU drops the old state from its gates, the LRU every nonlinearity from its recurrence. A linear memory keeps "
        "the gradient, yet it cannot multiply a number by its marker.",
        _race(
            {"cell": "rnn"}, {"cell": "lstm"}, {"cell": "gru"}, {"cell": "mingru"}, {"cell": "lru"},
            task="adding", length=50, steps=1500,
        ),
        solved=("never", "always", "always", "always", "never"),
        untrained=("part", "part", "part", "part", "all"),
    ),
    "survives": Preset(
        "Gradient survives, training still fails",
        "Parity turns with every input. A gradient that reaches all steps is not enough: no linear network can "
        "say whether a count is odd.",
        _race(
            {"cell": "rnn", "activation": "linear", "initialisation": "orthogonal"},
            {"cell": "rnn", "initialisation": "orthogonal"},
            {"cell": "lstm", "forget_bias": 3.0},
            task="parity", length=30, steps=1500,
        ),
        solved=("never", "sometimes", "always"),
        untrained=("all", "all", "all"),
    ),
}  # fmt: skip
