"""What a race is, as one linkable value: its lanes, its seeds, its budget. A link is read as kindly as possible."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from math import prod
from typing import Any

from rnnviz.cells import CELLS
from rnnviz.errors import RnnvizError
from rnnviz.experiment import SETTINGS, Experiment, default_of
from rnnviz.model import layout
from rnnviz.runs.race import MOST_LANES, MOST_SEEDS, REACH_FRACTIONS, SHARED

LEAST_SECONDS, MOST_SECONDS = 5, 600
FIRST = ("rnn", "lstm", "gru")
KEEPER = "the gate that keeps"


@dataclass(frozen=True)
class Setup:
    """Everything the page shows.

    Attributes:
        lanes: two to six experiments that read the same examples.
        edit: which of them the sidebar edits, 1 for the first.
        seeds: networks a lane.
        seconds: of computing for each network; 0 for a budget of training steps.
        match: hidden sizes are solved for, so that every lane has about as many parameters as the first.
        fraction: of its largest, above which a gradient counts as alive.
        gate: which one the rows show; "" for each lane's own that keeps.
        race: id of the live race, "" for none.
    """

    lanes: tuple[Experiment, ...]
    edit: int = 1
    seeds: int = 1
    seconds: float = 0
    match: bool = False
    fraction: float = 0.01
    gate: str = ""
    race: str = ""

    @property
    def lane(self) -> Experiment:
        """The one being edited."""
        return self.lanes[self.edit - 1]

    @property
    def entered(self) -> tuple[Experiment, ...]:
        """The lanes as they start: with `match`, at the hidden size that brings them closest to the first's parameters."""
        return matched(self.lanes) if self.match else self.lanes

    def with_lane(self, **changes: Any) -> tuple[Setup, list[str]]:
        """The edited lane changed, what does not go with that given way; raises `ExperimentError` for a bad value."""
        changed, notices = self.lane.switch(**changes)
        place = self.edit - 1
        return self.with_lanes((*self.lanes[:place], changed, *self.lanes[place + 1 :])), notices

    def with_all(self, **changes: Any) -> tuple[Setup, list[str]]:
        """All lanes changed, as `with_lane`."""
        done = [lane.switch(**changes) for lane in self.lanes]
        lanes, mended = agreed([lane for lane, _ in done])
        return self.with_lanes(lanes), unique([*(sentence for _, said in done for sentence in said), *mended])

    def with_lanes(self, lanes: tuple[Experiment, ...]) -> Setup:
        """Other lanes: another race."""
        return replace(self, lanes=lanes, edit=min(self.edit, len(lanes)), race="")

    def to_query(self) -> dict[str, str]:
        """The link: the lanes and the task always, everything else where it differs from its default."""
        whole = [lane.to_query() for lane in self.lanes]
        query = {name: value for name, value in whole[0].items() if name in SHARED}
        query |= {f"lane{k}": lane_text(values) for k, values in enumerate(whole, 1)}
        for name, value in (("edit", self.edit), ("seeds", self.seeds), ("seconds", self.seconds)):
            if value != getattr(Setup, name):
                query[name] = f"{value:g}"
        if self.match:
            query["match"] = "1"
        if self.fraction != Setup.fraction:
            query["fraction"] = f"{self.fraction:g}"
        if self.gate:
            query["gate"] = self.gate
        return query | ({"race": self.race} if self.race else {})

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> tuple[Setup, list[str]]:
        """The nearest race to what a link asks for, and a sentence for all that could not be honoured. Never raises."""
        notices: list[str] = []
        texts = [query[f"lane{k}"] for k in range(1, MOST_LANES + 1) if f"lane{k}" in query]
        if len(texts) == 1:
            notices.append(f"A race has 2 to {MOST_LANES} lanes. Got 1; the usual ones run beside it.")
        texts += [cell for cell in FIRST if len(texts) < 2 or not any(f"lane{k}" in query for k in range(1, 7))]
        shared = {name: query[name] for name in query if name in SHARED}
        lanes = [read_lane(f"lane{k}", text, shared, notices) for k, text in enumerate(texts[:MOST_LANES], 1)]
        agreeing, mended = agreed(lanes)
        notices += mended
        numbers = {"edit": (1, len(lanes)), "seeds": (1, MOST_SEEDS), "seconds": (0, MOST_SECONDS)}
        values: dict[str, Any] = {
            name: _number(name, query[name], *bounds, notices) for name, bounds in numbers.items() if name in query
        }
        if 0 < values.get("seconds", 0) < LEAST_SECONDS:
            notices.append(
                f"`seconds` must be 0 or at least {LEAST_SECONDS}. Got {_short(query['seconds'])}. Using {LEAST_SECONDS}."
            )
            values["seconds"] = LEAST_SECONDS
        if "fraction" in query:
            values["fraction"] = _choice(
                "fraction", query["fraction"], {f"{f:g}": f for f in REACH_FRACTIONS}, cls.fraction, notices
            )
        if "gate" in query:
            known = {gate: gate for cell in CELLS.values() for gate in cell.gates}
            values["gate"] = _choice("gate", query["gate"], known, "", notices)
        if "match" in query:
            values["match"] = _choice("match", query["match"], {"1": True, "0": False}, False, notices)
        own = {*(f"lane{k}" for k in range(1, MOST_LANES + 1)), *numbers, *SHARED, "match", "fraction", "gate", "race"}
        notices += [
            f"{_short(name)} is nothing a race knows; ignored."
            for name in query
            if name not in own and not name.startswith("embed")
        ]
        return cls(agreeing, **values, race=query.get("race", "")[:64]), unique(notices)


def lane_text(query: Mapping[str, str]) -> str:
    """A lane as a link writes it: its cell, then what is its own, with ~ between."""
    own = [f"{name}={value}" for name, value in query.items() if name not in SHARED and name != "cell"]
    return "~".join([query["cell"], *own])


def read_lane(name: str, text: str, shared: Mapping[str, str], notices: list[str]) -> Experiment:
    """The lane that `lane_text` wrote; what cannot be honoured gives way with a sentence added to `notices`."""
    cell, *parts = text[:600].split("~")
    query = dict(shared) | {"cell": cell}
    for part in parts:
        field, equals, value = part.partition("=")
        if not equals or field not in SETTINGS or field in SHARED or field == "cell":
            notices.append(f"`{name}` has a part that is no field of a single lane. Got {_short(part)}; ignored.")
            continue
        query[field] = value
    lane, said = Experiment.from_query(query)
    notices += said
    return lane


def agreed(lanes: Sequence[Experiment]) -> tuple[tuple[Experiment, ...], list[str]]:
    """The lanes with one value each for what decides the examples: the first lane's, or where that is too large, less."""
    found, notices = list(lanes), list[str]()
    for _ in SHARED:
        values = {name: [getattr(lane, name) for lane in found] for name in SHARED}
        apart = {name: several for name, several in values.items() if len(set(several)) > 1}
        if not apart:
            break
        wanted = {
            name: min(several) if name in ("batch_size", "length") else several[0] for name, several in apart.items()
        }
        mended = [Experiment.nearest(lane.model_dump() | wanted) for lane in found]
        found = [lane for lane, _ in mended]
        notices += [sentence for _, said in mended for sentence in said]
    return tuple(found), unique(notices)


def parameters(experiment: Experiment) -> int:
    """How many numbers one network learns."""
    return sum(prod(shape) for shape in layout(experiment).values())


def matched(lanes: Sequence[Experiment]) -> tuple[Experiment, ...]:
    """Every lane but the first with the hidden size that brings it closest to the first lane's number of parameters."""
    return (lanes[0], *(_sized(lane, parameters(lanes[0])) for lane in lanes[1:]))


@lru_cache(maxsize=256)
def _sized(lane: Experiment, wanted: int) -> Experiment:
    low, high = int(SETTINGS["hidden_size"].lowest), int(SETTINGS["hidden_size"].highest)

    def off(size: int) -> int:
        return abs(parameters(lane.model_copy(update={"hidden_size": size})) - wanted)

    for size in sorted(range(low, high + 1), key=off):
        try:
            return lane.amend(hidden_size=size)
        except RnnvizError:  # too large for this machine's memory, say: the next closest
            continue
    return lane


def lane_names(lanes: Sequence[Experiment]) -> list[str]:
    """What the lanes are called: the cell, and whatever another lane has otherwise."""
    names = []
    for lane in lanes:
        parts = [CELLS[lane.cell].title]
        for name, setting in SETTINGS.items():
            if name in SHARED or name == "cell" or not setting.applies(lane):
                continue
            value = getattr(lane, name)
            others = {getattr(other, name) for other in lanes if other is not lane and setting.applies(other)}
            alone = not others and value != default_of(name, lane.task)
            if alone or others - {value}:
                parts.append(_said(name, value))
        names.append(", ".join(parts))
    return [f"{name} ({k})" if names.count(name) > 1 else name for k, name in enumerate(names, 1)]


SHORT = {
    "hidden_size": "H = {}",
    "layers": "{} layers",
    "clip_norm": "clipped at {}",
    "clip_value": "each clipped at {}",
    "learning_rate": "η = {}",
    "spectral_radius": "ρ = {}",
    "bptt_window": "cut every {}",
}
OFF = {"clip_norm": "not clipped", "clip_value": "not clipped one by one", "bptt_window": "never cut"}


def _said(name: str, value: Any) -> str:
    setting = SETTINGS[name]
    if isinstance(value, bool):
        return setting.label.lower() if value else f"no {setting.label.lower()}"
    if setting.choices is not None:
        return setting.choices[value].split(" (")[0]
    if not value and name in OFF:
        return OFF[name]
    if name == "layers" and value == 1:
        return "1 layer"
    shown = setting.zero if setting.zero and not value else f"{value:.3g}"
    return SHORT[name].format(shown) if name in SHORT else f"{setting.label.lower()} {shown}"


def in_common(lanes: Sequence[Experiment]) -> str:
    """What all lanes have that a newcomer's network has not, for the line above them; may be empty."""
    parts = []
    for name, setting in SETTINGS.items():
        values = {getattr(lane, name) for lane in lanes}
        applies = name not in SHARED and name != "cell" and all(setting.applies(lane) for lane in lanes)
        if applies and len(values) == 1 and (value := values.pop()) != default_of(name, lanes[0].task):
            parts.append(_said(name, value))
    return ", ".join(parts)


def unique(sentences: Sequence[str]) -> list[str]:
    """In order, each once: lanes often have the same to say."""
    return list(dict.fromkeys(sentences))


def _choice(name: str, text: str, known: Mapping[str, Any], default: Any, notices: list[str]) -> Any:
    if text in known:
        return known[text]
    notices.append(f"`{name}` must be one of {', '.join(known)}. Got {_short(text)}.")
    return default


def _number(name: str, text: str, low: int, high: int, notices: list[str]) -> int:
    try:
        value = float(text[:20])
        kept = int(min(max(round(value), low), high))
    except (ValueError, OverflowError):
        value, kept = float("nan"), int(getattr(Setup, name))
    if kept != value:
        notices.append(
            f"`{name}` must be a whole number between {low} and {high}. Got {_short(text)}. Using {kept} instead."
        )
    return kept


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:37]}...")
