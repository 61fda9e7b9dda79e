"""The linked pictures of a race: loss and reach of all on top, then a row a lane; all on one clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from rnnviz import figures
from rnnviz.cells import CELLS
from rnnviz.experiment import Experiment
from rnnviz.figures import Line, Theme, legend_html, palette
from rnnviz.figures.gradients import decades
from rnnviz.runs import Race, RaceSnapshot
from rnnviz.runs.race import REACH_FRACTIONS
from rnnviz.tasks import TASKS
from rnnviz.tracing import Frame
from rnnviz.ui import look
from rnnviz.ui.pictures import LOSS_NAMES, STATES, Extent, limit, whole_decades
from rnnviz.ui.playground import POLL_RESTING, POLL_TRAINING, theme
from rnnviz.ui.race_state import Setup, lane_names
from rnnviz.ui.sending import message, missing
from rnnviz.ui.stage import Card, Section, Status, feed, stage

SMALL = 180  # pixels high, a picture in a row


def pictures(race: Race, snapshot: RaceSnapshot, shown: Setup, on_rewind: Callable[[str, int], None]) -> None:
    """Loss and reach of all on top, then a row of pictures a lane; all on one clock."""
    stage(
        race.id,
        _sections(
            race.experiments,
            race.seconds > 0,
            race.budget,
            shown.fraction,
            shown.gate,
            theme(),
            _First(race.id, race.frames[0]),
            extent(snapshot),
        ),
        (),
        theme=look.variables(theme()),
        budget=race.budget,
        key="race_stage",
        words=WORDS["seconds" if race.seconds else "steps"],
        on_rewind=on_rewind,
    )  # fmt: skip
    st.html(legend_html(theme()))


WORDS = {
    "steps": {},
    "seconds": {"step": "computed, ms", "step_short": "ms"},
}


def extent(snapshot: RaceSnapshot) -> Extent:
    """What all lanes have met, in whole decades; axes are widened to it in coarse steps."""
    L = range(len(snapshot.standings))
    losses = np.stack([f.channels[f"{k}.loss"] for f in snapshot.frames for k in L])
    names = [f"{k}.gradient_{end}" for end in ("low", "high") for k in L]
    norms = [f.scalars[name] for f in snapshot.frames for name in names if name in f.scalars]
    with np.errstate(divide="ignore"):
        return Extent(whole_decades(np.log10(losses[losses > 0]), 2), whole_decades(np.array(norms), 5))


def live_feed(race: Race, shown: RaceSnapshot) -> None:
    """Poll the race and pass on what is new; runs the page again when its buttons no longer hold."""
    said = shown.status, shown.sentence, extent(shown)

    @st.fragment(run_every=POLL_TRAINING if shown.status in ("training", "pausing") else POLL_RESTING)
    def poll() -> None:
        snapshot = race.poll()
        if (snapshot.status, snapshot.sentence, extent(snapshot)) != said:
            st.rerun()
        feed(message(snapshot, _status(snapshot)), key="race_feed", on_resync=missing)

    poll()


def _status(snapshot: RaceSnapshot) -> Status:
    if snapshot.status == "failed":
        return Status("diverged", "failed")
    if snapshot.status == "finished":
        solved = all(s.solved == s.seeds for s in snapshot.standings)
        if solved:
            return Status("solved", "all solved")
        if snapshot.step < snapshot.budget:
            return Status("diverged", "all diverged")
        return Status("finished", "budget used up")
    if snapshot.status == "pausing":
        return Status("paused", "pausing…")
    return Status(snapshot.status, "", "Untrained: press Start." if snapshot.status == "ready" else "")  # type: ignore[arg-type]


@dataclass(frozen=True)
class _First:
    """The first frame of a race, told apart by the race it is of."""

    race: str
    frame: Frame = field(compare=False)


@lru_cache(maxsize=16)
def _sections(
    lanes: tuple[Experiment, ...],
    timed: bool,
    budget: int,
    fraction: float,
    gate: str,
    theme: Theme,
    first: _First,
    met: Extent,
) -> tuple[Section, ...]:
    """Drawn from the untrained networks; the feed brings them to life."""
    names, frame, L = lane_names(lanes), first.frame, len(lanes)
    task, T = TASKS[lanes[0].task], len(frame.channels["0.states.h"].T)
    title = "computing time of one network, ms" if timed else "training step"
    baseline, solved = task.baseline(lanes[0].setup), task.solved(lanes[0].setup)
    losses = np.stack([frame.channels[f"{k}.loss"] for k in range(L)])[None]
    column = 3 * REACH_FRACTIONS.index(fraction)
    reach = np.stack([frame.channels[f"{k}.reach"][column : column + 3] for k in range(L)])[None]
    top = (
        Card("loss", figures.race_losses(
            names, [0], losses, loss_name=LOSS_NAMES[task.loss],
            baseline=None if baseline is None else Line(baseline.value, baseline.name),
            threshold=Line(solved.value, solved.name) if solved is not None and solved.metric == "loss" else None,
            budget=budget, clock_title=title, extent=met.loss, theme=theme,
        )),
        Card("reach", figures.race_reach(names, [0], reach, fraction=fraction, column=column, steps=T, budget=budget,
            clock_title=title, theme=theme)),
    )  # fmt: skip
    rows = [row for k in range(L) for row in _norms(lanes[k], frame, k)]
    norms = decades(np.concatenate(rows), met.gradient)
    gated = any(CELLS[lane.cell].gates for lane in lanes)
    loudest = max(_loudest(lane, frame.channels[f"{k}.states.h"]) for k, lane in enumerate(lanes))
    marks = palette(theme).lanes
    return (
        Section("", top, sticky=True),
        *(
            Section(
                names[k],
                _row(lanes[k], frame, k, gate if gated else None, norms, loudest, theme, title),
                columns=3 if gated else 2,
                mark=marks[k],
            )
            for k in range(L)
        ),
    )


def _norms(lane: Experiment, frame: Frame, k: int) -> list[np.ndarray]:
    own = [f"{k}.grad.last.median", f"{k}.grad.{CELLS[lane.cell].carried[0]}.median"]
    return [frame.channels[name] for name in own if name in frame.channels]


def _loudest(lane: Experiment, states: np.ndarray) -> float:
    """Where the colours of hidden states end."""
    cell = CELLS[lane.cell]
    bounded = lane.activation in ("tanh", "sigmoid") if "activation" in cell.options else not cell.unbounded_gates
    return 1.0 if bounded else limit(states)


def _row(
    lane: Experiment,
    frame: Frame,
    k: int,
    gate: str | None,
    norms: tuple[int, int],
    loudest: float,
    theme: Theme,
    clock_title: str,
) -> tuple[Card, ...]:
    """Gradient × time × training, hidden states, and a gate of one lane; None where no lane has one.

    `norms` and `loudest` are where all lanes' colours end.
    """
    cell = CELLS[lane.cell]
    memory, of_last = cell.carried[0], f"{k}.grad.last.median" in frame.channels
    history = figures.gradient_training_heatmap(
        frame.channels[f"{k}.grad.last.median" if of_last else f"{k}.grad.{memory}.median"][None],
        np.array([0]), of_last_answer=of_last, name=memory, symbol=cell.symbols[memory], extent=norms, theme=theme,
    )  # fmt: skip
    history.update_layout(yaxis={"title": {"text": clock_title}})
    states = figures.unit_heatmap(
        frame.channels[f"{k}.states.h"], kind="signed",
        limit=loudest, name=STATES["h"],
        symbol=f"{cell.symbols['h']}_t", channel="states.h", theme=theme,
    )  # fmt: skip
    chosen = gate or next((block for block in cell.keepers if block in cell.gates), "")
    if chosen in cell.gates:
        signed, unbounded = chosen in cell.signed_gates, chosen in cell.unbounded_gates
        values = frame.channels[f"{k}.gates.{chosen}"]
        gates = figures.unit_heatmap(
            values, kind="signed" if signed else "positive" if unbounded else "gate",
            limit=limit(values) if unbounded else 1.0, name=chosen if signed else f"{chosen} gate",
            symbol=f"{cell.symbols[chosen]}_t", channel=f"gates.{chosen}", keeps=cell.keepers.get(chosen, 0), theme=theme,
        )  # fmt: skip
    else:
        missing = f"no {gate} gate" if gate and cell.gates else "no gate that keeps" if cell.gates else "no gates"
        gates = figures.nothing_to_show(f"{cell.title} has {missing}.", theme=theme)
    drawn = [("history", history), ("states", states), *([] if gate is None else [("gate", gates)])]
    return tuple(Card(f"{k}.{name}", _small(figures.of_lane(figure, k))) for name, figure in drawn)


def _small(figure: go.Figure) -> go.Figure:
    """One of many: less room round it, and no words below that the row above has said already."""
    margin = figure.layout.margin
    figure.update_layout(
        height=SMALL,
        margin={"l": 52, "r": 64, "t": margin.t, "b": margin.b},
        meta=dict(figure.layout.meta) | {"height": SMALL, "look_for": ""},
    )
    return figure
