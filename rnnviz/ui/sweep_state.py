"""What the page Sweep shows, as one linkable value. A link is read as kindly as possible: see `Plan.from_query`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from rnnviz.errors import RnnvizError
from rnnviz.experiment import SETTINGS, SIZES, Experiment, read_value, written
from rnnviz.ui.sweep_measures import MEASURES

MOST_VALUES, MOST_SEEDS, MOST_LINES = 16, 20, 6
MOST_TRIALS = 400
LONGEST_HOURS = 4
VIEWS = {"lines": "Lines", "map": "Heat map"}
FIELDS = tuple(name for name in SETTINGS if name != "seed")  # that one makes the runs of a point
OWN = ("across", "by", "seeds", "measure", "view", "sweep")


@dataclass(frozen=True)
class Axis:
    """A field of `Experiment` and the values it takes."""

    field: str
    values: tuple[Any, ...]

    @property
    def text(self) -> str:
        """As a link writes it."""
        return f"{self.field}:{','.join(map(written, self.values))}"


@dataclass(frozen=True)
class Plan:
    """A whole sweep.

    Attributes:
        base: what all trials share; its seed is the first one.
        across: the field along x.
        by: a line for each value of this one, or a row of the heat map; None for a single line.
        seeds: runs of each point.
        measure: one of `MEASURES`.
        view: one of `VIEWS`.
    """

    base: Experiment
    across: Axis
    by: Axis | None = None
    seeds: int = 5
    measure: str = "success"
    view: str = "lines"

    @property
    def rows(self) -> tuple[Any, ...]:
        """The values of `by`, or one None."""
        return self.by.values if self.by else (None,)

    @property
    def size(self) -> int:
        """How many trials, those left out included."""
        return len(self.across.values) * len(self.rows) * self.seeds

    def to_query(self) -> dict[str, str]:
        """The link."""
        query = self.base.to_query() | {"across": self.across.text, "seeds": str(self.seeds), "measure": self.measure}
        swept = {self.across.field, *([self.by.field] if self.by else [])} - {"cell", "task"}
        query = {name: value for name, value in query.items() if name not in swept}
        if self.by:
            query["by"] = self.by.text
        return query | ({"view": self.view} if self.view != "lines" else {})

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> tuple[Plan, list[str]]:
        """The nearest plan to what a link asks for, and a sentence for all that could not be honoured. Never raises."""
        first = next(iter(PRESETS.values())).plan
        if not any(name in SETTINGS or name in OWN for name in query):
            base, notices, plan = first.base, list[str](), first
        else:
            base, notices = Experiment.from_query({name: text for name, text in query.items() if name in SETTINGS})
            plan = cls(base, first.across, None, seeds=first.seeds)
        notices += [
            f"{_short(name)} is nothing a sweep knows; ignored."
            for name in query
            if name not in SETTINGS and name not in OWN and not name.startswith("embed")
        ]
        for name in ("across", "by"):
            if name in query and (axis := read_axis(name, query[name], notices)) is not None:
                plan = replace(plan, across=axis) if name == "across" else replace(plan, by=axis)
        if plan.by and plan.by.field == plan.across.field:
            notices.append(f"`across` and `by` must be two fields. Got `{plan.by.field}` twice; `by` is left out.")
            plan = replace(plan, by=None)
        if "seeds" in query:
            plan = replace(plan, seeds=_seeds(query["seeds"], notices))
        plan = replace(plan, measure=_one_of("measure", query, MEASURES, plan.measure, notices))
        plan = replace(plan, view=_one_of("view", query, VIEWS, plan.view, notices))
        return plan.mended(notices), notices

    def mended(self, notices: list[str]) -> Plan:
        """The same with what cannot be shown replaced, and a sentence for it added to `notices`."""
        plan = self
        runs = grid(plan).experiments  # none where there would be far too many: that says nothing about the measure
        if runs and not any(MEASURES[plan.measure].exists(one) for one in runs):
            shown = next(name for name in ("loss", "decay") if name != plan.measure)
            notices.append(
                f"There is no {MEASURES[plan.measure].title} for this task. Showing the {MEASURES[shown].title} instead."
            )
            plan = replace(plan, measure=shown)
        if plan.view == "lines" and len(plan.rows) > MOST_LINES:
            notices.append(f"More than {MOST_LINES} lines cannot be told apart: a heat map instead.")
            plan = replace(plan, view="map")
        if plan.view == "map" and plan.by is None:
            plan = replace(plan, view="lines")
        return plan


@dataclass(frozen=True)
class Grid:
    """A plan spelled out.

    Attributes:
        points: (row, column) -> the experiments of that point, one for each seed; absent where settings do not go together.
        experiments: all of them, in the order they are to be computed: one seed of everything first.
        left_out: a sentence for each point that is absent.
    """

    points: Mapping[tuple[int, int], tuple[Experiment, ...]]
    experiments: tuple[Experiment, ...]
    left_out: tuple[str, ...]


@lru_cache(maxsize=64)
def grid(plan: Plan) -> Grid:
    """The points of a plan."""
    points: dict[tuple[int, int], tuple[Experiment, ...]] = {}
    left_out = []
    if plan.size > 4 * MOST_TRIALS:  # it will be refused; no need to make them all
        return Grid({}, (), ())
    for k, value in enumerate(plan.across.values):
        for j, row in enumerate(plan.rows):
            chosen = {plan.across.field: value} | ({plan.by.field: row} if plan.by else {})
            try:
                first = plan.base.amend(**chosen)
            except RnnvizError as error:
                said = ", ".join(f"{name} {written(one)}" for name, one in chosen.items())
                left_out.append(f"{said}: {error}")
                continue
            top = int(SETTINGS["seed"].highest)
            points[j, k] = tuple(first.amend(seed=(plan.base.seed + s) % (top + 1)) for s in range(plan.seeds))
    ordered = [runs[s] for s in range(plan.seeds) for runs in points.values()]
    return Grid(points, tuple(ordered), tuple(left_out))


def too_large(plan: Plan, seconds: float) -> str:
    """Why this sweep may not be started, or "": `seconds` is how long it would take if every run used its whole budget."""
    if plan.size > MOST_TRIALS:
        counts = [len(plan.across.values), *([len(plan.by.values)] if plan.by else []), plan.seeds]
        return (
            f"A sweep may have at most {MOST_TRIALS} runs. Got {' × '.join(map(str, counts))} = {plan.size}: choose fewer "
            "values or seeds."
        )
    if seconds > 3600 * LONGEST_HOURS:
        return (
            f"A sweep on this page may take at most {LONGEST_HOURS} hours. This one could take about {seconds / 3600:.0f}: "
            "choose shorter sequences, a smaller step budget, fewer values or seeds. `rnnviz.sweep` has no such limit."
        )
    return ""


def read_axis(name: str, text: str, notices: list[str]) -> Axis | None:
    """The axis that `Axis.text` wrote; values that cannot be honoured are left out with a sentence added to `notices`."""
    field, _, listed = text[:1000].partition(":")
    if field not in FIELDS:
        notices.append(f"`{name}` must begin with a field of Experiment other than seed. Got {_short(field)}.")
        return None
    return axis_of(field, listed, notices)


def axis_of(field: str, listed: str, notices: list[str]) -> Axis | None:
    """The axis with the values in a text such as "10, 20, 50", in ascending order if they are numbers."""
    values: list[Any] = []
    for text in filter(None, (part.strip() for part in listed.split(","))):
        try:
            value = read_value(field, text)
        except RnnvizError as error:
            notices.append(f"{error} Left out.")
            continue
        if value not in values:
            values.append(value)
    if len(values) > MOST_VALUES:
        notices.append(f"`{field}` may take at most {MOST_VALUES} values. Got {len(values)}; the first ones are kept.")
    if not values:
        notices.append(f"`{field}` needs at least one value, such as {field}:{written(example_values(field)[0])}.")
        return None
    values = values[:MOST_VALUES]
    return Axis(field, tuple(values if SETTINGS[field].choices is not None else sorted(values)))


def example_values(field: str) -> tuple[Any, ...]:
    """Values of a field to begin with: the first choices, or some spread over its ticks or its range."""
    setting, default = SETTINGS[field], Experiment.model_fields[field].default
    if isinstance(default, bool):
        return (False, True)
    if setting.choices is not None:
        return tuple(list(setting.choices)[:4])
    if setting.ticks:
        # Nobody should start with sizes that take hours.
        ticks = [tick for tick in setting.ticks if field not in (*SIZES, "steps") or tick <= 4 * default]
        every = max(1, len(ticks) // 5)
        return tuple(type(default)(tick) for tick in ticks[::every])[:MOST_VALUES]
    count = int(min(6, (setting.highest - setting.lowest) / setting.step + 1))
    span = (setting.highest - setting.lowest) / max(1, count - 1)
    spread = [setting.lowest + round(k * span / setting.step) * setting.step for k in range(count)]
    return tuple(dict.fromkeys(type(default)(round(value, 10)) for value in spread))


@dataclass(frozen=True)
class Preset:
    """A sweep worth starting.

    Attributes:
        title: of its button.
        says: one sentence on what comes out; tests/ui/test_sweep_claims.py computes what it claims.
        plan: the sweep.
    """

    title: str
    says: str
    plan: Plan


_ORDER = Experiment(task="temporal_order", steps=1000, length=50)

PRESETS = {
    "length": Preset(
        "Success against length",
        "All three cells learn to tell the order of two symbols within 20 steps. At 50 the Elman network no longer does in "
        "1,000 training steps while the GRU does, and at 100 none of them does (after Pascanu, Mikolov & Bengio 2013).",
        Plan(
            _ORDER,
            Axis("length", (10, 20, 30, 40, 50, 75, 100)),
            Axis("cell", ("rnn", "lstm", "gru")),
            seeds=8,
        ),
    ),
    "forget_bias": Preset(
        "Forget bias × length",
        "One number at the start decides how far back an LSTM learns. A gate that starts closed (−2) hardly ever solves 20 "
        "steps; with 0 most runs solve 30 and none 50; with 4 every run solves 50 and some 75.",
        Plan(
            _ORDER.amend(cell="lstm"),
            Axis("length", (20, 30, 50, 75, 100)),
            Axis("forget_bias", (-2.0, 0.0, 1.0, 2.0, 4.0)),
            view="map",
        ),
    ),
    "radius": Preset(
        "Decay against spectral radius",
        "Untrained, a linear network's gradient changes by about ρ with each step back. tanh does the same below 1 and "
        "stays near 1 above, because its states saturate; ReLU and sigmoid lie well below ρ.",
        Plan(
            Experiment(cell="rnn", initialisation="spectral", hidden_size=64, length=50, steps=1),
            Axis("spectral_radius", (0.5, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.5)),
            Axis("activation", ("linear", "tanh", "relu", "sigmoid")),
            measure="decay",
        ),
    ),
}


def _one_of(name: str, query: Mapping[str, str], known: Mapping[str, Any], otherwise: str, notices: list[str]) -> str:
    asked = query.get(name, otherwise)
    if asked in known:
        return asked
    notices.append(f"`{name}` must be one of {', '.join(known)}. Got {_short(asked)}.")
    return otherwise


def _seeds(text: str, notices: list[str]) -> int:
    try:
        asked = int(text[:20])
    except ValueError:
        asked = 0
    kept = min(max(asked, 1), MOST_SEEDS)
    if str(kept) != text.strip():
        notices.append(
            f"`seeds` must be a whole number between 1 and {MOST_SEEDS}. Got {_short(text)}. Using {kept} instead."
        )
    return kept


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:37]}...")
