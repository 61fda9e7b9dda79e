"""The parts of the page Sweep: what is swept, Start and Cancel, the picture that fills in, and every run behind it."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode, urlsplit

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from rnnviz import figures
from rnnviz.errors import RnnvizError
from rnnviz.experiment import SETTINGS, Experiment, written
from rnnviz.figures import Reference, SweepLine
from rnnviz.runs import Outcome, Progress, Sweep
from rnnviz.runs.store import key_of
from rnnviz.runs.sweeps import worth
from rnnviz.tasks import TASKS
from rnnviz.training import advance, start
from rnnviz.ui import addresses, controls, keys, session
from rnnviz.ui.plain import literal
from rnnviz.ui.playground import theme
from rnnviz.ui.resting import picture
from rnnviz.ui.server import sweeps
from rnnviz.ui.sweep_measures import MEASURES, Summary, summarise
from rnnviz.ui.sweep_state import (
    FIELDS,
    MOST_SEEDS,
    MOST_VALUES,
    PRESETS,
    VIEWS,
    Axis,
    Grid,
    Plan,
    axis_of,
    example_values,
    grid,
    too_large,
)

POLL_SECONDS = 1.0
TIMED_STEPS, TIMED_OFTEN = 5, 4
CELL_PLACES = {"rnn": 0, "lstm": 1, "gru": 2}
NOTHING = ""


@dataclass(frozen=True)
class Job:
    """What the page is about: the plan, its points, and the sweep that computes them.

    Attributes:
        refused: why it may not be started, or "".
        sweep: None where it was refused for its size.
        seconds: how long it would take if every run used its whole budget.
    """

    plan: Plan
    grid: Grid
    refused: str
    sweep: Sweep | None
    seconds: float


# State


def current() -> Plan:
    """What this session looks at: what it had, or what its link says if somebody else wrote that."""
    query = st.query_params.to_dict()
    if "sweep_plan" in st.session_state and addresses.is_ours("sweep", query):
        held: Plan = st.session_state.sweep_plan
        return held
    plan, said = Plan.from_query(query)
    _become(plan, said)
    if (running := sweeps().find(query.get("sweep", ""))) is not None and running.keys == _keys(grid(plan).experiments):
        st.session_state.sweep_held = running
    addresses.wrote("sweep", query)
    return plan


def job(plan: Plan) -> Job:
    """The sweep of this plan: the one this session holds if it is still about the same runs, else a new one."""
    spelled = grid(plan)
    seconds = _longest(spelled.experiments)
    refused = too_large(plan, seconds)
    held: Sweep | None = st.session_state.get("sweep_held")
    if plan.size > len(spelled.experiments) + plan.seeds * len(spelled.left_out) or not spelled.experiments:
        return Job(plan, spelled, refused, None, seconds)
    if held is None or held.keys != _keys(spelled.experiments):
        if held is not None:
            held.release()
        held = sweeps().create(spelled.experiments)
        st.session_state.sweep_held = held
    return Job(plan, spelled, refused, held, seconds)


@lru_cache(maxsize=64)
def _keys(experiments: tuple[Experiment, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(map(key_of, experiments)))


def write_address(job: Job) -> None:
    """Make the address bar a link to exactly this."""
    wanted = job.plan.to_query()
    if job.sweep is not None and job.sweep.begun:
        wanted["sweep"] = job.sweep.id
    if st.query_params.to_dict() != wanted:
        st.query_params.from_dict(wanted)
    addresses.wrote("sweep", wanted)


def notices(job: Job) -> None:
    """What a link asked for and could not have, which points there cannot be, and what has no effect."""
    plan, said = job.plan, list(st.session_state.sweep_notices)
    for axis in filter(None, (plan.across, plan.by)):
        runs = job.grid.experiments
        if runs and not any(SETTINGS[axis.field].applies(one) for one in runs):
            said.append(session.idle(axis.field, runs[0]))
    said += [f"Left out: {sentence}" for sentence in job.grid.left_out[:3]]
    if more := len(job.grid.left_out) - 3:
        said += [f"Left out: {more} more points."] if more > 0 else []
    if said:
        st.warning("\n\n".join(literal(sentence.replace("`", "")) for sentence in said), icon=":material/info:")
    if job.refused:
        st.error(literal(job.refused.replace("`", "")), icon=":material/block:")
    if (store := sweeps().store) is not None and store.trouble:
        st.warning(literal(store.trouble), icon=":material/save:")


def _become(plan: Plan, said: Sequence[str] = ()) -> None:
    st.session_state.sweep_plan, st.session_state.sweep_notices = plan, list(said)
    st.session_state.sweep_point = None


def _change(**wanted: Any) -> None:
    said: list[str] = []
    _become(replace(st.session_state.sweep_plan, **wanted).mended(said), said)


def _change_base(name: str, key: str) -> None:
    plan: Plan = st.session_state.sweep_plan
    wanted = {name: st.session_state[key]}
    try:
        base, said = plan.base.switch(**wanted) if wanted.keys() & {"cell", "task"} else (plan.base.amend(**wanted), [])
    except RnnvizError as error:
        st.session_state.sweep_notices = str(error).splitlines()
        return
    said = list(said)
    _become(replace(plan, base=base).mended(said), said)


# Sidebar: what is swept


def sidebar(plan: Plan) -> None:
    """The two fields and their values, seeds and measure; below, everything that all runs share."""
    with st.sidebar:
        st.markdown("##### What is swept")
        _axis("across", plan.across, "Along the x axis", plan.by.field if plan.by else NOTHING)
        _axis("by", plan.by, "A line (or row) for each", plan.across.field)
        _control(
            st.slider, "seeds", plan.seeds, "Runs of each point", 1, MOST_SEEDS,
            help="Seeds: each run has other initial weights and other examples. More runs make the interval narrower, "
            "and the sweep longer in proportion.",
        )  # fmt: skip
        known = [name for name, one in MEASURES.items() if any(map(one.exists, grid(plan).experiments[:64]))]
        _control(
            st.selectbox, "measure", plan.measure, "Shown", known if plan.measure in known else [*known, plan.measure],
            format_func=lambda name: MEASURES[name].title, help=MEASURES[plan.measure].help,
        )  # fmt: skip
        if plan.by is not None:
            _control(
                st.segmented_control, "view", plan.view, "As", list(VIEWS), format_func=VIEWS.__getitem__, required=True,
                help="Lines show the spread over the seeds; a heat map shows more values at once. Neither computes anything "
                "anew.",
            )  # fmt: skip
        swept = {plan.across.field, *([plan.by.field] if plan.by else [])}
        controls.fields(plan.base, _change_base, without=swept)


def _control(make: Any, name: str, value: Any, label: str, *args: Any, **more: Any) -> None:
    key = keys.shown("sweep", f"{name}_control")
    st.session_state[key] = value
    make(label, *args, key=key, on_change=_set, args=(name, key), **more)


def _set(name: str, key: str) -> None:
    if not keys.is_old("sweep", key):
        _change(**{name: st.session_state[key]})


def _axis(which: str, axis: Axis | None, label: str, taken: str) -> None:
    field_key, values_key = keys.shown("sweep", f"{which}_field"), keys.shown("sweep", f"{which}_values")
    offered = [*([NOTHING] if which == "by" else []), *(name for name in FIELDS if name != taken)]
    st.session_state[field_key] = axis.field if axis else NOTHING
    st.selectbox(
        label, offered, key=field_key, on_change=_set_field, args=(which, field_key),
        format_func=lambda name: SETTINGS[name].label if name else "nothing: a single line",
        help="Any setting of an experiment. All others are the same in every run, and stand below. "
        + (SETTINGS[axis.field].help if axis else ""),
    )  # fmt: skip
    if axis is None:
        return
    setting = SETTINGS[axis.field]
    if setting.choices is not None:
        st.session_state[values_key] = list(axis.values)
        st.multiselect(
            f"Values of {setting.label.lower()}", list(setting.choices), key=values_key, on_change=_set_values,
            args=(which, values_key), format_func=setting.choices.__getitem__, max_selections=MOST_VALUES, help=setting.help,
        )  # fmt: skip
    else:
        st.session_state[values_key] = ", ".join(map(written, axis.values))
        bounds = (
            "true or false"
            if isinstance(axis.values[0], bool)
            else f"numbers between {setting.lowest:g} and {setting.highest:g}"
        )
        st.text_input(
            f"Values of {setting.label.lower()}" + (f" ({setting.unit})" if setting.unit else ""), key=values_key,
            on_change=_set_values, args=(which, values_key), max_chars=200,
            help=f"Separated by commas: {bounds}, at most {MOST_VALUES} of them.",
        )  # fmt: skip


def _set_field(which: str, key: str) -> None:
    if keys.is_old("sweep", key):
        return
    field = st.session_state[key]
    axis = Axis(field, example_values(field)) if field else None
    _change(**{which: axis})


def _set_values(which: str, key: str) -> None:
    plan: Plan = st.session_state.sweep_plan
    axis: Axis | None = getattr(plan, which)
    if axis is None or keys.is_old("sweep", key):
        return
    given, said = st.session_state[key], list[str]()
    found = axis_of(axis.field, given if isinstance(given, str) else ",".join(given), said) or axis
    _become((replace(plan, across=found) if which == "across" else replace(plan, by=found)).mended(said), said)


# Presets and transport


def presets(job: Job) -> None:
    """Sweeps worth starting, and what comes out of the chosen one."""
    chosen = next((name for name, preset in PRESETS.items() if _same_runs(preset.plan, job.plan)), None)
    st.session_state.sweep_preset = chosen
    st.pills(
        "A sweep", list(PRESETS), key="sweep_preset", label_visibility="collapsed", on_change=_take_preset,
        format_func=lambda name: PRESETS[name].title,
    )  # fmt: skip
    if chosen is not None:
        st.markdown(PRESETS[chosen].says)


def _same_runs(one: Plan, other: Plan) -> bool:
    return grid(one).experiments == grid(other).experiments


def _take_preset() -> None:
    if (name := st.session_state.sweep_preset) is not None:
        keys.afresh("sweep")
        keys.afresh("control")
        _become(PRESETS[name].plan)


def transport(job: Job) -> None:
    """Start, Cancel or Resume; the link; how many runs and how long."""
    sweep = job.sweep
    progress = sweep.poll() if sweep is not None else Progress("ready", 0, job.plan.size, 0, None)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if progress.status == "running":
            st.button(
                "Cancel", key="sweep_cancel", type="primary", icon=":material/stop:", on_click=_cancel, width=120,
                help="Stops within a moment. What has been computed stays, and Resume goes on.",
            )  # fmt: skip
        else:
            again = progress.status == "finished" and progress.failed
            st.button(
                "Try again" if again else "Resume" if progress.done and progress.status != "finished" else "Start",
                key="sweep_start", type="primary", icon=":material/play_arrow:", on_click=_start, width=120,
                disabled=bool(job.refused) or sweep is None or (progress.status == "finished" and not again),
                help=job.refused or ("Every run of this sweep has its result." if progress.status == "finished" else None),
            )  # fmt: skip
        with st.popover("Share", icon=":material/link:"):
            st.code(_link(job.plan), language=None, wrap_lines=True)
            st.caption("Opens exactly this sweep. What this server has computed of it is there at once.")
        if progress.status != "running":
            st.markdown(_beforehand(job, progress))


def _start() -> None:
    st.session_state.sweep_held.start()


def _cancel() -> None:
    st.session_state.sweep_held.cancel()


def _beforehand(job: Job, progress: Progress) -> str:
    """How many runs, and how long they may take."""
    if job.sweep is None or job.refused:
        return ""
    if progress.status == "finished":
        spent = sum(one.seconds for one in job.sweep.outcomes if one is not None)
        return f"**All {progress.all} runs are done**, {_time(spent)} of computing."
    whole = sum(map(worth, job.sweep.experiments))
    left = sum(
        worth(one) for one, found in zip(job.sweep.experiments, job.sweep.outcomes, strict=True) if found is None
    )
    most = _time(job.seconds * left / whole)
    said = f"**{progress.done} of {progress.all} runs done.** The rest takes" if progress.done else (
        f"**{progress.all} runs**: it takes"
    )  # fmt: skip
    return f"{said} at most about {most} here, less where runs solve their task before their budget ends."


def _longest(experiments: tuple[Experiment, ...]) -> float:
    """Seconds, on all places of this server, if every run uses its whole budget."""
    places = sweeps().engine.places
    return sum(worth(one) * _seconds_a_worth(one.cell) for one in experiments) / places


@lru_cache(maxsize=64)
def _seconds_a_worth(cell: str) -> float:
    """What a unit of `worth` takes here: a few steps of an ordinary network with this cell, timed.

    The fastest of a few attempts: it is kept for as long as the server runs, and one alone may have waited for others.
    """
    usual = Experiment(cell=cell)
    warm = advance(start(usual), 1, record_last=False)
    fastest = min(advance(warm.checkpoint, TIMED_STEPS, record_last=False).seconds for _ in range(TIMED_OFTEN))
    return fastest / TIMED_STEPS / worth(usual.amend(steps=1))


def _time(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} hours"


def _link(plan: Plan) -> str:
    return f"{_here('sweep')}?{urlencode(plan.to_query())}"


def _here(page: str) -> str:
    """The absolute address of one of this server's pages."""
    parts = urlsplit(st.context.url or "")
    folder = parts.path.rsplit("/", 1)[0]
    return f"{parts.scheme}://{parts.netloc}{folder}/{page}" if parts.netloc else f"/{page}"


# Results


def results(job: Job) -> None:
    """The picture and the runs, looked at again and again while they arrive."""
    sweep = job.sweep
    if sweep is None:
        return
    status = sweep.poll().status

    @st.fragment(run_every=POLL_SECONDS if status == "running" else None)
    def live() -> None:
        progress = sweep.poll()
        if progress.status != status:
            st.rerun()
        if status == "running":
            left = "" if progress.seconds_left is None else f" · about {_time(progress.seconds_left)} left"
            st.progress(progress.done / progress.all, f"{progress.done} of {progress.all} runs done{left}")
        if progress.failed:
            failed = next(one.failed for one in sweep.outcomes if one is not None and one.failed)
            st.warning(literal(f"{progress.failed} runs have no result. {failed}"), icon=":material/error:")
        points = _points(job, sweep)
        _picture(job, points)
        _chosen(job, points)
        _table(job, points)

    live()


Points = Mapping[tuple[int, int], list[Outcome | None]]


def _points(job: Job, sweep: Sweep) -> Points:
    found = dict(zip(sweep.keys, sweep.outcomes, strict=True))
    return {at: [found[key] for key in _keys_of(runs)] for at, runs in job.grid.points.items()}


@lru_cache(maxsize=1024)
def _keys_of(runs: tuple[Experiment, ...]) -> tuple[str, ...]:
    return tuple(map(key_of, runs))


def value_title(field: str, value: Any) -> str:
    """How one value of a field is called, without the field."""
    choices = SETTINGS[field].choices
    if choices is not None:
        return choices[value]
    if isinstance(value, bool):
        return "on" if value else "off"
    if not value and SETTINGS[field].zero:
        return SETTINGS[field].zero
    return f"{value:g}".replace("-", "−")


def _named(axis: Axis, value: Any) -> str:
    """A value with its field, where the value alone would not say."""
    said = value_title(axis.field, value)
    return said if SETTINGS[axis.field].choices is not None else f"{SETTINGS[axis.field].label.lower()} {said}"


def _axis_title(axis: Axis) -> str:
    setting = SETTINGS[axis.field]
    return setting.label.lower() + (f" ({setting.unit})" if setting.unit else "")


def _places(plan: Plan) -> list[int]:
    """Which lane each line is: the cells everybody knows keep theirs, as everywhere."""
    if plan.by is None or plan.by.field != "cell":
        return list(range(len(plan.rows)))
    free = [k for k in range(6) if k not in {CELL_PLACES[cell] for cell in plan.rows if cell in CELL_PLACES}]
    return [CELL_PLACES[cell] if cell in CELL_PLACES else free.pop(0) for cell in plan.rows]


def _picture(job: Job, points: Points) -> None:
    plan = job.plan
    seen = {at: summarise(plan.measure, outcomes) for at, outcomes in points.items()}
    names = [_named(plan.by, row) for row in plan.rows] if plan.by else []
    legend = figures.lanes_html(names, theme()) if names and plan.view == "lines" and _in_order(plan) else ""
    if names and plan.view == "lines" and not _in_order(plan):
        order = sorted(zip(_places(plan), names, strict=True))
        legend = figures.lanes_html([name for _, name in order], theme())
    drawn = _map(job, seen) if plan.view == "map" else _lines(job, seen)
    picture(drawn, key="sweep_picture", legend=legend, on_point=_point)


def _in_order(plan: Plan) -> bool:
    return _places(plan) == list(range(len(plan.rows)))


def _point(about: Any) -> None:
    points = {figures.point_name(*at): at for at in grid(st.session_state.sweep_plan).points}
    st.session_state.sweep_point = points.get(about)


def _told(job: Job, at: tuple[int, int], seen: Mapping[tuple[int, int], Summary]) -> str:
    """What hovering a point says."""
    plan, one = job.plan, seen.get(at)
    what = [_named(plan.across, plan.across.values[at[1]]), *([_named(plan.by, plan.rows[at[0]])] if plan.by else [])]
    lines = [", ".join(what)]
    if one is None:
        return f"{lines[0]}<br>these settings do not go together"
    if not one.done:
        return f"{lines[0]}<br>not computed yet"
    if plan.measure == "success":
        lines.append(f"{one.solved} of {one.done} runs solved it, 95 % interval {one.low:.2f} to {one.high:.2f}")
    elif np.isfinite(one.middle):
        lines.append(f"{MEASURES[plan.measure].title} {one.middle:.3g}, from {one.low:.3g} to {one.high:.3g}")
    else:
        lines.append(f"{one.solved} of {one.done} runs solved it: too few for a median")
    if one.done < one.all:
        lines.append(f"{one.all - one.done} of {one.all} runs not computed yet")
    if one.diverged:
        lines.append(f"{one.diverged} diverged")
    return "<br>".join([*lines, "click for its runs"])


def _question(plan: Plan) -> str:
    fields_ = " and ".join(SETTINGS[axis.field].label.lower() for axis in (plan.across, plan.by) if axis)
    title = MEASURES[plan.measure].title
    return f"How does the {title}{',' if ',' in title else ''} depend on {fields_}?"


def _lines(job: Job, seen: Mapping[tuple[int, int], Summary]) -> go.Figure:
    plan, measure = job.plan, MEASURES[job.plan.measure]
    columns = range(len(plan.across.values))
    lines = []
    for j, (row, place) in enumerate(zip(plan.rows, _places(plan), strict=True)):
        values = np.array([seen[j, k][:3] if (j, k) in seen else (np.nan,) * 3 for k in columns], np.float64)
        told = [_told(job, (j, k), seen) for k in columns]
        middle, low, high = values.T
        lines.append(SweepLine(_named(plan.by, row) if plan.by else measure.title, middle, low, high, told, place))
    return figures.sweep_lines(
        _ticks(plan.across),
        lines,
        x_title=_axis_title(plan.across),
        y_title=measure.title,
        question=_question(plan),
        look_for=measure.look_for,
        most=measure.most,
        references=_references(job),
        theme=theme(),
    )


def _ticks(axis: Axis) -> Sequence[Any]:
    if SETTINGS[axis.field].choices is None and not isinstance(axis.values[0], bool):
        return axis.values
    return [value_title(axis.field, value) for value in axis.values]


def _references(job: Job) -> list[Reference]:
    """What a measure is compared with, where that is the same for all lines."""
    plan = job.plan
    if plan.measure in ("decay", "decay_end"):
        return [Reference("1: neither vanishes nor explodes", np.ones(len(plan.across.values)))]
    if plan.measure not in ("loss", "accuracy"):
        return []
    found = []
    for kind in ("baseline", "threshold"):
        marks: list[set[tuple[float, str]]] = []
        for k in range(len(plan.across.values)):
            runs = [job.grid.points[j, k][0] for j in range(len(plan.rows)) if (j, k) in job.grid.points]
            yards = [
                (TASKS[one.task].baseline if kind == "baseline" else TASKS[one.task].solved)(one.setup) for one in runs
            ]
            marks.append({(yard.value, yard.name) for yard in yards if yard and yard.metric == plan.measure})
        if all(len(mark) == 1 for mark in marks):
            values = [next(iter(mark)) for mark in marks]
            name = values[-1][1] if kind == "baseline" else "solved"
            found.append(Reference(name, [value for value, _ in values], kind))
    return found


def _map(job: Job, seen: Mapping[tuple[int, int], Summary]) -> go.Figure:
    plan, measure = job.plan, MEASURES[job.plan.measure]
    assert plan.by is not None
    shape = len(plan.rows), len(plan.across.values)
    values, absent = np.full(shape, np.nan), np.ones(shape, bool)
    counts = [[""] * shape[1] for _ in plan.rows]
    for at, one in seen.items():
        values[at], absent[at] = one.middle, False
        counts[at[0]][at[1]] = f"{one.solved} of {one.done}"
    return figures.sweep_map(
        _ticks(plan.across),
        _ticks(plan.by),
        values,
        told=[[_told(job, (j, k), seen) for k in range(shape[1])] for j in range(shape[0])],
        x_title=_axis_title(plan.across),
        y_title=_axis_title(plan.by),
        value_title=measure.title,
        question=_question(plan),
        look_for="Whether colours change along a row, along a column, or along both: which of the two settings matters. "
        f"{'Dark is vanished, bright is alive. ' if measure.gradient else ''}Cells with dots are not computed yet.",
        gradient=measure.gradient,
        most=measure.most,
        absent=absent,
        written=counts if plan.measure == "success" else None,
        theme=theme(),
    )


def _chosen(job: Job, points: Points) -> None:
    """The runs of the point that was clicked, each one click away from the Playground."""
    plan, at = job.plan, st.session_state.sweep_point
    if at is None or at not in points:
        st.caption("Click a point for its runs, each of which opens in the Playground; all of them are listed below.")
        return
    seen = {at: summarise(plan.measure, points[at])}
    with st.container(border=True):
        first, *rest = _told(job, at, seen).split("<br>")
        found_there = ". ".join(line for line in rest if not line.startswith("click"))
        st.markdown(f"**{literal(first[0].upper() + first[1:])}.** {literal(found_there)}")
        with st.container(horizontal=True, gap="small"):
            for run, found in zip(job.grid.points[at], points[at], strict=True):
                st.page_link(
                    "pages/playground.py", label=f"seed {run.seed}: {_verdict(found)}", icon=":material/play_circle:",
                    query_params=run.to_query(),
                )  # fmt: skip


def _verdict(found: Outcome | None) -> str:
    if found is None:
        return "not computed yet"
    if found.failed:
        return "no result"
    if found.diverged:
        return f"diverged after step {found.steps}"
    steps = "1 step" if found.steps == 1 else f"{found.steps} steps"
    return f"solved at step {found.solved_at}" if found.solved else f"not solved in {steps}"


def _table(job: Job, points: Points) -> None:
    """Every run, each with its way to the Playground, and all of it as a file."""
    plan = job.plan
    rows: list[dict[str, Any]] = []
    for (j, k), outcomes in points.items():
        for run, found in zip(job.grid.points[j, k], outcomes, strict=True):
            if found is None:
                continue
            row: dict[str, Any] = {
                SETTINGS[plan.across.field].label: value_title(plan.across.field, plan.across.values[k])
            }
            if plan.by:
                row[SETTINGS[plan.by.field].label] = value_title(plan.by.field, plan.rows[j])
            row |= {"seed": run.seed, "verdict": _verdict(found), "loss": found.loss}
            if found.accuracy is not None:
                row["accuracy"] = found.accuracy
            if found.exam is not None:
                row["exam"] = found.exam
            row |= {
                "decay, untrained": found.decay_start, "decay, end": found.decay_end, "reach, untrained": found.reach_start,
                "reach, end": found.reach_end, "seconds": found.seconds,
                "open": f"{_here('playground')}?{urlencode(run.to_query())}",
            }  # fmt: skip
            rows.append(row)
    with st.expander(f"All runs ({len(rows)})", icon=":material/table_rows:"):
        if not rows:
            st.caption("No run has ended yet.")
            return
        names = list(dict.fromkeys(name for row in rows for name in row))
        numbers = {
            name: st.column_config.NumberColumn(format="%.3g")
            for name in names
            if name.startswith(("loss", "accuracy", "exam", "decay", "seconds"))
        }
        st.dataframe(
            {name: [row.get(name) for row in rows] for name in names},
            hide_index=True,
            column_config=numbers | {"open": st.column_config.LinkColumn("Playground", display_text="open")},
            key="sweep_table",
        )
        st.download_button(
            "Download as CSV", table_text(points), "sweep.csv", "text/csv", key="sweep_csv", icon=":material/download:",
            on_click="ignore", help="One line for each run: every setting of its experiment, and every number above.",
        )  # fmt: skip


def table_text(points: Points) -> str:
    """All results as CSV: every field of each experiment, then what came of it; a number that does not exist is empty."""
    told = [field.name for field in fields(Outcome) if field.name != "experiment"]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*SETTINGS, *(f"result_{name}" if name in SETTINGS else name for name in told)])
    for outcomes in points.values():
        for found in filter(None, outcomes):
            settings = [written(getattr(found.experiment, name)) for name in SETTINGS]
            writer.writerow([*settings, *(getattr(found, name) for name in told)])
    return text.getvalue()
