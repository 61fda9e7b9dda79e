"""How every lane of a race stands, as a table and in words."""

from __future__ import annotations

import math
from html import escape

import numpy as np
import streamlit as st

from rnnviz import figures
from rnnviz.analysis.success import success_interval
from rnnviz.figures import palette
from rnnviz.runs import Race, RaceSnapshot, Standing
from rnnviz.runs.race import REACH_FRACTIONS
from rnnviz.ui.playground import theme
from rnnviz.ui.race_state import lane_names
from rnnviz.ui.readouts import shows_accuracy

TABLE_EVERY = 1.0  # seconds


def table(race: Race, shown: RaceSnapshot) -> None:
    """How every lane stands, and in one sentence what that says; anew every second while they train."""

    @st.fragment(run_every=TABLE_EVERY if shown.status in ("training", "pausing") else None)
    def rows() -> None:
        snapshot = race.poll()
        names = lane_names(race.experiments)
        st.html(table_html(race, names, snapshot.standings))
        st.markdown(verdict(race, names, snapshot))

    rows()


COLUMNS = (
    ("lane", ""),
    ("weights", "Numbers one network learns."),
    ("loss", "Mean loss of the last 100 training steps; the median seed, and from the best to the worst."),
    ("accuracy", "Share of right answers in the last 100 training steps; the median seed."),
    ("solved", "Seeds that count as solved, and the success rates these do not speak against (Wilson's 95 % interval)."),
    ("at step", "The training step from which it counts as solved; the median of the seeds that are."),
    ("after", "Seconds of computing one network took to get there, on this machine."),
    ("reaches back", "Now: steps from the last one to where the median gradient norm falls below 1 % of its largest."),
    ("per step back", "Now: the factor by which the gradient norm changes with each step back in time, by a straight line "
     "through its logarithm. 1 is a level line; .6 leaves one part in a hundred after nine steps."),
)  # fmt: skip


def table_html(race: Race, names: list[str], standings: list[Standing]) -> str:
    """The table: a row a lane, beginning with its colour and line style, so that it is the legend as well."""
    colours, several = palette(theme()), race.seeds > 1
    cell = "padding:3px 14px 3px 0;white-space:nowrap;text-align:right"
    judged = shows_accuracy(race.experiments[0])
    head = "".join(
        f'<th title="{escape(text)}" style="{cell};font-weight:400;color:{colours.muted};'
        f'{"text-decoration:underline dotted;cursor:help" if text else "text-align:left"}">{title}</th>'
        for title, text in COLUMNS
        if judged or title != "accuracy"
    )
    body = ""
    for k, (name, standing) in enumerate(zip(names, standings, strict=True)):
        T = race.experiments[k].length
        solved = f"{standing.solved}/{standing.seeds}"
        if several and not race.trained:
            solved = "not yet"
        elif several:
            low, high = success_interval(standing.solved, standing.seeds)
            solved += f" ({100 * low:.0f}–{100 * high:.0f} %)"
        elif standing.seeds == 1:
            solved = "yes" if standing.solved else "not yet" if race.clock < race.budget else "not in this budget"
        loss = number(standing.loss[1])
        if several and math.isfinite(standing.loss[1]):
            loss += f" ({number(standing.loss[0])}–{number(standing.loss[2])})"
        if standing.diverged:
            solved = f"{solved}, {len(standing.diverged)} diverged" if several else "diverged"
        values = (
            f"{standing.parameters:,}".replace(",", "\u2009"),
            loss,
            *(
                [f"{100 * standing.accuracy[1]:.3g} %" if math.isfinite(standing.accuracy[1]) else "–"]
                if judged
                else []
            ),
            solved,
            number(standing.solved_step[1], whole=True),
            f"{number(standing.solved_seconds[1])} s" if standing.solved else "–",
            f"{number(standing.reach[1], whole=True)} of {T}" if math.isfinite(standing.reach[1]) else "–",
            f"× {number(standing.decay[1])}" if math.isfinite(standing.decay[1]) else "–",
        )
        swatch = figures.lanes_html([name], theme(), first=k)
        body += f'<tr><td style="{cell};text-align:left">{swatch}</td>' + "".join(
            f'<td style="{cell}">{value}</td>' for value in values
        )
        body += "</tr>"
    return (
        f'<div style="overflow-x:auto"><table style="border-collapse:collapse;font-size:14px;line-height:20px;'
        f'font-variant-numeric:tabular-nums;color:{colours.ink}"><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def number(value: float, *, whole: bool = False) -> str:
    """Three significant digits, or a whole number; a dash for none."""
    if not math.isfinite(value):
        return "–"
    return f"{value:,.0f}".replace(",", "\u2009") if whole else f"{value:.3g}"


def verdict(race: Race, names: list[str], snapshot: RaceSnapshot) -> str:
    """What the table says, in words."""
    lanes = [(name, standing) for name, standing in zip(names, snapshot.standings, strict=True)]
    decays = [(standing.decay[1], name) for name, standing in lanes if math.isfinite(standing.decay[1])]
    broken = [f"**{name}** ({_when_broken(s)})" for name, s in lanes if s.diverged]
    if snapshot.step == 0 and not broken:
        if len(decays) < 2:
            return "Nothing is trained yet: press Start."
        (low, worst), (high, best) = min(decays), max(decays)
        return (
            f"Untrained, the gradient of **{best}** changes by × {high:.3g} with each step back, that of **{worst}** by "
            f"× {low:.3g}. Press Start: which of them learns?"
        )
    done = sorted((standing.solved_step[1], _solved(name, standing)) for name, standing in lanes if standing.solved)
    open_ = [f"**{name}**" for name, s in lanes if not s.solved and len(s.diverged) < s.seeds]
    said = []
    if done:
        said.append("Solved by " + ", ".join(text for _, text in done) + ".")
    if broken:
        said.append("Diverged: " + ", ".join(broken) + ".")
    if open_:
        ended = snapshot.step >= snapshot.budget
        said.append(("Not solved in this budget: " if ended else "Not yet: ") + ", ".join(open_) + ".")
    reaches = [
        (_usual_reach(snapshot, k), name)
        for k, (name, s) in enumerate(lanes)
        if not s.solved and len(s.diverged) < s.seeds
    ]
    if unsolved := [(reach, name) for reach, name in reaches if math.isfinite(reach)]:
        reach = max(unsolved)[0]
        furthest = " · ".join(f"**{name}**" for its, name in unsolved if its == reach)
        whose = (
            f"Of these the gradient of {furthest} reached furthest:" if len(open_) > 1 else "Its gradient reached back"
        )
        T = race.experiments[0].length
        said.append(f"{whose} {reach:.0f} of {T} steps, the median over this training.")
    return " ".join(said)


def _usual_reach(snapshot: RaceSnapshot, k: int) -> float:
    """Steps lane `k` felt back, at 1 %, as the median over all moments since the first step: a single one may be a freak."""
    column = 3 * REACH_FRACTIONS.index(0.01) + 1
    reaches = [picture.channels[f"{k}.reach"][column] for picture in snapshot.frames[1:]]
    there = [reach for reach in reaches if math.isfinite(reach)]
    return float(np.median(there)) if there else math.nan


def _when_broken(standing: Standing) -> str:
    """How many of its seeds, and when: the first half of the first's sentence."""
    sentence = standing.diverged[0]
    when = sentence[0].lower() + sentence[1:].split(";")[0].split(" (")[0].rstrip(".")
    return f"{len(standing.diverged)} of {standing.seeds} seeds, one at {when}" if standing.seeds > 1 else when


def _solved(name: str, standing: Standing) -> str:
    seeds = f", {standing.solved} of {standing.seeds} seeds" if standing.seeds > 1 else ""
    return f"**{name}** (step {number(standing.solved_step[1], whole=True)}{seeds})"
