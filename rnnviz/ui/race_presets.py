"""Races that make a point. What each of them claims is computed anew, over five seeds, by a slow test."""

from __future__ import annotations

from dataclasses import dataclass, replace

from rnnviz.experiment import Experiment
from rnnviz.ui.race_state import Setup


@dataclass(frozen=True)
class Preset:
    """A race that makes a point.

    Attributes:
        title: on its button.
        watch: what to look at.
        finding: what came out over `SEEDS` seeds.
        setup: the race.
    """

    title: str
    watch: str
    finding: str
    setup: Setup

    def is_of(self, shown: Setup) -> bool:
        """Whether that is on the page, in whatever way it is looked at, and with any seed and number of seeds."""

        def plain(setup: Setup) -> Setup:
            lanes = tuple(lane.amend(seed=0) for lane in setup.lanes)
            return replace(setup, lanes=lanes, edit=1, seeds=1, gate="", fraction=Setup.fraction, race="")

        return plain(shown) == plain(self.setup)


def _race(lanes: list[dict[str, object]], **shared: object) -> Setup:
    return Setup(tuple(Experiment(**(shared | lane)) for lane in lanes))


PRESETS = {
    "three": Preset(
        "RNN, LSTM, GRU at T = 50",
        "",
        "",
        _race([{"cell": "rnn"}, {"cell": "lstm"}, {"cell": "gru"}], task="adding", length=50, steps=1500),
    ),
    "bias": Preset(
        "What the forget bias buys",
        "",
        "",
        _race(
            [{"forget_bias": 0.0}, {"forget_bias": 1.0}, {"forget_bias": 3.0}],
            cell="lstm", task="temporal_order", length=50, hidden_size=50, steps=1500,
        ),
    ),
    "orthogonal": Preset(
        "Orthogonal against default",
        "",
        "",
        _race(
            [{}, {"initialisation": "orthogonal"}],
            cell="rnn", task="temporal_order", length=50, hidden_size=50, steps=1500,
        ),
    ),
    "misprint": Preset(
        "The misprinted GRU",
        "",
        "",
        _race([{"cell": "gru"}, {"cell": "gru_v3"}, {"cell": "gru_leakless"}], task="adding", length=50, steps=1000),
    ),
    "clip": Preset(
        "Clip or not",
        "",
        "",
        _race(
            [{"clip_norm": 0.0}, {"clip_norm": 1.0}],
            cell="rnn", activation="relu", initialisation="identity", task="adding", length=50, learning_rate=0.01,
            steps=1500,
        ),
    ),
    "guard": Preset(
        "Old guard, minGRU and LRU",
        "",
        "",
        _race(
            [{"cell": "rnn"}, {"cell": "lstm"}, {"cell": "gru"}, {"cell": "mingru"}, {"cell": "lru"}],
            task="adding", length=50, steps=1500,
        ),
    ),
    "survives": Preset(
        "Gradient survives, training still fails",
        "",
        "",
        _race(
            [
                {"cell": "rnn", "activation": "linear", "initialisation": "orthogonal"},
                {"cell": "rnn", "initialisation": "orthogonal"},
                {"cell": "lstm", "forget_bias": 3.0},
                {"cell": "gru", "update_bias": 3.0},
            ],
            task="parity", length=30, steps=1500,
        ),
    ),
}  # fmt: skip
