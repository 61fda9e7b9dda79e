"""The parts of the State space page: recorded moments of the run, trajectories, points at rest, one unit, exponents."""

from __future__ import annotations

from collections import Counter

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from rnnviz import figures
from rnnviz.analysis import FixedPoints
from rnnviz.cells import CELLS
from rnnviz.errors import RnnvizError
from rnnviz.experiment import Experiment
from rnnviz.figures import Colouring
from rnnviz.runs import LiveRun, Snapshot
from rnnviz.tasks import TASKS
from rnnviz.ui import session, space_state
from rnnviz.ui.playground import theme
from rnnviz.ui.resting import picture
from rnnviz.ui.server import registry
from rnnviz.ui.space_state import Moment, Seen

POLL_TRAINING, POLL_RESTING = 1.0, 2.0  # seconds; a picture is drawn anew only where a moment was recorded
TRAINED = {"learning_rate": 0.01}
PRESETS: dict[str, Experiment] = {
    "Flip-flop: eight corners": Experiment(cell="gru", task="flip_flop", hidden_size=16, steps=1000, **TRAINED),
    "Latch: two wells": Experiment(cell="gru", task="latch", hidden_size=8, length=20, steps=800, **TRAINED),
    "2 units: phase portrait": Experiment(
        cell="rnn", task="latch", hidden_size=2, length=20, initialisation="identity", steps=600, **TRAINED
    ),
}
UNIT_PICTURE = "space_unit_picture"
UNIT_STYLE = f"""@media (max-width: 640px) {{{{
  .st-key-{UNIT_PICTURE} {{{{ overflow-x: auto; }}}} .st-key-{UNIT_PICTURE} .rnnviz {{{{ min-width: {{width}}px; }}}}
  .st-key-{UNIT_PICTURE} .rnnviz :is(h4, p) {{{{ position: sticky; left: 0; width: calc(100vw - 2rem); }}}} }}}}"""
NARROWEST = 13  # pixels of a letter
CLOSER = ("One unit", "Lyapunov exponents")


def current() -> LiveRun:
    """The run this session watches; a visitor who brings none and asks for nothing gets the first preset."""
    if "run" not in st.session_state and not st.query_params.to_dict():
        st.session_state.notices = []
        session.watch(registry().create(next(iter(PRESETS.values()))))
    return session.current_run()


def headline(experiment: Experiment) -> str:
    """What the page is about, for this run."""
    title = CELLS[experiment.cell].title
    return f"Where does the state of this {title} go as it learns to {TASKS[experiment.task].verb}?"


def presets(experiment: Experiment) -> None:
    """Experiments that make a point, each one click."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        for k, (name, preset) in enumerate(PRESETS.items()):
            chosen = not preset.differs_in(experiment)
            st.button(
                name, key=f"space_preset_{k}", type="secondary" if chosen else "tertiary", on_click=_open, args=(preset,),
                help="The address bar becomes the link to it.",
            )  # fmt: skip


def _open(preset: Experiment) -> None:
    for name in ("space_colour", "space_part", "space_axes", "space_held", "space_sort", "space_unit"):
        st.session_state.pop(name, None)
    session.open_experiment(preset)


# The run


def progress(run: LiveRun, shown: Snapshot) -> None:
    """How far training is, in a line that is kept up to date and keeps the run awake; a new moment redraws the page."""
    drawn = _drawn(shown)
    training = shown.status in ("training", "pausing")

    @st.fragment(run_every=POLL_TRAINING if training else POLL_RESTING)
    def poll() -> None:
        snapshot = run.poll()
        if _drawn(snapshot) != drawn:
            st.rerun()
        st.caption(_line(snapshot))

    poll()


def _drawn(snapshot: Snapshot) -> tuple[object, ...]:
    """What the page outside the line depends on. At rest the newest step is one of the moments."""
    training = snapshot.status == "training"
    return (
        snapshot.id, snapshot.epoch, snapshot.status, snapshot.sentence, snapshot.experiment,
        tuple(snapshot.rewindable_to), None if training else snapshot.step,
    )  # fmt: skip


def _line(snapshot: Snapshot) -> str:
    said = f"Training step {_count(snapshot.step)} of {_count(snapshot.experiment.steps)}"
    mean = snapshot.series["loss_mean"]
    if len(mean):
        said += f" · loss {float(mean[-1]):.3g}"
    baseline = TASKS[snapshot.experiment.task].baseline(snapshot.experiment.setup)
    if baseline is not None:
        said += f" ({baseline.name} scores {baseline.value:.3g})" if baseline.metric == "loss" else ""
    if snapshot.solved_at is not None:
        return f"{said} · solved at step {_count(snapshot.solved_at)}"
    return said + (" · untrained: press Train" if snapshot.status == "ready" else "")


def _count(steps: int) -> str:
    return f"{steps:,}".replace(",", " ")


def _moments(run: LiveRun, snapshot: Snapshot) -> tuple[Moment, ...]:
    """The kept checkpoints; the newest as well once it stays the newest."""
    found = run.checkpoints
    if snapshot.status == "training":
        found = [c for c in found if c.step in set(snapshot.rewindable_to)] or found[:1]
    return tuple(Moment(checkpoint) for checkpoint in found)


def _scrubber(run: LiveRun, moments: tuple[Moment, ...]) -> Moment:
    """The chosen moment; the newest until a visitor chooses another."""
    steps = [moment.step for moment in moments]
    of_run, wanted = st.session_state.get("space_at", ("", None))
    if of_run != run.id:
        wanted = None  # chosen in another run
    at = steps[-1] if wanted is None else max((step for step in steps if step <= wanted), default=steps[0])
    if len(steps) < 2:
        st.caption("Here you will scrub through training: moments are recorded while the network learns.")
        return moments[0]
    # Another list of steps is another slider: what the browser still says of the old one must not move this one.
    key = "space_step_" + "_".join(map(str, steps))
    st.session_state[key] = at
    st.select_slider(
        "Training step", steps, key=key, on_change=_scrubbed, args=(run.id, key, steps[-1]), format_func=_count,
        help="Recorded moments of this run. The axes below are fitted once to all of them, so nothing turns as you move.",
    )  # fmt: skip
    return moments[steps.index(at)]


def _scrubbed(run: str, key: str, newest: int) -> None:
    session.heard()
    at = st.session_state[key]
    st.session_state.space_at = (run, None if at == newest else at)


# The pictures


def pictures(run: LiveRun, snapshot: Snapshot) -> None:
    """Everything below the line."""
    experiment = snapshot.experiment
    if sentence := space_state.problem(experiment):
        st.info(sentence)
        return
    moments = _moments(run, snapshot)
    moment = _scrubber(run, moments)
    left, right = st.columns([2.3, 1], gap="medium")
    flat = _is_plane(experiment)
    with right:
        colouring = _colour_control(experiment)
        part = _part_control(experiment, flat)
        shown = 2 if flat else _axes_control(experiment, len(space_state.parts(experiment)[part]))
        held = _held_control(experiment)
        found = _points(moment, held[1])
    try:
        axes = _steady(run, moments, part, shown)
    except RnnvizError as error:
        st.info(f"{error} Rewind, and clip or take smaller steps.")
        return
    with left:
        figure = _plane(moment, axes, colouring, held) if flat else _space(moment, axes, colouring, shown)
        if found is not None:
            at = found.states[:, axes.columns] if flat else space_state.scores(axes, found.states, shown)
            away = (np.abs(found.eigenvalues) > 1).sum(1)
            figures.mark_fixed_points(figure, at, space_state.kinds(found), q=found.q, pushes=away, theme=theme())
        figure.update_layout(uirevision=f"{run.id} {part} {shown}")
        picture(figure, key="space_picture")
    _closer(moments, moment)


def _steady(run: LiveRun, moments: tuple[Moment, ...], part: str, shown: int) -> Seen:
    """The axes, turned to continue those this session saw before of the same run: a new moment must not spin them."""
    which = (run.id, part, shown)
    known: tuple[object, tuple[Moment, ...], Seen] | None = st.session_state.get("space_before")
    axes = space_state.seen(moments, part, shown)
    if known is not None and known[0] == which:
        axes = known[2] if known[1] == moments else axes.continuing(known[2])
    st.session_state.space_before = (which, moments, axes)
    return axes


def _is_plane(experiment: Experiment) -> bool:
    """Whether the whole state is two numbers, which need no projection."""
    return experiment.layers == 1 and len(CELLS[experiment.cell].carried) * experiment.hidden_size == 2


def _colour_control(experiment: Experiment) -> Colouring:
    options = space_state.colourings(experiment)
    if st.session_state.get("space_colour") not in options:
        st.session_state.space_colour = next(iter(options))
    name = st.selectbox(
        "Colour by", list(options), key="space_colour", on_change=session.heard,
        help="Each dot is one moment of one example: coloured by the time step, by the answer wanted then, or by what is "
        "read then.",
    )  # fmt: skip
    return options[name]


def _part_control(experiment: Experiment, flat: bool) -> str:
    """Which numbers of the state are seen."""
    options = space_state.parts(experiment)
    if st.session_state.get("space_part") not in options:
        st.session_state.space_part = next(iter(options))
    if flat or len(options) == 1:
        return next(iter(options))
    chosen = st.segmented_control(
        "State", list(options), key="space_part", required=True, on_change=session.heard,
        help=f"One step of this cell hands on {' and '.join(CELLS[experiment.cell].carried)}: together they are its state. "
        "Fixed points and exponents are always those of the whole state.",
    )  # fmt: skip
    return chosen or next(iter(options))


def _axes_control(experiment: Experiment, width: int) -> int:
    if width < 3:
        return 2
    task = TASKS[experiment.task]
    # Three independent answers need three directions.
    usual = 3 if task.loss == "mse" and len(task.output_names) >= 3 else 2
    if st.session_state.get("space_axes") is None:
        st.session_state.space_axes = usual
    chosen = st.segmented_control(
        "Axes", [2, 3], key="space_axes", format_func=lambda k: f"{k}-D", required=True, on_change=session.heard,
        help="Principal components of the state, at all recorded moments together: the directions in which it spreads most. "
        "While new moments come in they are turned, within the same plane or space, to stay where they were.",
    )  # fmt: skip
    return chosen or usual


def _held_control(experiment: Experiment) -> tuple[str, tuple[float, ...]]:
    options = space_state.held_inputs(experiment)
    if st.session_state.get("space_held") not in options:
        st.session_state.space_held = next(iter(options))
    name = st.selectbox(
        "Input held at", list(options), key="space_held", on_change=session.heard,
        help="Where a state rests depends on what is read: the input stands still at this value while rest is looked for.",
    )  # fmt: skip
    return name, options[name]


def _points(moment: Moment, held: tuple[float, ...]) -> FixedPoints | None:
    """The switch that looks for fixed points, and what was found in words."""
    st.toggle(
        "Find fixed points", key="space_points", on_change=session.heard,
        help="Fixed point: a state that one step leaves where it is, while the input is held. Found by minimising "
        "q = ½‖F(s) − s‖² from many starts (Sussillo & Barak 2013). Stable if all eigenvalues of the Jacobian lie inside "
        "the unit circle.",
    )  # fmt: skip
    if not st.session_state.space_points:
        st.caption("Where would the state rest if the input stood still? Takes a second or so.")
        return None
    try:
        with st.spinner("Looking for states at rest …"):
            found = space_state.resting(moment, held)
    except RnnvizError as error:
        st.info(str(error))
        return None
    count = Counter(space_state.kinds(found))
    marks = {"stable": "●", "saddle": "◇", "unstable": "○", "slow": "✚"}
    lines = [
        f"{marks[kind]} **{count[kind]} {kind}**: {does}" for kind, (_, does) in figures.POINTS.items() if count[kind]
    ]
    st.markdown("  \n".join([f"At step {_count(moment.step)}:", *lines]) if lines else "None found.")
    lost = f" {found.unsettled} starts led to neither." if found.unsettled else ""
    st.caption(f"A search from {space_state.starts(moment.experiment)} starts may miss some.{lost}")
    return found


def _space(moment: Moment, axes: Seen, colouring: Colouring, components: int) -> go.Figure:
    draw = figures.trajectories_3d if components == 3 else figures.trajectories_2d
    return draw(
        space_state.scores(axes, space_state.states(moment), components),
        colouring,
        half=axes.half,
        explained=[float(share) for share in axes.projection.explained],
        principal=not axes.turned,
        theme=theme(),
    )


def _plane(moment: Moment, axes: Seen, colouring: Colouring, held: tuple[str, tuple[float, ...]]) -> go.Figure:
    reach = max(1.1, 1.1 * axes.reach)
    names = space_state.unit_names(moment.experiment)
    return figures.phase_portrait(
        (-reach, reach),
        space_state.moves(moment, held[1], reach),
        space_state.states(moment),
        colouring,
        names=(names[0], names[1]),
        held=held[0],
        theme=theme(),
    )


# Closer


def _closer(moments: tuple[Moment, ...], moment: Moment) -> None:
    """One of two, so that only what is looked at is computed."""
    if st.session_state.get("space_closer") is None:
        st.session_state.space_closer = CLOSER[0]
    chosen = st.segmented_control(
        "Look closer at", list(CLOSER), key="space_closer", required=True, on_change=session.heard,
        help="One unit along a sequence, or how fast neighbouring states part or meet at every recorded moment.",
    )  # fmt: skip
    if chosen == CLOSER[0]:
        _unit(moments, moment)
    else:
        _exponents(moments)


def _unit(moments: tuple[Moment, ...], moment: Moment) -> None:
    experiment = moment.experiment
    followed = space_state.followed(moment)
    names = space_state.unit_names(experiment)
    if st.session_state.get("space_sort") not in followed.names:
        st.session_state.space_sort = followed.names[0]
    columns = st.columns(3, gap="medium")
    with columns[0]:
        sort = st.selectbox(
            "Sort units by what they track", followed.names, key="space_sort", on_change=_sorted_anew,
            help="The units that follow this quantity most closely come first: by the correlation r over all examples and "
            "steps. It sees straight lines only, and it is no cause.",
        )  # fmt: skip
    place = followed.names.index(sort)
    r = followed.correlations[:, place]
    order = [names[k] for k in np.argsort(-np.abs(r), kind="stable")]
    if st.session_state.get("space_unit") not in order:
        st.session_state.space_unit = order[0]
    with columns[1]:
        unit = st.selectbox(
            "Unit", order, key="space_unit", on_change=session.heard,
            format_func=lambda name: f"{name.replace('_', ' ')}   r = {r[names.index(name)]:.2f}".replace("-", "−"),
            help="One number of the top layer's state, with its correlation r to the quantity beside it.",
        )  # fmt: skip
    place_of_unit = space_state.top(experiment)[names.index(unit)]
    values = space_state.states(moment)[..., place_of_unit]  # (T, S)
    # One scale for all moments; not for all units: beside a loud one this one would look as if it did nothing.
    reach = max(float(np.nanmax(np.abs(space_state.states(one)[..., place_of_unit]))) for one in moments)
    S = values.shape[1]
    st.session_state.space_example = min(st.session_state.get("space_example", 1), S)
    with columns[2]:
        example = st.number_input(
            "Example", 1, S, key="space_example", on_change=session.heard,
            help="Which of the task's fixed examples is read.",
        )  # fmt: skip
    # On a phone a letter needs its room: the picture is then wider than the screen, and slides.
    st.html(f"<style>{UNIT_STYLE.format(width=NARROWEST * len(values) + 90)}</style>")
    along, quantity = values[:, example - 1], followed.values[:, example - 1, place]
    picture(
        figures.unit_over_sequence(
            along,
            name=unit,
            symbols=space_state.symbols(experiment, example - 1),
            tracked=_scaled(quantity, values, followed.values[..., place]) if r.any() else None,
            tracked_name=sort,
            limit=max(1.0, reach),
            theme=theme(),
        ),
        key=UNIT_PICTURE,
    )


def _sorted_anew() -> None:
    session.heard()
    st.session_state.pop("space_unit", None)


def _scaled(quantity: np.ndarray, values: np.ndarray, quantities: np.ndarray) -> np.ndarray | None:
    """The quantity brought to the unit's scale by the straight line that fits it best over all examples."""
    both = np.isfinite(values) & np.isfinite(quantities)
    if not both.any() or np.ptp(quantities[both]) < 1e-12:
        return None
    slope, shift = np.polyfit(quantities[both], values[both], 1)
    found: np.ndarray = slope * quantity + shift
    return found


def _exponents(moments: tuple[Moment, ...]) -> None:
    try:
        with st.spinner("Following small changes …"):
            found = np.array([space_state.exponents(moment) for moment in moments])
    except RnnvizError as error:
        st.info(str(error))
        return
    picture(
        figures.lyapunov_over_training(
            [moment.step for moment in moments],
            found,
            along=f"the task's examples, read one after another for {space_state.DRIVEN} steps",
            theme=theme(),
        ),
        key="space_exponents",
    )
