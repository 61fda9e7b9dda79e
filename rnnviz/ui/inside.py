"""The parts of "Inside the cell": which moment is looked at, its diagram, its equations in numbers, the time around it."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from rnnviz import figures
from rnnviz.analysis import Anatomy, dissect
from rnnviz.analysis.anatomy import Node, Wire
from rnnviz.cells import CELLS
from rnnviz.experiment import Experiment
from rnnviz.figures import Link, Row
from rnnviz.figures import Part as Box
from rnnviz.model import probe_batch
from rnnviz.runs import LiveRun, Snapshot
from rnnviz.tasks import TASKS
from rnnviz.tracing import Trace
from rnnviz.ui import keys, session
from rnnviz.ui.inside_state import (
    CHOICES,
    change,
    checkpoint,
    of_example,
    part_of,
    parts,
    steps_of,
    told_of,
    view,
    write_address,
)
from rnnviz.ui.pictures import STATES
from rnnviz.ui.playground import theme
from rnnviz.ui.resting import picture

SHOWN_UNITS = 64  # more rows cannot be told apart
SLIDER = 320  # pixels
LINE, TALL_LINE = 29, 50  # pixels of a line of equations, with a fraction in it
LONG_SUM = 3  # plus signs: with its numbers such a line is wider than its column
PACES = {0.5: "½", 1.0: "1", 2.0: "2"}
EARLY = 0.6  # of the time between two steps: a run of the page before that was asked for by something else
AWAY = 6.0  # seconds without a step
WHOLE = "all"  # the strip of every quantity
STYLE = """
.st-key-inside_diagram { overflow-x: auto; }
.st-key-inside_diagram > * { min-width: 760px; }
.st-key-inside_about { min-height: 2.4rem; }
.st-key-inside_equations .stMarkdown > div { width: 100%; margin: 0; align-items: flex-start; }
.st-key-inside_equations .katex { font-size: 1.02em; }
.st-key-inside_equations .katex-display { margin: 0.2em 0; text-align: left; }
.st-key-inside_equations .katex-display > .katex { text-align: left; }
@media (max-width: 640px) {
  .st-key-inside_about { min-height: 6rem; }
  .st-key-inside_diagram :is(.rnnviz-question, .rnnviz-key, .rnnviz-look) {
    position: sticky; left: 0; max-width: calc(100vw - 2rem);
  }
}
"""
GATE_WORDS = {
    "input": "how much of the candidate is written",
    "forget": "how much of the old cell state is kept",
    "output": "how much of the cell state is shown",
    "candidate": "what would be written",
    "reset": "how much of the past the candidate sees",
}
RULE_WORDS = {
    "⊙": "product, unit by unit: a factor near 0 shuts the way, forward and backward",
    "+": "sum: what comes back is passed on to every term unchanged",
    "tanh": "squashes into −1 to 1; what comes back is multiplied by its slope 1 − tanh², which is small far from 0",
    "σ": "squashes into 0 to 1; what comes back is multiplied by its slope σ(1 − σ), at most ¼",
    "1 −": "the rest to 1: where one gate opens, the other way shuts",
    "max": "the larger of two; the error goes back to that one alone",
    "÷": "quotient, unit by unit",
    "exp": "exponential: no upper bound",
    "ln": "natural logarithm",
    "relu": "0 for what is negative; nothing comes back from there",
}


def _set(name: str, key: str) -> None:
    if name == "t" and keys.is_old("inside", key):
        return
    session.heard()
    value = st.session_state[key]
    if name == "at" and value == st.session_state.run.checkpoint.step:
        value = -1  # the newest, also when there is a newer one
    change(**{name: value})


def _control(make: Any, name: str, label: str, *args: Any, help: str, **more: Any) -> None:
    """A widget that only shows what the view is: its key is set before it is drawn."""
    key = keys.shown("inside", name) if name == "t" else f"inside_{name}"  # only t is changed by other controls as well
    st.session_state[key] = getattr(view(), name)
    make(label, *args, key=key, on_change=_set, args=(name, key), help=help, **more)


# What is looked at


def which(run: LiveRun, snapshot: Snapshot) -> None:
    """Train or pause, the moment of training, the example, the layer."""
    experiment, training = snapshot.experiment, snapshot.status == "training"
    st.html(f"<style>{STYLE}</style>")
    several = len(parts(experiment)) > 1
    widths = [1.2, 3, 1.7, *([2] if several else [])]
    columns = iter(st.columns(widths, gap="medium", vertical_alignment="bottom"))
    with next(columns):
        if training:
            st.button("Pause training", key="inside_pause", icon=":material/pause:", width="stretch",
                      on_click=session.steer, args=(LiveRun.pause,))  # fmt: skip
        else:
            st.button(
                "Train", key="inside_train", icon=":material/model_training:", width="stretch",
                on_click=_train, disabled=snapshot.status in ("finished", "diverged"),
                help="Train this network further, as in the Playground, up to its step budget. Kept moments of it can be "
                "looked at here.",
            )  # fmt: skip
    with next(columns):
        steps = sorted({*snapshot.rewindable_to, run.checkpoint.step})
        if len(steps) > 1:
            shown = min(steps, key=lambda step: abs(step - checkpoint(run).step))
            st.session_state.inside_at = shown
            st.select_slider(
                "Training step", steps, key="inside_at", on_change=_set, args=("at", "inside_at"),
                help="The moments of this run whose weights are kept. The newest is shown until you choose one.",
            )  # fmt: skip
        else:
            st.caption("Untrained: its initial weights. Train it, and kept moments of its training appear here.")
    with next(columns):
        B = probe_batch(experiment).inputs.shape[1]
        _control(
            st.number_input, "example", f"Example (1 to {B})", 1, B, step=1,
            help="Which of the task’s fixed examples the network reads here. They are drawn apart from its training.",
        )  # fmt: skip
    if several:
        with next(columns):
            found = parts(experiment)
            _control(
                st.selectbox, "layer", "Layer", list(found), format_func=lambda name: found[name].title,
                help="Each is a cell with weights of its own. The lowest layer reads the input, each other one the layer "
                "below it. Where there are two halves, one reads from the beginning and one from the end. A decoder hears "
                "the symbol it said before, and what the encoder knows at its end.",
            )  # fmt: skip


def _train() -> None:
    change(at=-1)
    session.steer(LiveRun.play)


def _pace() -> float:
    kept: float = st.session_state.get("inside_kept_pace", 1.0)
    return kept


def _keep_pace() -> None:
    st.session_state.inside_kept_pace = st.session_state.inside_pace


def keep_alive(run: LiveRun, shown: Snapshot) -> None:
    """Look at the run while it trains, which keeps it going, and draw again when there is something new to see."""

    @st.fragment(run_every=1.0 if shown.status in ("training", "pausing") else None)
    def poll() -> None:
        now = run.poll()
        if now.status != shown.status or (view().at < 0 and now.rewindable_to != shown.rewindable_to):
            st.rerun()

    poll()


# Walking through the sequence


def step_by_step(run: LiveRun) -> None:
    """The diagram, the equations and the time strip of one step; moving in time redraws only these."""
    if _playing() and time.monotonic() - st.session_state.inside_moved > AWAY:
        st.session_state.inside_playing = False  # the visitor was on another page
    playing, pace = _playing(), _pace()

    @st.fragment(run_every=1 / pace if playing else None)
    def step() -> None:
        if (_playing(), _pace()) != (playing, pace):
            st.rerun()  # the clock belongs to the whole page's run
        st.session_state.inside = view().within(run.experiment)
        if playing and not _walk(run.experiment):
            st.rerun()
        if not playing:  # or every step played would be a page to go back to
            write_address(run)
        _one_step(run)

    step()


def _one_step(run: LiveRun) -> None:
    seen = checkpoint(run)
    experiment, part = seen.experiment, part_of(seen.experiment)
    told = of_example(seen, view().example)
    found = dissect(told, view().t - 1, 0, part.place, reverse=part.reverse, decoder=part.decoder)
    # What takes time comes first: elements reach the browser as they are made, and are to move together.
    diagram, strip = _drawn(told, found), _over_time(told)
    _where(experiment)
    _diagram(experiment, found, diagram)
    left, right = st.columns([1, 1.15], gap="large")
    with left:
        _equations(found)
    with right:
        _strip(experiment, strip)


def _playing() -> bool:
    found: bool = st.session_state.get("inside_playing", False)
    return found


def _ahead(experiment: Experiment) -> int:
    """The way this layer computes, or in the backward view the way its gradient runs: 1 or -1."""
    return -1 if view().backward != part_of(experiment).reverse else 1


def _walk(experiment: Experiment) -> bool:
    """One step on if it is time; whether there is a step after it."""
    if time.monotonic() - st.session_state.inside_moved > EARLY / _pace():
        _go(experiment, view().t + _ahead(experiment))
    return _playing()


def _go(experiment: Experiment, t: int) -> None:
    """Play has come to step `t`."""
    steps = steps_of(experiment, part_of(experiment), view().example)
    change(t=min(max(t, 1), steps))
    st.session_state.inside_moved = time.monotonic()
    st.session_state.inside_playing = t < steps if _ahead(experiment) > 0 else t > 1


def _play(experiment: Experiment) -> None:
    session.heard()
    if _playing():
        st.session_state.inside_playing = False
        return
    steps, ahead = steps_of(experiment, part_of(experiment), view().example), _ahead(experiment)
    begin, end = (1, steps) if ahead > 0 else (steps, 1)
    _go(experiment, begin if view().t == end else view().t + ahead)  # at the end: once more


def _move(by: int) -> None:
    session.heard()
    change(t=view().t + by)
    keys.afresh("inside")


def _where(experiment: Experiment) -> None:
    part, H = part_of(experiment), experiment.hidden_size
    steps = steps_of(experiment, part, view().example)
    way = "to the end" if _ahead(experiment) > 0 else "to the beginning"
    with st.container(horizontal=True, gap="medium", vertical_alignment="bottom"):
        with st.container(horizontal=True, gap="small", width="content"):
            st.button(
                "Back", key="inside_back", icon=":material/chevron_left:", on_click=_move, args=(-1,),
                disabled=view().t <= 1, help="One time step back.", shortcut="B",
            )  # fmt: skip
            st.button(
                "Pause" if _playing() else "Play", key="inside_play", type="primary", on_click=_play, args=(experiment,),
                icon=":material/pause:" if _playing() else ":material/play_arrow:", disabled=steps < 2, shortcut="P",
                help=f"Walk {way}, the way this layer {'sends its gradient' if view().backward else 'reads'}.", width=120,
            )  # fmt: skip
            st.button(
                "Next", key="inside_next", icon=":material/chevron_right:", on_click=_move, args=(1,),
                disabled=view().t >= steps, help="One time step forward.", shortcut="N",
            )  # fmt: skip
        st.session_state.inside_pace = _pace()
        st.segmented_control(
            "Steps a second", list(PACES), key="inside_pace", format_func=PACES.__getitem__, required=True, width=130,
            on_change=_keep_pace, help="How many time steps of the sequence Play walks in a second.",
        )  # fmt: skip
        if steps > 1:
            label = "Step t of the answer" if part.decoder else "Time step t"
            _control(st.slider, "t", label, 1, steps, help="Which step of the sequence the cell is shown at.")
    with st.container(horizontal=True, gap="medium", vertical_alignment="bottom"):
        _control(
            st.segmented_control, "direction", "Direction", list(CHOICES["direction"]), required=True, width="content",
            format_func=CHOICES["direction"].__getitem__,
            help="Forward: the values of this step. Backward: the derivative of this example’s loss with respect to each.",
        )  # fmt: skip
        if H > 1:
            _control(
                st.segmented_control, "units", "Numbers of", list(CHOICES["units"]), required=True, width="content",
                format_func=CHOICES["units"].__getitem__,
                help=f"One of the layer’s {H} units, or all of them: of a gate the mean, of anything else the root mean "
                "square.",
            )  # fmt: skip
            _control(
                st.slider, "unit", "Unit", 1, H, width=SLIDER,
                help="A layer has H units with equations of the same form. The equations below are those of this one.",
            )  # fmt: skip


# Diagram


def _all() -> bool:
    return view().units == "all"


def _is_gate(experiment: Experiment, name: str) -> bool:
    """Whether a value lies between 0 and 1."""
    cell = CELLS[experiment.cell]
    return name in cell.gates and name not in {*cell.signed_gates, *cell.unbounded_gates}


def _number(values: np.ndarray, mean: bool) -> float:
    """This unit's number; of all units the mean, or, where signs would cancel, the root mean square."""
    if not _all():
        return float(values[view().unit - 1])
    return float(values.mean() if mean else np.sqrt(np.mean(values**2)))


def _diagram(experiment: Experiment, found: Anatomy, figure: go.Figure) -> None:
    signed = "size" if _all() else "signed"
    with st.container(key="inside_diagram"):
        picture(
            figure,
            key="inside_diagram_picture",
            legend=figures.legend_html(theme(), only=(signed,) if view().backward else (signed, "gate")),
            on_point=_ask,
        )
    with st.container(key="inside_about"):
        node = next((node for node in found.nodes if node.name == st.session_state.get("inside_asked")), None)
        if node is None:
            st.caption(":material/touch_app: Click a box or a circle of the diagram for its definition.")
        else:
            st.markdown(f":material/info: {_definition(experiment, found, node)}")
    st.caption(" ".join(_how_to_read(experiment)))


def _ask(about: Any) -> None:
    session.heard()
    if isinstance(about, list) and about:
        st.session_state.inside_asked = str(about[0])


def _definition(experiment: Experiment, found: Anatomy, node: Node) -> str:
    if not node.symbol:
        return f"**{node.rule}** {RULE_WORDS.get(node.rule, 'an operation of the equations')}."
    line = next((line.latex for line in found.lines if line.name == node.name), "")
    words = _words(experiment, node.name)
    article = "" if words.startswith(("what ", "the ")) else "an " if words.startswith("abbreviation") else "the "
    return f"${node.symbol}$ is {article}{words}." + (f" &ensp; ${line}$" if line else "")


def _how_to_read(experiment: Experiment) -> list[str]:
    cell, part, H = CELLS[experiment.cell], part_of(experiment), experiment.hidden_size
    before = "t+1" if part.reverse else "t-1"
    said = []
    if part.reverse:
        said.append("This half reads from the end: its past is step t + 1, so it stands at the right.")
    if part.decoder and not part.place:
        said.append("The decoder’s input is the symbol it said before, and what the encoder knows at its end.")
    if _all():
        whose = (
            "the root mean square" if view().backward else "of a gate the mean; of anything else the root mean square"
        )
        said.append(
            f"All {H} units: {whose}, because in a mean positive and negative units would cancel. So no number has a sign "
            f"here. The equations below stay those of unit {view().unit}."
        )
    if view().backward:
        carried = " and ".join(f"${cell.symbols[name]}_{{{before}}}$" for name in cell.carried)
        said.append(
            "In the boxes: of a state at t its total gradient, every later path included; of a gate or candidate the "
            "gradient with respect to its pre-activation, what enters σ or tanh; of "
            f"{carried} what reaches this unit through this step. On a wire: what comes back along it to this unit; "
            "on a wire from $x_t$, the gradient with respect to what the input adds."
        )
    else:
        said.append(
            "Where a weight matrix lies on the way, a wire carries what it adds to this unit: its row of the matrix times "
            "all units or inputs. Where a box stands means nothing; its numbers are measured."
        )
    return said


def _drawn(told: Trace, found: Anatomy) -> go.Figure:
    experiment, backward = told.experiment, view().backward
    boxes = []
    for node in found.nodes:
        gate, is_input = _is_gate(experiment, node.name), node.name == "x"
        kind = "operation" if node.kind == "operation" else "gate" if gate else "size" if _all() else "signed"
        boxes.append(
            Box(
                node.name,
                node.symbol,
                node.rule,
                "size" if kind == "gate" and backward and _all() else kind,
                0.0 if is_input else _number(node.grad if backward else node.value, gate and not backward),
                words=RULE_WORDS.get(node.rule, "") if kind == "operation" else _words(experiment, node.name),
                text=_read(experiment, node.value) if is_input else "",
                gate=node.name if node.kind == "gate" else "",
            )
        )
    return figures.cell_diagram(
        boxes,
        [Link(wire.source, wire.target, _carries(experiment, wire)) for wire in found.wires],
        cell=experiment.cell,
        backward=backward,
        mirrored=part_of(experiment).reverse,
        sizes=_all(),
        theme=theme(),
    )


def _carries(experiment: Experiment, wire: Wire) -> float:
    gate = _is_gate(experiment, wire.source) and not view().backward
    return _number(wire.grad if view().backward else wire.value, gate)


def _read(experiment: Experiment, x: np.ndarray) -> str:
    """An input in few characters."""
    task, part = TASKS[experiment.task], part_of(experiment)
    if part.place:
        return f"{len(x)} units"
    if part.decoder:
        heard = x[: len(task.output_names)]
        before = task.output_names[int(heard.argmax())] if heard.any() else "start"
        return f"{before}, {len(x) - len(heard)} units"
    names = task.input_names
    if len(x) > 1 and sorted(x)[-1] == 1 and np.count_nonzero(x) == 1 and task.picture != "marked":
        name = names[int(x.argmax())]
        return name if len(name) < 9 else f"{name[:8]}…"
    return ", ".join(figures.short(float(value)) for value in x) if len(x) <= 2 else f"{len(x)} inputs"


def _words(experiment: Experiment, name: str) -> str:
    cell, part = CELLS[experiment.cell], part_of(experiment)
    if name == "x":
        if part.place:
            both = "both halves of the layer below say" if experiment.bidirectional and not part.decoder else ""
            return f"what {both or 'the layer below says'}"
        return "the symbol it said before, and what the encoder knows at its end" if part.decoder else "input"
    if name.startswith("past "):
        when = "one step later, where this half comes from" if part.reverse else "one step before"
        return f"{STATES.get(name[5:], 'state')} of this unit, {when}"
    if name in cell.gates:
        kind = name if name in cell.signed_gates else f"{name} gate"
        keeps = cell.keepers.get(name, 0)
        update = {1: "how much of the old state is kept", -1: "how much of the old state is replaced"}
        said = update.get(keeps, "") if name == "update" else GATE_WORDS.get(name, "")
        return f"{kind}: {said}" if said else kind
    if name in cell.states:
        return {"re": "state, real part", "im": "state, imaginary part"}.get(name, STATES.get(name, "state"))
    return "abbreviation in the equations"


# Equations


def _equations(found: Anatomy) -> None:
    alone = " alone" if _all() else ""
    st.markdown(f"**Which numbers go into the equations?** Unit {view().unit}{alone}, t = {view().t}.")
    rows = []
    for line in found.lines:
        said = line.substituted(view().unit - 1)
        rows.append(line.latex.replace("=", "&=", 1))
        if said != [line.latex.partition("=")[2].strip()]:  # m_0 is a number already
            # By the symbols: with other numbers the page must not get another height.
            lines = [said[:1], said[1:]] if line.latex.count("+") >= LONG_SUM and len(said) > 1 else [said]
            rows += [r"&= \color{gray}{" + " = ".join(parts) + "}" for parts in lines]
    body = "".join(
        row + (r" \\[0.1em] " if k + 1 < len(rows) and rows[k + 1].startswith("&") else r" \\[0.5em] ")
        for k, row in enumerate(rows)
    )
    height = 30 + sum(
        TALL_LINE if r"\frac" in row else LINE for row in rows
    )  # fixed: a scroll bar must not move the page
    with st.container(key="inside_equations", height=height, border=False):
        st.latex(rf"\begin{{aligned}} {body} \end{{aligned}}")
    st.caption(
        "Grey: the line above with this step’s numbers, 3 digits of each. A matrix times a vector is one number, this "
        "unit’s."
    )


# The time around it


def _labels(experiment: Experiment) -> dict[str, str]:
    """What the strip can show: every quantity of what is looked at, or one quantity of every unit."""
    cell = CELLS[experiment.cell]
    labels = {WHOLE: "every quantity, all units" if _all() else f"every quantity of unit {view().unit}"}
    for name in (*cell.states, *cell.gates):
        said = STATES.get(name, f"state {name}") if name in cell.states else _words(experiment, name)
        labels[name] = f"every unit’s {said}"
    return labels


def _over_time(told: Trace) -> go.Figure:
    if st.session_state.get("inside_strip") not in _labels(told.experiment):
        st.session_state.inside_strip = WHOLE
    shown = st.session_state.inside_strip
    figure = _quantities(told) if shown == WHOLE else _units(told, shown)
    if shown != WHOLE and not _all():
        figures.mark_row(figure, view().unit, theme=theme())
    if part_of(told.experiment).decoder:
        figure.update_xaxes(title_text="step <i>t</i> of the answer")
    return figures.mark_step(figure, view().t, theme=theme())


def _strip(experiment: Experiment, figure: go.Figure) -> None:
    labels = _labels(experiment)
    st.selectbox(
        "Over time", list(labels), key="inside_strip", format_func=labels.__getitem__,
        help="What the diagram shows at one step, at every step of this example: a column a time step.",
    )  # fmt: skip
    look_for = f"{figure.layout.meta['look_for']} The two lines stand at t = {view().t}."
    picture(figure, key="inside_strip_picture", look_for=look_for)


def _values(told: Trace, name: str) -> np.ndarray:
    """(t, H): values, or gradients as the diagram has them."""
    part = part_of(told.experiment)
    layer, end = told_of(told, part), steps_of(told.experiment, part, view().example)
    if view().backward:
        found = {**layer.preactivation_grads, **layer.state_grads}
    else:
        found = {**layer.gates, **layer.states}
    values: np.ndarray = found[name][:end, 0]
    return values


def _log10(sizes: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore"):
        found: np.ndarray = np.log10(np.abs(sizes))
    return found


def _quantities(told: Trace) -> go.Figure:
    experiment, cell = told.experiment, CELLS[told.experiment.cell]
    rows = []
    for name in (*cell.states, *cell.gates):
        values, gate = _values(told, name), _is_gate(experiment, name) and not view().backward
        if not _all():
            line = values[:, view().unit - 1]
        else:
            line = values.mean(1) if gate else np.sqrt(np.mean(values**2, 1))
        kind = "norm" if view().backward else "gate" if gate else "size" if _all() else "signed"
        rows.append(Row(f"{cell.symbols[name]}_t", _log10(line) if kind == "norm" else line, kind))
    who = "the layer" if _all() else "this unit"
    if view().backward:
        question = f"When does the error reach {who}?"
        look_for = "The size of each gradient: bright is alive, dark has vanished."
    else:
        question = f"What does {who} do over time?"
        look_for = "A stripe that stays is a memory; a gate that changes at one step reacts to what is read there."
    return figures.time_strip(rows, question=question, look_for=look_for, theme=theme())


def _units(told: Trace, name: str) -> go.Figure:
    """One quantity of every unit; of the units of this unit's page, where there are very many."""
    cell = CELLS[told.experiment.cell]
    first = (view().unit - 1) // SHOWN_UNITS * SHOWN_UNITS
    values = _values(told, name)[:, first : first + SHOWN_UNITS].T
    if view().backward:
        return figures.time_strip(
            [Row(f"{cell.symbols[name]}_{{{first + k + 1}}}", _log10(row), "norm") for k, row in enumerate(values)],
            question="Which units does the error reach, and when?",
            look_for="A row a unit: bright is alive, dark has vanished.",
            first=first + 1,
            theme=theme(),
        )
    signed, unbounded = name not in cell.gates or name in cell.signed_gates, name in cell.unbounded_gates
    size = float(np.abs(values[np.isfinite(values)]).max(initial=0.0))
    figure = figures.unit_heatmap(
        values,
        kind="signed" if signed else "positive" if unbounded else "gate",
        limit=1.0 if size <= 1 else math.ceil(size),
        name=name if name in cell.gates else STATES.get(name, f"state {name}"),
        symbol=f"{cell.symbols[name]}_t",
        channel=f"{'gates' if name in cell.gates else 'states'}.{name}",
        keeps=cell.keepers.get(name, 0),
        theme=theme(),
    )
    figure.update_traces(y=np.arange(first + 1, first + len(values) + 1), meta=None)
    return figure.update_yaxes(range=[first + len(values) + 0.5, first + 0.5])
