"""What the Gradient lab shows, as one linkable value. A link is read as kindly as possible: see `Lab.from_query`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from rnnviz.analysis.lab import MOST_LANES, Lane
from rnnviz.cells import ACTIVATIONS, CELLS
from rnnviz.experiment import INITIALISATIONS, SETTINGS

VIEWS = {
    "directions": "All directions",
    "pays": "Who pays for this step?",
    "cliff": "The cliff",
    "half-life": "Half-life",
}

PRESETS = {
    "Elman RNN, PyTorch default": Lane(),
    "Elman RNN, orthogonal": Lane(initialisation="orthogonal"),
    "Elman RNN, Gaussian, ρ = .9": Lane(initialisation="spectral", rho=0.9),
    "Linear RNN, orthogonal": Lane(initialisation="orthogonal", activation="linear"),
    "ReLU RNN, identity (IRNN)": Lane(initialisation="identity", activation="relu"),
    "LSTM, forget bias 0": Lane("lstm"),
    "LSTM, forget bias 1": Lane("lstm", bias=1.0),
    "LSTM, forget bias 3": Lane("lstm", bias=3.0),
    "LSTM, chrono": Lane("lstm", "chrono"),
    "GRU": Lane("gru"),
    "GRU, update bias 2": Lane("gru", bias=2.0),
    "GRU as misprinted, without a leak path": Lane("gru_leakless"),
}


@dataclass(frozen=True)
class Number:
    """Bounds and default of a number that all lanes share."""

    default: float
    lowest: float
    highest: float
    whole: bool = False


NUMBERS = {
    "T": Number(100, 4, 1000, whole=True),
    "hidden": Number(32, 2, 64, whole=True),
    "input": Number(0.3, 0, 3),
    "seed": Number(0, 0, 2**31 - 1, whole=True),
    "edit": Number(1, 1, MOST_LANES, whole=True),
    "window": Number(0, 0, 200, whole=True),
    "clip": Number(0.2, 0, 10),
    "rate": Number(3, 0.01, 10),
    "at": Number(0, 0, 10**9, whole=True),
}


@dataclass(frozen=True)
class Lab:
    """Everything the page shows.

    Attributes:
        lanes: one to four.
        edit: which of them the sliders move, 1 for the first.
        T, hidden, input, seed: steps, units, standard deviation of the input, seed of weights and input; for all lanes.
        view: what stands below, one of `VIEWS`.
        window, clip, rate: of the views.
        run, at: a live run and the training step to look at; "" for none.
    """

    lanes: tuple[Lane, ...]
    edit: int = 1
    T: int = 100
    hidden: int = 32
    input: float = 0.3
    seed: int = 0
    view: str = "directions"
    window: int = 0
    clip: float = 0.2
    rate: float = 3.0
    run: str = ""
    at: int = 0

    @property
    def lane(self) -> Lane:
        """The one being edited."""
        return self.lanes[min(self.edit, len(self.lanes)) - 1]

    def with_lane(self, **changes: Any) -> Lab:
        """The same with the edited lane changed; what does not go with a new cell is dropped."""
        lane = fitting(replace(self.lane, **changes))
        place = min(self.edit, len(self.lanes)) - 1
        return replace(self, lanes=(*self.lanes[:place], lane, *self.lanes[place + 1 :]))

    def to_query(self) -> dict[str, str]:
        """The link: the lanes always, everything else where it differs from its default."""
        query = {f"lane{k}": lane_text(lane) for k, lane in enumerate(self.lanes, 1)}
        for name, number in NUMBERS.items():
            if getattr(self, name) != number.default:
                query[name] = f"{getattr(self, name):.12g}"
        if self.view != next(iter(VIEWS)):
            query["view"] = self.view
        return query | ({"run": self.run} if self.run else {})

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> tuple[Lab, list[str]]:
        """The nearest lab to what a link asks for, and a sentence for all that could not be honoured. Never raises."""
        notices: list[str] = []
        known = {f"lane{k}" for k in range(1, MOST_LANES + 1)} | {*NUMBERS, "view", "run"}
        notices += [
            f"{_short(name)} is nothing the Gradient lab knows; ignored."
            for name in query
            if name not in known and not name.startswith("embed")
        ]
        lanes = [
            lane
            for k in range(1, MOST_LANES + 1)
            if f"lane{k}" in query and (lane := read_lane(f"lane{k}", query[f"lane{k}"], notices)) is not None
        ]
        first = QUESTIONS["faster"]
        fields: dict[str, Any] = {"lanes": tuple(lanes)} if lanes else {"lanes": first.lanes, "edit": first.edit}
        for name, number in NUMBERS.items():
            if name in query:
                fields[name] = _read_number(name, query[name], number, notices)
        if "view" in query:
            if query["view"] in VIEWS:
                fields["view"] = query["view"]
            else:
                notices.append(f"`view` must be one of {', '.join(VIEWS)}. Got {_short(query['view'])}.")
        fields["edit"] = min(fields.get("edit", 1), len(fields["lanes"]))
        return cls(**fields, run=query.get("run", "")[:64]), notices


@dataclass(frozen=True)
class Question:
    """A question the lab answers, with the lanes that answer it.

    Attributes:
        title: the question.
        why: what to make of the numbers beside it; it names none itself.
        lanes, T, input: the setting; `edit` is the lane under the sliders.
    """

    title: str
    why: str
    lanes: tuple[Lane, ...]
    T: int = 100
    input: float = 0.3
    edit: int = 1

    def lab(self, now: Lab) -> Lab:
        """The lab `now` with this setting."""
        return replace(now, lanes=self.lanes, T=self.T, input=self.input, edit=self.edit)


QUESTIONS = {
    "faster": Question(
        "What decays faster?",
        "Each step back multiplies by one Jacobian, so a norm falls by about the same factor each time: a straight line on "
        "this axis. An untrained LSTM without a forget bias is no exception.",
        (Lane(), Lane("lstm"), Lane("lstm", bias=1.0), Lane("gru")),
        edit=3,
    ),
    "bias": Question(
        "Why does the forget bias help?",
        "The cell state's direct path is the product of the forget gates (thin dashes). The bias opens the gate, f moves "
        "towards 1, and the product falls more slowly. The measured line may lie above it: it has other paths besides.",
        (Lane("lstm"), Lane("lstm", bias=1.0), Lane("lstm", bias=2.0), Lane("lstm", bias=4.0)),
        edit=2,
    ),
    "radius": Question(
        "Is the spectral radius what matters?",
        "The same ρ in all four, while σ₁ differs. The two linear networks end with one slope: in the long run ρ rules "
        "them, and a larger σ₁ only stretches the first steps. With tanh and a loud input the slopes of the activation fall "
        "below 1, and both decay faster than ρ of W alone says: what counts is the product of Jacobians.",
        (
            Lane(initialisation="spectral", rho=0.95),
            Lane(initialisation="orthogonal", rho=0.95),
            Lane(initialisation="spectral", activation="linear", rho=0.95),
            Lane(initialisation="orthogonal", activation="linear", rho=0.95),
        ),
        input=1.0,
    ),
    "explodes": Question(
        "When does it explode?",
        "A linear network grows by its ρ with each step. ReLU switches units off, so the same ρ need not be enough, and a "
        "larger one is. A tanh network's states grow until its slopes shrink: the factor comes back towards 1, as long as "
        "there is some input to move it. Only a factor above 1 is what clipping is for: see the cliff below.",
        (
            Lane(initialisation="spectral", activation="linear", rho=1.2),
            Lane(initialisation="spectral", activation="relu", rho=1.2),
            Lane(initialisation="spectral", activation="relu", rho=2.0),
            Lane(initialisation="spectral", rho=1.2),
        ),
    ),
    "leak": Question(
        "What does the leak path of a GRU buy?",
        "The GRU keeps z of its old state unsquashed. One tutorial misprints that term away: then every path leads through "
        "the candidate and the reset gate.",
        (Lane("gru"), Lane("gru", bias=2.0), Lane("gru_v3"), Lane("gru_leakless")),
    ),
}


def lane_text(lane: Lane) -> str:
    """A lane as a link writes it: its cell, then what differs from the default, with ~ between."""
    parts = [lane.cell]
    if lane.initialisation != Lane.initialisation:
        parts.append(lane.initialisation)
    if lane.activation != Lane.activation:
        parts.append(lane.activation)
    if lane.rho is not None:
        parts.append(f"rho{lane.rho:.12g}")
    if lane.bias:
        parts.append(f"bias{lane.bias:.12g}")
    return "~".join(parts)


def read_lane(name: str, text: str, notices: list[str]) -> Lane | None:
    """The lane that `lane_text` wrote; what cannot be honoured is left out with a sentence added to `notices`."""
    cell, *rest = text[:200].split("~")
    if cell not in CELLS:
        notices.append(f"`{name}` must begin with one of {', '.join(CELLS)}. Got {_short(cell)}; left out.")
        return None
    values: dict[str, Any] = {"cell": cell}
    for part in rest:
        if part in INITIALISATIONS:
            values["initialisation"] = part
        elif part in ACTIVATIONS:
            values["activation"] = part
        elif part.startswith("rho") and (rho := _number(part[3:])) is not None:
            values["rho"] = _clamped(name, "rho", rho, "spectral_radius", notices)
        elif part.startswith("bias") and (bias := _number(part[4:])) is not None:
            values["bias"] = _clamped(name, "bias", bias, "forget_bias", notices)
        else:
            notices.append(f"`{name}` has a part that means nothing. Got {_short(part)}; ignored.")
    asked = Lane(**values)
    lane = fitting(asked)
    if lane != asked:
        notices.append(f"Not everything `{name}` asks for goes with the cell {cell}; what does not is left out.")
    return lane


def fitting(lane: Lane) -> Lane:
    """The lane without what its cell cannot do."""
    cell = CELLS[lane.cell]
    if lane.initialisation not in cell.initialisations:
        lane = replace(lane, initialisation=Lane.initialisation)
    if "activation" not in cell.options:
        lane = replace(lane, activation=Lane.activation)
    if "W_hh" not in cell.shapes(1, 1) or lane.initialisation == "zeros":
        lane = replace(lane, rho=None)
    if not cell.bias_fields or lane.initialisation == "chrono":
        lane = replace(lane, bias=0.0)
    return lane


def lane_name(lane: Lane) -> str:
    """What a lane is called on the page."""
    cell = CELLS[lane.cell]
    shown = [cell.title]
    if lane.initialisation == "spectral":
        shown.append("Gaussian")
    elif lane.initialisation != "default":
        shown.append(INITIALISATIONS[lane.initialisation].split(" (")[0])
    if lane.activation != Lane.activation:
        shown.append(lane.activation)
    if lane.rho is not None:
        shown.append(f"ρ = {lane.rho:.3g}")
    if cell.bias_fields and lane.initialisation != "chrono":
        shown.append(f"{next(iter(cell.bias_fields)).replace('_', ' ')} {lane.bias:.3g}")
    return ", ".join(shown)


def _clamped(name: str, what: str, value: float, field: str, notices: list[str]) -> float:
    low, high = SETTINGS[field].lowest, SETTINGS[field].highest
    if not low <= value <= high:
        notices.append(f"{what} in `{name}` must be between {low:g} and {high:g}. Got {value:g}.")
    return min(max(value, low), high)


def _read_number(name: str, text: str, number: Number, notices: list[str]) -> float:
    value = _number(text)
    bounds = (
        f"`{name}` must be a {'whole ' if number.whole else ''}number between {number.lowest:g} and {number.highest:g}."
    )
    if value is None:
        notices.append(f"{bounds} Got {_short(text)}. Using {number.default:g} instead.")
        return number.default
    kept = min(max(value, number.lowest), number.highest)
    kept = round(kept) if number.whole else kept
    if kept != value:
        notices.append(f"{bounds} Got {_short(text)}. Using {kept:g} instead.")
    return kept


def _number(text: str) -> float | None:
    try:
        value = float(text[:40])
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:37]}...")
