"""The parts of "Inside the cell": which moment is looked at, its diagram, its equations in numbers, the time around it."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from rnnviz import figures
from rnnviz.analysis import Anatomy, dissect
from rnnviz.cells import CELLS
from rnnviz.experiment import Experiment
from rnnviz.figures import Link, Part
from rnnviz.model import probe_batch
from rnnviz.runs import LiveRun, Snapshot
from rnnviz.tasks import TASKS
from rnnviz.tracing import LayerTrace, Trace, trace
from rnnviz.training import Checkpoint
from rnnviz.ui import session
from rnnviz.ui.pictures import STATES
from rnnviz.ui.playground import theme

OWN = ("t", "unit", "example", "layer", "at", "direction")
DIRECTIONS = {"forward": "forward", "backward": "backward"}
STALE = 3.0  # seconds for which an address that was replaced may still arrive
SHOWN_UNITS = 64  # more rows cannot be told apart
STYLE = """
.st-key-inside_diagram { overflow-x: auto; }
.st-key-inside_diagram [data-testid="stElementContainer"] { min-width: 760px; }
.st-key-inside_equations { overflow-x: auto; overflow-y: hidden; padding-bottom: 0.6rem; }
.st-key-inside_equations .katex { font-size: 1.02em; }
.st-key-inside_equations .katex-display { margin: 0.2em 0; text-align: left; }
.st-key-inside_equations .katex-display > .katex { text-align: left; }
"""
GATE_WORDS = {
    "input": "how much of the candidate is written",
    "forget": "how much of the old cell state is kept",
    "output": "how much of the cell state is shown",
    "candidate": "what would be written",
    "reset": "how much of the past the candidate sees",
}


@dataclass(frozen=True)
class View:
    """What this session looks at; all counted from 1, as the page says them. `t` and `at` 0: the last."""

    t: int = 0
    unit: int = 1
    example: int = 1
    layer: int = 0
    at: int = -1
    direction: str = "forward"

    def to_query(self) -> dict[str, str]:
        """What differs from the default, for the address."""
        plain = View()
        return {name: str(getattr(self, name)) for name in OWN if getattr(self, name) != getattr(plain, name)}

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> tuple[View, list[str]]:
        """What a link asks for, and a sentence for what it could not have."""
        found, notices = cls(), []
        for name in OWN:
            text = query.get(name, "")
            if not text:
                continue
            if name == "direction":
                if text in DIRECTIONS:
                    found = replace(found, direction=text)
                else:
                    notices.append(f"direction must be one of {', '.join(DIRECTIONS)}. Got {text[:40]!r}.")
            elif text.isascii() and text.isdigit() and len(text) < 10:
                found = replace(found, **{name: int(text)})  # type: ignore[arg-type]
            else:
                notices.append(f"{name} must be a whole number. Got {text[:40]!r}.")
        return found, notices

    def within(self, experiment: Experiment) -> View:
        """The nearest that this experiment has."""
        inputs, lengths = probe_batch(experiment).inputs, probe_batch(experiment).lengths
        T, B, _ = inputs.shape
        example = min(max(self.example, 1), B)
        steps = T if lengths is None else int(lengths[example - 1])
        return replace(
            self,
            example=example,
            t=min(self.t, steps) or min(steps, max(1, steps // 2)),
            unit=min(max(self.unit, 1), experiment.hidden_size),
            layer=min(self.layer, experiment.layers) or experiment.layers,
        )


# State


def current_run() -> LiveRun:
    """The visitor's run, and what the link says of the moment to look at."""
    own = {name: st.query_params[name] for name in OWN if name in st.query_params}
    known = "inside" in st.session_state
    run = session.current_run(OWN)
    # A request may be under way while the address changes, and then carries the one before: that is nobody going back.
    ours = [address for when, address in st.session_state.get("inside_written", []) if time.monotonic() - when < STALE]
    ours.append(st.session_state.get("inside_address", {}))
    if not known or (st.query_params.to_dict() and own not in ours):
        st.session_state.inside, notices = View.from_query(own)
        st.session_state.notices = [*st.session_state.notices, *notices]
    st.session_state.inside = view().within(run.experiment)
    return run


def view() -> View:
    """What this session looks at."""
    found: View = st.session_state.inside
    return found


def write_address(run: LiveRun) -> None:
    """Make the address bar a link to exactly this moment."""
    own = view().to_query()
    if view().layer == run.experiment.layers:
        own.pop("layer", None)
    session.write_address(run, own)
    if own != st.session_state.get("inside_address"):
        now = time.monotonic()
        written = [*st.session_state.get("inside_written", []), (now, st.session_state.get("inside_address", {}))]
        st.session_state.inside_written = [(when, address) for when, address in written if now - when < STALE]
    st.session_state.inside_address = own


def _set(name: str) -> None:
    session.heard()
    value = st.session_state[f"inside_{name}"]
    if name == "at" and value == st.session_state.run.checkpoint.step:
        value = -1  # the newest, also when there is a newer one
    st.session_state.inside = replace(view(), **{name: value})


def _move(by: int) -> None:
    session.heard()
    st.session_state.inside = replace(view(), t=view().t + by)


def _control(make: Any, name: str, label: str, *args: Any, help: str, **more: Any) -> None:
    """A widget that only shows what the view is: its key is set before it is drawn."""
    st.session_state[f"inside_{name}"] = getattr(view(), name)
    make(label, *args, key=f"inside_{name}", on_change=_set, args=(name,), help=help, **more)


def checkpoint(run: LiveRun) -> Checkpoint:
    """The kept moment of training that is looked at: the newest, unless an older one was chosen."""
    return run.checkpoint if view().at < 0 else run.checkpoint_at(view().at)


def of_example(seen: Checkpoint, example: int) -> Trace:
    """The trace of one probe example, `example` from 1; kept by what the checkpoint holds."""
    return _of_example(seen.experiment, seen.step, seen.parameters.tobytes(), example)


@lru_cache(maxsize=6)
def _of_example(experiment: Experiment, step: int, parameters: bytes, example: int) -> Trace:
    whole = trace(Checkpoint(experiment, step, np.frombuffer(parameters, np.float32), {}))
    return _one(whole, slice(example - 1, example))


def _one(whole: Trace, one: slice) -> Trace:
    """A trace of one example of the batch, in memory of its own."""
    once = TASKS[whole.experiment.task].answers == "once"

    def cut(values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {name: array[:, one].copy() for name, array in values.items()}

    def layer(of: LayerTrace) -> LayerTrace:
        return LayerTrace(
            states=cut(of.states),
            gates=cut(of.gates),
            state_grads=cut(of.state_grads),
            gate_grads=cut(of.gate_grads),
            preactivation_grads=cut(of.preactivation_grads),
            reverse=None if of.reverse is None else layer(of.reverse),
        )

    return replace(
        whole,
        inputs=whole.inputs[:, one],
        targets=whole.targets[one] if once else whole.targets[:, one],
        lengths=None if whole.lengths is None else whole.lengths[one],
        outputs=(whole.outputs[one] if once else whole.outputs[:, one]).copy(),
        losses=whole.losses[one],
        right=None if whole.right is None else whole.right[one],
        layers=[layer(of) for of in whole.layers],
        decoder=[layer(of) for of in whole.decoder],
        attention=None if whole.attention is None else whole.attention[..., one].copy(),
        last_answer_grads=cut(whole.last_answer_grads),
    )


# What is looked at


def which(run: LiveRun, snapshot: Snapshot) -> None:
    """Train or pause, the moment of training, the example, the layer."""
    experiment, training = snapshot.experiment, snapshot.status == "training"
    st.html(f"<style>{STYLE}</style>")
    columns = st.columns([1.1, 3, 2.2, 1.4], gap="medium", vertical_alignment="bottom")
    with columns[0]:
        if training:
            st.button("Pause", key="inside_pause", icon=":material/pause:", type="primary", width="stretch",
                      on_click=session.steer, args=(LiveRun.pause,))  # fmt: skip
        else:
            st.button(
                "Train", key="inside_train", icon=":material/play_arrow:", type="primary", width="stretch",
                on_click=_train, disabled=snapshot.status in ("finished", "diverged"),
                help="Train this network further, as in the Playground, up to its step budget. Kept moments of it can be "
                "looked at here.",
            )  # fmt: skip
    with columns[1]:
        steps = sorted({*snapshot.rewindable_to, run.checkpoint.step})
        if len(steps) > 1:
            shown = min(steps, key=lambda step: abs(step - checkpoint(run).step))
            st.session_state.inside_at = shown
            st.select_slider(
                "Training step", steps, key="inside_at", on_change=_set, args=("at",),
                help="The moments of this run whose weights are kept. The newest is shown until you choose one.",
            )  # fmt: skip
        else:
            st.caption("Untrained: its initial weights. Train it, and kept moments of its training appear here.")
    with columns[2]:
        B = probe_batch(experiment).inputs.shape[1]
        _control(
            st.number_input, "example", f"Example (1 to {B})", 1, B, step=1,
            help="Which of the task’s fixed examples the network reads here. They are drawn apart from its training.",
        )  # fmt: skip
    with columns[3]:
        if experiment.layers > 1:
            _control(
                st.number_input, "layer", "Layer", 1, experiment.layers, step=1,
                help="From the bottom. The lowest layer reads the input, each other one the layer below it.",
            )  # fmt: skip


def _train() -> None:
    st.session_state.inside = replace(view(), at=-1)
    session.steer(LiveRun.play)


def keep_alive(run: LiveRun, shown: Snapshot) -> None:
    """Look at the run while it trains, which keeps it going, and draw again when there is something new to see."""

    @st.fragment(run_every=1.0 if shown.status in ("training", "pausing") else None)
    def poll() -> None:
        now = run.poll()
        if now.status != shown.status or (view().at < 0 and now.rewindable_to != shown.rewindable_to):
            st.rerun()

    poll()


# One step


@st.fragment
def step_by_step(run: LiveRun) -> None:
    """The diagram, the equations and the time strip of one step; moving in time redraws only these."""
    st.session_state.inside = view().within(run.experiment)
    write_address(run)
    seen = checkpoint(run)
    told = of_example(seen, view().example)
    steps = len(told.inputs) if told.lengths is None else int(told.lengths[0])
    _where(seen.experiment, steps)
    found = dissect(told, view().t - 1, 0, view().layer - 1)
    _diagram(told, found)
    _equations(seen.experiment, found)
    _strip(told, steps)


def _where(experiment: Experiment, steps: int) -> None:
    columns = st.columns([2, 2, 3.2, 2.9], gap="medium", vertical_alignment="bottom")
    with columns[0]:
        st.session_state.inside_direction = view().direction
        st.segmented_control(
            "Direction", list(DIRECTIONS), key="inside_direction", format_func=DIRECTIONS.__getitem__, required=True,
            on_change=_set, args=("direction",),
            help="Forward: the values of this step. Backward: the derivative of this example’s loss with respect to each.",
        )  # fmt: skip
    with columns[1].container(horizontal=True, gap="small"):
        st.button(
            "Back", key="inside_back", icon=":material/chevron_left:", on_click=_move, args=(-1,), disabled=view().t <= 1,
            help="One time step back.",
        )  # fmt: skip
        st.button(
            "Next", key="inside_next", icon=":material/chevron_right:", on_click=_move, args=(1,),
            disabled=view().t >= steps, help="One time step forward.",
        )  # fmt: skip
    with columns[2]:
        if steps > 1:
            _control(st.slider, "t", "Time step t", 1, steps, help="Which step of the sequence the cell is shown at.")
    with columns[3]:
        if experiment.hidden_size > 1:
            _control(
                st.slider, "unit", "Unit", 1, experiment.hidden_size,
                help="A layer has H units with equations of the same form. The numbers are those of this one.",
            )  # fmt: skip


def _diagram(told: Trace, found: Anatomy) -> None:
    backward = view().direction == "backward"
    figure = _drawn(told, found, backward)
    st.markdown(f"**{figure.layout.meta['question']}**")
    with st.container(key="inside_diagram"):
        event = st.plotly_chart(
            figure, key="inside_diagram_picture", theme=None, config=dict(figures.PLOTLY_CONFIG), on_select="rerun",
            selection_mode="points",
        )  # fmt: skip
    cell = CELLS[told.experiment.cell]
    picked = [point["customdata"][0] for point in event["selection"]["points"] if point.get("customdata")]
    node = next((node for node in found.nodes if picked and node.name == picked[0] and node.symbol), None)
    if node is not None:
        line = next((line.latex for line in found.lines if line.name == node.name), "")
        words = _words(told.experiment, node.name)
        st.info(f"${node.symbol}$: {words}. {f'${line}$' if line else ''}", icon=":material/info:")
    st.html(figures.legend_html(theme(), only=("signed",) if backward else ("signed", "gate")))
    st.caption(figure.layout.meta["look_for"])
    if backward:
        carried = " and ".join(f"${cell.symbols[name]}_{{t-1}}$" for name in cell.carried)
        st.caption(
            "In the boxes: of a state at t its total gradient, every later step included; of a gate or candidate the "
            "gradient with respect to its pre-activation, what enters σ or tanh; of "
            f"{carried} what reaches this unit through this step. On a wire: what comes back along it to this unit; "
            "on a wire from $x_t$, the gradient with respect to what the input adds."
        )
    else:
        st.caption(
            "Where a weight matrix lies on the way, a wire carries what it adds to this unit: its row of the matrix times "
            "all units or inputs. Biases are in the equations below. Where a box stands means nothing; its numbers are "
            "measured. Click a box for its definition."
        )


def _drawn(told: Trace, found: Anatomy, backward: bool) -> go.Figure:
    experiment, unit = told.experiment, view().unit - 1
    cell = CELLS[experiment.cell]
    parts = []
    for node in found.nodes:
        unsigned = node.name in cell.gates and node.name not in {*cell.signed_gates, *cell.unbounded_gates}
        is_input = node.name == "x"
        parts.append(
            Part(
                node.name,
                node.symbol,
                node.rule,
                "operation" if node.kind == "operation" else "gate" if unsigned else "signed",
                0.0 if is_input else float((node.grad if backward else node.value)[unit]),
                words="" if node.kind == "operation" else _words(experiment, node.name),
                text=_read(experiment, node.value) if is_input else "",
                gate=node.name if node.kind == "gate" else "",
            )
        )
    links = [Link(w.source, w.target, float((w.grad if backward else w.value)[unit])) for w in found.wires]
    return figures.cell_diagram(parts, links, cell=experiment.cell, backward=backward, theme=theme())


def _read(experiment: Experiment, x: np.ndarray) -> str:
    """An input in few characters."""
    names = TASKS[experiment.task].input_names
    if view().layer > 1:
        return f"{len(x)} units"
    if len(x) > 1 and sorted(x)[-1] == 1 and np.count_nonzero(x) == 1 and TASKS[experiment.task].picture != "marked":
        name = names[int(x.argmax())]
        return name if len(name) < 9 else f"{name[:8]}…"
    return ", ".join(figures.short(float(value)) for value in x) if len(x) <= 2 else f"{len(x)} inputs"


def _words(experiment: Experiment, name: str) -> str:
    cell = CELLS[experiment.cell]
    if name == "x":
        return "input" if view().layer <= 1 else "what the layer below says"
    if name.startswith("past "):
        return f"{STATES.get(name[5:], 'state')} of this unit, one step before"
    if name in cell.gates:
        kind = name if name in cell.signed_gates else f"{name} gate"
        keeps = cell.keepers.get(name, 0)
        update = {1: "how much of the old state is kept", -1: "how much of the old state is replaced"}
        said = update.get(keeps, "") if name == "update" else GATE_WORDS.get(name, "")
        return f"{kind}: {said}" if said else kind
    if name in cell.states:
        return {"re": "state, real part", "im": "state, imaginary part"}.get(name, STATES.get(name, "state"))
    return "abbreviation in the equations"


def _equations(experiment: Experiment, found: Anatomy) -> None:
    st.markdown(f"**Which numbers go into the equations?** Unit {view().unit}, t = {view().t}.")
    rows = []
    for line in found.lines:
        rows.append(line.latex.replace("=", "&=", 1))
        if not line.latex.startswith("m_0"):
            rows.append(r"&= \color{gray}{" + " = ".join(line.substituted(view().unit - 1)) + "}")
    body = "".join(
        row + (r" \\[0.1em] " if k + 1 < len(rows) and rows[k + 1].startswith("&") else r" \\[0.5em] ")
        for k, row in enumerate(rows)
    )
    with st.container(key="inside_equations"):
        st.latex(rf"\begin{{aligned}} {body} \end{{aligned}}")
    st.caption(
        "Grey: the line above with this step’s numbers, 3 digits of each. A matrix times a vector is one number, this "
        "unit’s."
    )


# The time around it


def _strip(told: Trace, steps: int) -> None:
    cell, layer = CELLS[told.experiment.cell], told.layers[view().layer - 1]
    if view().direction == "backward":
        figure = _norms(told, layer.state_grads, steps)
    else:
        names = [*cell.states, *cell.gates]
        label = {n: STATES.get(n, f"state {n}") if n in cell.states else _words(told.experiment, n) for n in names}
        name = st.session_state.get("inside_strip", names[0])
        if name not in names:
            name = st.session_state.inside_strip = names[0]
        shown = st.selectbox(
            "Over time", names, key="inside_strip", format_func=label.__getitem__,
            help="One quantity of this example, a row a unit, a column a time step. The lines stand at the step above.",
        )  # fmt: skip
        figure = _heat(told, layer.states.get(shown, layer.gates.get(shown)), shown, steps)  # type: ignore[arg-type]
    figures.mark_step(figure, view().t, theme=theme())
    st.markdown(f"**{figure.layout.meta['question']}**")
    st.plotly_chart(figure, key="inside_strip_picture", theme=None, config=dict(figures.PLOTLY_CONFIG))
    st.caption(f"{figure.layout.meta['look_for']} The two lines stand at t = {view().t}.")


def _heat(told: Trace, values: np.ndarray, name: str, steps: int) -> go.Figure:
    cell = CELLS[told.experiment.cell]
    first = (view().unit - 1) // SHOWN_UNITS * SHOWN_UNITS
    rows = values[:steps, 0, first : first + SHOWN_UNITS].T
    signed, unbounded = name not in cell.gates or name in cell.signed_gates, name in cell.unbounded_gates
    size = float(np.abs(rows[np.isfinite(rows)]).max(initial=0.0))
    limit = 1.0 if size <= 1 else math.ceil(size)
    figure = figures.unit_heatmap(
        rows,
        kind="signed" if signed else "positive" if unbounded else "gate",
        limit=limit,
        name=name if name in cell.gates else STATES.get(name, f"state {name}"),
        symbol=f"{cell.symbols[name]}_t",
        channel=f"{'gates' if name in cell.gates else 'states'}.{name}",
        keeps=cell.keepers.get(name, 0),
        theme=theme(),
    )
    if first:
        units = len(rows)
        figure.update_traces(y=np.arange(first + 1, first + units + 1))
        figure.update_yaxes(range=[first + units + 0.5, first + 0.5])
    return figure


def _norms(told: Trace, grads: Mapping[str, np.ndarray], steps: int) -> go.Figure:
    cell = CELLS[told.experiment.cell]
    names = (*cell.carried, cell.carried[0])[:2]
    with np.errstate(divide="ignore"):
        found = [np.log10(np.linalg.norm(grads[name][:steps, 0], axis=1)) for name in names]
    second = {} if names[0] == names[1] else {"median_c": found[1], "low_c": found[1], "high_c": found[1]}
    figure = figures.gradient_norm_plot(
        np.arange(1, steps + 1), *[found[0]] * 3, **second, names=names,  # type: ignore[arg-type]
        symbols=(cell.symbols[names[0]], cell.symbols[names[1]]), theme=theme(),
    )  # fmt: skip
    # One example has no median and no quantiles.
    figure.layout.annotations = [words for words in figure.layout.annotations if "median" not in words.text]
    return figure
