"""The parts of the cell race: who runs, the races that make a point, and the transport of all lanes together."""

from __future__ import annotations

import secrets
from dataclasses import replace
from html import escape
from typing import Any
from urllib.parse import urlencode, urlsplit

import streamlit as st

from rnnviz.cells import CELLS
from rnnviz.errors import RnnvizError
from rnnviz.experiment import SETTINGS, Experiment
from rnnviz.figures import palette
from rnnviz.runs import Race, RaceSnapshot
from rnnviz.runs.race import MOST_LANES, MOST_SEEDS, REACH_FRACTIONS, SHARED
from rnnviz.tasks import TASKS
from rnnviz.ui import addresses, controls, keys, race_pictures, race_table
from rnnviz.ui.plain import literal
from rnnviz.ui.playground import theme
from rnnviz.ui.race_presets import PRESETS, Preset
from rnnviz.ui.race_state import KEEPER, LEAST_SECONDS, MOST_SECONDS, Setup, in_common, lane_names
from rnnviz.ui.server import registry

DEFAULT_SECONDS = 20


def current() -> Race:
    """The race this session watches: the one it had, else the one its link names, else a new one from the link."""
    query = st.query_params.to_dict()
    if "race" in st.session_state and addresses.is_ours("race", query):
        held: Race = st.session_state.race
        return held
    setup, notices = Setup.from_query(query) if query else (next(iter(PRESETS.values())).setup, [])
    race = registry().find_a(Race, setup.race) if setup.race else None
    if race is not None and not _is_of(race, setup):
        race = None  # somebody edited the link: what they can read wins over the id they cannot
    elif race is None and setup.race:
        notices.append("That race is no longer on this server. This one starts afresh, with the lanes the link names.")
    st.session_state.race_notices = notices
    _watch(setup, race)
    addresses.wrote("race", query)
    shown: Race = st.session_state.race
    return shown


def explanation(race: Race) -> str:
    """The task of all lanes, for somebody who has never seen it."""
    task = TASKS[race.experiments[0].task]
    common = in_common(race.experiments)
    return (
        f"All lanes learn to {task.verb}, from the same examples in the same order{f' ({common})' if common else ''}. "
        f"{task.explanation}"
    )


def setup() -> Setup:
    """What the page shows."""
    shown: Setup = st.session_state.race_setup
    return shown


def _is_of(race: Race, wanted: Setup) -> bool:
    return (race.experiments, race.seeds, race.seconds) == (wanted.entered, wanted.seeds, wanted.seconds)


def _watch(wanted: Setup, race: Race | None) -> None:
    if race is None:
        race = registry().keep(Race(wanted.entered, registry().engine, seeds=wanted.seeds, seconds=wanted.seconds))
    old: Race | None = st.session_state.get("race")
    if old is not None and old is not race:
        old.release()
    st.session_state.race = race
    st.session_state.race_setup = replace(wanted, race=race.id)


def _key(name: str) -> str:
    return keys.shown("race", name)


def _become(wanted: Setup, notices: list[str] | None = None, *, by_its_widget: bool = False) -> None:
    """Show another setup: in the same race where nothing that runs has changed."""
    st.session_state.race_notices = notices or []
    if not by_its_widget:
        keys.afresh("race")
    race: Race = st.session_state.race
    try:
        _watch(wanted, race if _is_of(race, wanted) else None)
    except RnnvizError as error:
        st.session_state.race_notices = str(error).splitlines()


def write_address() -> None:
    """Make the address bar a link to this race."""
    wanted = setup().to_query()
    if st.query_params.to_dict() != wanted:
        st.query_params.from_dict(wanted)
    addresses.wrote("race", wanted)


def notices() -> None:
    """What could not be honoured."""
    if said := [literal(sentence.replace("`", "")) for sentence in st.session_state.race_notices]:
        st.warning("\n\n".join(said), icon=":material/info:")


# Who runs


def sidebar() -> None:
    """The lane being edited, then what holds for all of them."""
    shown = setup()
    names = lane_names(shown.entered)
    with st.sidebar:
        st.markdown("##### Lanes")
        _edited(shown, names)
        _fields("Network", shown.lane, of_lane=True)
        st.markdown("##### Task of all lanes")
        _fields("Task", shown.lane, of_lane=False)
        st.markdown("##### Training")
        st.session_state.setdefault("race_scope", "all")
        st.segmented_control(
            "These hold for", ["all", "one"], key="race_scope", required=True, width="stretch",
            format_func={"all": "all lanes", "one": "this lane"}.__getitem__,
            help="Budget, seed and batch size always hold for all: all lanes read the same examples in the same order.",
        )  # fmt: skip
        _fields("Training", shown.lane, of_lane=st.session_state.race_scope == "one")
        st.markdown("##### Fair play")
        _fair_play(shown)
        st.markdown("##### Pictures")
        _pictured(shown)


def _edited(shown: Setup, names: list[str]) -> None:
    st.session_state.race_edit = shown.edit
    st.segmented_control(
        "Lane to change", list(range(1, len(names) + 1)), key="race_edit", required=True, width="stretch",
        on_change=_edit, help="Which lane the settings below belong to. Its name and colour are those in the table.",
    )  # fmt: skip
    colour = palette(theme()).lanes[shown.edit - 1]
    st.html(f'<div style="border-left:4px solid {colour};padding-left:8px">{escape(names[shown.edit - 1])}</div>')
    columns = st.columns(2)
    columns[0].button(
        "Add a lane", key="race_add", icon=":material/add:", on_click=_add, width="stretch",
        disabled=len(names) >= MOST_LANES,
        help=f"A copy of this lane with a cell that no other has, to be changed; at most {MOST_LANES} in all.",
    )  # fmt: skip
    columns[1].button(
        "Remove", key="race_remove", icon=":material/remove:", on_click=_remove, width="stretch",
        disabled=len(names) <= 2, help="Take this lane out; two are left at least.",
    )  # fmt: skip


def _edit() -> None:
    _become(replace(setup(), edit=st.session_state.race_edit))


def _add() -> None:
    shown = setup()
    used = {lane.cell for lane in shown.lanes}
    fresh = next((cell for cell in CELLS if cell not in used), "lstm")
    added, said = shown.lane.switch(cell=fresh)
    _become(replace(shown.with_lanes((*shown.lanes, added)), edit=len(shown.lanes) + 1), said)


def _remove() -> None:
    shown = setup()
    _become(shown.with_lanes((*shown.lanes[: shown.edit - 1], *shown.lanes[shown.edit :])))


def _fields(group: str, lane: Experiment, *, of_lane: bool) -> None:
    """Controls of one group, essentials first; `of_lane` says whom a change is for."""
    fields = {
        name: setting
        for name, setting in SETTINGS.items()
        if setting.group == group and setting.applies(lane) and not (of_lane and name in SHARED)
    }
    if setup().seconds:
        fields.pop("steps", None)
    changed = _lane_changed if of_lane else _all_changed
    for name, setting in fields.items():
        if setting.essential:
            controls.control(name, setting, lane, changed, "race")
    rest = {name: setting for name, setting in fields.items() if not setting.essential}
    if rest:
        with st.expander(f"More {group.lower()} settings"):
            for name, setting in rest.items():
                controls.control(name, setting, lane, changed, "race")


def _lane_changed(name: str, key: str) -> None:
    _changed(Setup.with_lane, name, key)


def _all_changed(name: str, key: str) -> None:
    _changed(Setup.with_all, name, key)


def _changed(how: Any, name: str, key: str) -> None:
    try:
        _become(*how(setup(), **{name: st.session_state[key]}), by_its_widget=True)
    except RnnvizError as error:
        st.session_state.race_notices = str(error).splitlines()


def _fair_play(shown: Setup) -> None:
    st.session_state[_key("seeds")] = shown.seeds
    st.slider(
        "Seeds a lane", 1, MOST_SEEDS, key=_key("seeds"), on_change=_set, args=("seeds", _key("seeds")),
        help="Networks a lane, each with initial weights and examples of its own. One seed misleads: with several, lines "
        "are medians and bands go from the lowest to the highest.",
    )  # fmt: skip
    st.session_state[_key("budget")] = "seconds" if shown.seconds else "steps"
    st.segmented_control(
        "Same budget in", ["steps", "seconds"], key=_key("budget"), required=True, width="stretch", on_change=_budget,
        args=(_key("budget"),),
        format_func={"steps": "training steps", "seconds": "seconds"}.__getitem__,
        help="Steps: who learns more from the same examples? Seconds: who learns more in the same time of computing, on "
        "this machine, with everything recorded?",
    )  # fmt: skip
    if shown.seconds:
        st.session_state[_key("seconds")] = int(shown.seconds)
        st.slider(
            "Seconds for each network", LEAST_SECONDS, 120 if shown.seconds <= 120 else MOST_SECONDS, key=_key("seconds"),
            on_change=_set, args=("seconds", _key("seconds")), help="Of computing; the clock on the wall runs slower the "
            "more networks share this machine.",
        )  # fmt: skip
    st.session_state[_key("match")] = shown.match
    st.toggle(
        "Same number of parameters", key=_key("match"), on_change=_set, args=("match", _key("match")),
        help="An LSTM has four times the weights of an Elman network of the same size. This solves for the hidden size that "
        "brings every other lane closest to the first lane's number of parameters; the table shows both.",
    )  # fmt: skip


def _set(name: str, key: str) -> None:
    if keys.is_old("race", key):
        return
    _become(replace(setup(), **{name: st.session_state[key]}), by_its_widget=True)


def _budget(key: str) -> None:
    if keys.is_old("race", key):
        return
    seconds = DEFAULT_SECONDS if st.session_state[key] == "seconds" else 0
    _become(replace(setup(), seconds=seconds), by_its_widget=True)


def _pictured(shown: Setup) -> None:
    gates = ["", *dict.fromkeys(gate for lane in shown.lanes for gate in CELLS[lane.cell].gates)]
    st.session_state[_key("fraction")] = shown.fraction
    st.selectbox(
        "A gradient is alive above", list(REACH_FRACTIONS), key=_key("fraction"), on_change=_set,
        args=("fraction", _key("fraction")), format_func=lambda f: f"{100 * f:g} % of its largest",
        help="For the picture of who keeps the gradient: how many steps back from the last one its norm stays above this "
        "share of the largest met on the way back. The table uses 1 %.",
    )  # fmt: skip
    st.session_state[_key("gate")] = shown.gate if shown.gate in gates else ""
    st.selectbox(
        "Gate in the rows", gates, key=_key("gate"), on_change=_set, args=("gate", _key("gate")),
        format_func=lambda gate: f"{gate} gate" if gate else KEEPER,
        help="Drawn beside each lane's hidden states. The gate that keeps is the forget gate of an LSTM and the update "
        "gate of a GRU.",
    )  # fmt: skip


# Presets


def presets() -> None:
    """Races that make a point, each with what it shows."""
    shown = setup()
    chosen = next((key for key, preset in PRESETS.items() if preset.is_of(shown)), None)
    st.session_state.race_preset = chosen
    st.pills(
        "A race that makes a point", list(PRESETS), key="race_preset", on_change=_take_preset,
        format_func=lambda key: PRESETS[key].title, label_visibility="collapsed",
    )  # fmt: skip
    if chosen is not None:
        preset: Preset = PRESETS[chosen]
        st.caption(f"{preset.why} {preset.finding}")
    else:
        st.caption("A race of your own: change its lanes in the sidebar, or press one of the races above.")


def _take_preset() -> None:
    if (key := st.session_state.race_preset) is not None:
        _become(PRESETS[key].setup)


# The transport


def transport(race: Race, snapshot: RaceSnapshot) -> None:
    """One Start or Pause, one Rewind, one seed for all lanes, and the link."""
    training = snapshot.status == "training"
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if training:
            st.button("Pause", key="race_pause", type="primary", icon=":material/pause:", on_click=_steer,
                      args=(Race.pause,), width=120)  # fmt: skip
        else:
            over = snapshot.status == "finished"
            st.button(
                "Start", key="race_start", type="primary", icon=":material/play_arrow:", on_click=_steer,
                args=(Race.play,), disabled=over, width=120,
                help="All lanes train side by side." if not over
                else "The budget is used up: rewind, or raise it." if snapshot.step >= snapshot.budget
                else "Every lane has diverged: rewind, or change them.",
            )  # fmt: skip
        st.button("Rewind", key="race_rewind", icon=":material/replay:", on_click=_steer, args=(Race.rewind,),
                  disabled=snapshot.status == "ready", help="All lanes back to the start.")  # fmt: skip
        st.button("New seed", key="race_new_seed", icon=":material/casino:", on_click=_new_seed,
                  help="Other initial weights and other examples for all: does what you saw depend on luck?")  # fmt: skip
        with st.popover("Share", icon=":material/link:"):
            st.markdown("**This race, from the start**")
            st.code(_link(replace(setup(), race="")), language=None, wrap_lines=True)
            st.caption("The same lanes, task, settings and seeds. On a clock of steps: the same curves, bit for bit.")
            st.markdown("**This very race, live**")
            st.code(_link(setup()), language=None, wrap_lines=True)
            st.caption("Whoever opens it sees and steers this race while this server keeps it.")
    if snapshot.status == "failed":
        st.error(snapshot.sentence)


def _steer(act: Any) -> None:
    st.session_state.race_notices = []
    act(current())


def _new_seed() -> None:
    wanted, said = setup().with_all(seed=secrets.randbelow(10_000))
    _become(wanted, said)


def _link(wanted: Setup) -> str:
    parts = urlsplit(st.context.url or "")
    here = f"{parts.scheme}://{parts.netloc}{parts.path}" if parts.netloc else "/cell_race"
    return f"{here}?{urlencode(wanted.to_query())}"


# The live parts


def table(race: Race, snapshot: RaceSnapshot) -> None:
    """How every lane stands."""
    race_table.table(race, snapshot)


def pictures(race: Race, snapshot: RaceSnapshot) -> None:
    """The stage of all lanes, and the feed that moves it."""
    race_pictures.pictures(race, snapshot, setup(), _rewind)
    race_pictures.live_feed(race, snapshot)


def _rewind(race_id: str, clock: int) -> None:
    race = current()
    if race.id == race_id:  # it may have been replaced after the browser offered this
        race.rewind(clock)
