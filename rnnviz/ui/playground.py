"""The parts of a page around one live run: transport, share, status, and the feed that moves the pictures."""

from __future__ import annotations

import secrets

import streamlit as st

from rnnviz.experiment import SETTINGS, Experiment
from rnnviz.figures import Theme, legend_html
from rnnviz.runs import LiveRun, Snapshot
from rnnviz.ui import keys, look, session
from rnnviz.ui.pictures import extent, sections
from rnnviz.ui.plain import literal
from rnnviz.ui.readouts import readouts
from rnnviz.ui.sending import message, missing
from rnnviz.ui.stage import Readout, Status, feed, stage

POLL_TRAINING, POLL_RESTING = 0.15, 1.0  # seconds
SAFE_CLIP = 1.0


def theme() -> Theme:
    """The theme the visitor's browser shows."""
    return "dark" if st.context.theme.type == "dark" else "light"


def notices() -> None:
    """What could not be honoured, and where the run before this one went."""
    # As plain text: a sentence may quote what a hostile link carried.
    if said := [literal(sentence.replace("`", "")) for sentence in st.session_state.notices]:
        st.warning("\n\n".join(said), icon=":material/info:")
    if "replaced" in st.session_state:
        what, step, old = st.session_state.replaced
        with st.container(horizontal=True, vertical_alignment="center"):
            reached = f"{step:,}".replace(",", " ")
            st.caption(f"New {what}: a new network. The one before was at step {reached}.")
            st.button("Back to it", key="back", type="tertiary", on_click=_back, args=(old,))


def _back(old: LiveRun) -> None:
    session.heard()
    keys.afresh("control")
    session.watch(old)
    st.session_state.pop("replaced", None)


def transport(run: LiveRun, snapshot: Snapshot) -> None:
    """Train or Pause, Step, Rewind, a new seed, and the link to this experiment."""
    training = snapshot.status == "training"
    over = {
        "finished": "The step budget is used up: rewind, or raise the budget in the sidebar.",
        "diverged": "This run diverged: go back with the button below, or rewind.",
    }.get(snapshot.status)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if training:
            st.button(
                "Pause",
                key="pause",
                type="primary",
                icon=":material/pause:",
                on_click=session.steer,
                args=(LiveRun.pause,),
                width=120,
            )
        else:
            st.button(
                "Train",
                key="train",
                type="primary",
                icon=":material/play_arrow:",
                on_click=session.steer,
                args=(LiveRun.play,),
                disabled=over is not None,
                help=over,
                width=120,
            )
        st.button(
            "Step", key="step", icon=":material/skip_next:", on_click=session.steer, args=(LiveRun.step_once,),
            disabled=training or over is not None,
            help="Train exactly one step.",
        )  # fmt: skip
        st.button(
            "Rewind", key="rewind", icon=":material/replay:", on_click=session.steer, args=(LiveRun.rewind,),
            disabled=snapshot.status == "ready",
            help="Back to step 0 with the same initial weights and the same examples.",
        )  # fmt: skip
        st.button(
            "New seed", key="new_seed", icon=":material/casino:", on_click=_new_seed,
            help="Other initial weights, other examples: does what you saw depend on luck?",
        )  # fmt: skip
        _share(run)


def _new_seed() -> None:
    keys.afresh("control")
    session.change(seed=secrets.randbelow(10_000))


def _share(run: LiveRun) -> None:
    with st.popover("Share", icon=":material/link:"):
        st.markdown("**This experiment, from the start**")
        st.code(session.link(run.experiment), language=None, wrap_lines=True)
        st.caption("Opens the same cell, task, settings and seed: the same run, bit for bit.")
        st.markdown("**This very run, live**")
        st.code(f"{session.link(run.experiment)}&run={run.id}", language=None, wrap_lines=True)
        st.caption("Whoever opens it sees and steers this run while this server keeps it.")
        st.download_button("Download as JSON", run.experiment.to_json(), "experiment.json", "application/json")


def trouble(run: LiveRun, snapshot: Snapshot) -> None:
    """A run that diverged or failed: what happened, and the way out."""
    if snapshot.status == "failed":
        st.error(snapshot.sentence)
    if snapshot.status != "diverged":
        return
    with st.container(border=True):
        st.markdown(
            f":material/error: **This run diverged.** {literal(snapshot.sentence)} Everything before it is kept."
        )
        target = next(step for step in reversed(snapshot.rewindable_to) if step < max(snapshot.step, 1))
        what, change = _rescue(snapshot.experiment)
        st.button(
            f"{what} and go back to step {target:,}".replace(",", " "),
            key="rescue",
            type="primary",
            on_click=_change_and_rewind,
            args=(run, change, target),
        )


def _rescue(experiment: Experiment) -> tuple[str, dict[str, float]]:
    """What to do about a divergence: clip; where that was already done and did not help, take smaller steps."""
    if not 0 < experiment.clip_norm <= SAFE_CLIP:
        return f"Clip at {SAFE_CLIP:g}", {"clip_norm": SAFE_CLIP}
    rate = max(float(f"{experiment.learning_rate / 10:.3g}"), SETTINGS["learning_rate"].lowest)
    return f"Set the learning rate to {rate:g}", {"learning_rate": rate}


def _change_and_rewind(run: LiveRun, change: dict[str, float], target: int) -> None:
    session.heard()
    run.amend(**change)
    run.rewind(target)


def pictures(run: LiveRun, snapshot: Snapshot) -> None:
    """The stage with everything on it."""
    stage(
        run.id,
        sections(snapshot)(theme()),
        readouts(snapshot.experiment),
        theme=look.variables(theme()),
        budget=snapshot.experiment.steps,
        key="stage",
        on_rewind=_rewind,
        note=Readout("particulars", (session.particulars(snapshot.experiment),), session.PARTICULARS_HELP),
    )
    st.html(legend_html(theme()))


def _rewind(run_id: str, step: int) -> None:
    # The run may have been replaced after the browser offered this.
    if session.current_run().id == run_id:
        session.steer(LiveRun.rewind, step)


def live_feed(run: LiveRun, shown: Snapshot) -> None:
    """Poll the run and pass on what is new; keeps the run's lease.

    Reruns the page when its buttons, its sentences or its sidebar no longer hold: another tab may steer the same run.
    """

    said = _said(shown)  # not the snapshot itself: its frames would stay in memory

    @st.fragment(run_every=POLL_TRAINING if shown.status in ("training", "pausing") else POLL_RESTING)
    def poll() -> None:
        snapshot = run.poll()
        if _said(snapshot) != said:
            st.rerun()
        feed(message(snapshot, _status(snapshot)), key="feed", on_resync=missing)

    poll()


def _said(snapshot: Snapshot) -> tuple[object, ...]:
    """What the page outside the feed depends on."""
    return snapshot.status, snapshot.sentence, snapshot.experiment, extent(snapshot)


def _status(snapshot: Snapshot) -> Status:
    if snapshot.status in ("diverged", "failed"):
        return Status("diverged", snapshot.status)  # the banner above has the sentence
    if snapshot.solved_at is not None:
        when = f"{snapshot.solved_at:,}".replace(",", " ")
        return Status("solved", f"{snapshot.status}, solved", f"Solved at step {when}.")
    if snapshot.status == "finished":
        return Status(
            "finished", "budget used up", "Not solved in this budget: rewind, or raise it under more settings."
        )
    if snapshot.status == "pausing":
        return Status("paused", "pausing…")
    T = snapshot.experiment.length_at(snapshot.step)
    growing = (
        f"So far it trains on {T} of {snapshot.experiment.length} steps." if snapshot.experiment.length > T else ""
    )
    words = {"ready": "Untrained: press Train.", "training": growing, "paused": growing}
    return Status(snapshot.status, "", words[snapshot.status])  # type: ignore[arg-type]
