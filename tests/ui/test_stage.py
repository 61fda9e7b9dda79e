import json
import re
import shutil
import struct
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
import pytest
from streamlit.testing.v1 import AppTest

from rnnviz.figures import palette
from rnnviz.ui import stage as ui

STATUS = ui.Status("training", "training", "")


@dataclass
class Moment:
    step: int
    channels: dict[str, np.ndarray]
    scalars: dict[str, float] = field(default_factory=dict)


def moment(step, units=3, times=5):
    rng = np.random.default_rng(step)
    return Moment(
        step,
        {
            "states.h": rng.standard_normal((units, times)).astype(np.float16),
            "grad.h.median": np.r_[-np.inf, rng.standard_normal(times - 1)].astype(np.float32),
            "outputs": rng.standard_normal((8, 1)),
            "tokens": rng.integers(0, 255, 7).astype(np.uint8),
            "counts": rng.integers(-9, 9, 3).astype(np.int32),
        },
        {"loss": 0.25, "reach": 4, "ratio": float("nan")},
    )


def packed(frames=(), **more):
    series = {"loss": np.linspace(1, 0, 10, dtype=np.float32)}
    settings = {"run": "r", "revision": 7, "status": STATUS, "kept": [f.step for f in frames], "series": series}
    return ui.pack_feed(frames=frames, **(settings | more))


def unpacked(payload):
    """The message as the browser reads it."""
    (length,) = struct.unpack_from("<I", payload)
    header = json.loads(payload[4 : 4 + length])
    start = -(-(4 + length) // 8) * 8

    def arrays(specs):
        return {
            s["name"]: np.frombuffer(
                payload, np.dtype(s["dtype"]).newbyteorder("<"), int(np.prod(s["shape"])), start + s["offset"]
            ).reshape(s["shape"])
            for s in specs
        }

    frames = {frame["step"]: (frame["scalars"], arrays(frame["arrays"])) for frame in header["frames"]}
    return header, frames, arrays(header["series"]["arrays"])


def test_frames_survive_the_journey_with_their_dtypes():
    sent = [moment(10), moment(20)]
    header, frames, series = unpacked(packed(sent, series_from=4, values={"speed": 200}))
    assert header["kept"] == [10, 20]
    assert header["status"] == {"word": "training", "label": "training", "sentence": ""}
    assert header["values"] == {"speed": 200}
    for frame in sent:
        scalars, arrays = frames[frame.step]
        assert scalars == {"loss": 0.25, "reach": 4, "ratio": None}
        for name, array in frame.channels.items():
            assert arrays[name].dtype == array.dtype
            np.testing.assert_array_equal(arrays[name], array)
    assert (header["series"]["from"], header["series"]["length"]) == (4, 10)
    np.testing.assert_array_equal(series["loss"], np.linspace(1, 0, 10, dtype=np.float32)[4:])


def test_arrays_that_are_not_contiguous_or_not_little_endian_are_sent_as_they_read():
    odd = np.arange(12, dtype=">f4").reshape(3, 4)[:, ::2].T
    _, frames, _ = unpacked(packed([Moment(0, {"odd": odd})]))
    np.testing.assert_array_equal(frames[0][1]["odd"], odd)


def test_every_array_is_aligned_for_the_widest_dtype():
    header, _, _ = unpacked(packed([moment(1), moment(2)]))
    offsets = [array["offset"] for frame in header["frames"] for array in frame["arrays"]]
    assert all(offset % 8 == 0 for offset in offsets)


def test_a_message_without_frames_or_series_says_what_exists():
    header, frames, series = unpacked(packed(kept=[0, 5], series={}))
    assert header["kept"] == [0, 5]
    assert (frames, series, header["series"]["length"]) == ({}, {}, 0)


def test_what_the_browser_cannot_read_is_refused_by_name():
    with pytest.raises(ValueError, match=r"channel 'flags' must be one of .* Got bool"):
        packed([Moment(0, {"flags": np.zeros(3, bool)})])
    with pytest.raises(ValueError, match=r"equally long. Got lengths \[2, 3\]"):
        packed(series={"a": np.zeros(2, np.float32), "b": np.zeros(3, np.float32)})


def test_the_newest_frames_are_sent_or_those_that_are_missing():
    frames = [moment(step) for step in range(0, 100, 10)]
    steps = lambda chosen: [frame.step for frame in chosen]  # noqa: E731
    assert steps(ui.frames_to_send(frames, window=3)) == [70, 80, 90]
    assert steps(ui.frames_to_send(frames, have=range(0, 80, 10))) == [80, 90]
    assert ui.frames_to_send(frames, have=steps(frames)) == []
    assert steps(ui.frames_to_send(frames, have=())) == steps(frames)


def test_a_long_answer_comes_in_pieces_newest_first_and_ends():
    frames = [moment(step) for step in range(10)]
    one = sum(array.nbytes for array in frames[0].channels.values())
    have, pieces = set(), []
    while chosen := ui.frames_to_send(frames, have=have, max_bytes=3 * one):
        pieces.append([frame.step for frame in chosen])
        have.update(pieces[-1])
    assert pieces == [[7, 8, 9], [4, 5, 6], [1, 2, 3], [0]]
    assert len(ui.frames_to_send(frames, have=(), max_bytes=1)) == 1, "a frame larger than a message must still travel"


def figure(feed):
    return go.Figure(go.Heatmap(z=np.zeros((2, 2), np.float32), meta={"feed": feed}), {"meta": {"question": "Why?"}})


def test_feeds_the_browser_would_not_understand_are_found():
    assert ui.feed_problems(figure({"z": ["frame", "states.h", "pow10", "row:3", "names:a|b"]})) == []
    assert ui.feed_problems(go.Figure(go.Scatter(y=[1]))) == []
    assert "kind must be one of" in ui.feed_problems(figure({"z": ["picture", "states.h"]}))[0]
    assert "op must be" in ui.feed_problems(figure({"z": ["frame", "states.h", "log"]}))[0]
    assert "[kind, channel" in ui.feed_problems(figure({"z": ["steps"]}))[0]


def mounted_page():
    import numpy as np
    import plotly.graph_objects as go
    import streamlit as st

    from rnnviz.ui import stage as ui

    card = ui.Card("h", go.Figure(go.Heatmap(z=np.zeros((2, 2)), meta={"feed": {"z": ["frame", "states.h"]}})))
    readout = ui.Readout("loss", ("loss ", ui.Value("loss")), "The mean squared error.")
    ui.stage("r", [ui.Section("", (card,))], [readout], theme={}, budget=10, key="stage", on_rewind=print)

    @st.fragment(run_every=1)
    def poll():
        status = ui.Status("ready")
        payload = ui.pack_feed(run="r", revision=0, status=status, kept=[], frames=[], series={})
        ui.feed(payload, key="feed", on_resync=lambda asked: None)

    poll()


def test_both_components_mount_and_survive_a_rerun():
    page = AppTest.from_function(mounted_page).run(timeout=30)
    assert not page.exception
    assert not page.run(timeout=30).exception


def page_of_boards():
    import plotly.graph_objects as go
    import streamlit as st

    from rnnviz.ui import stage as ui
    from rnnviz.ui.resting import picture

    fed = go.Figure(go.Heatmap(z=[[1.0, 2.0]], meta={"feed": {"z": ["frame", "states.h"]}}))
    ui.stage("r", [ui.Section("", (ui.Card("h", fed),))], [], theme={}, budget=10, key="stage")
    height = st.slider("How high?", 1, 9, key="height")
    bars = go.Figure(go.Bar(y=[height]), {"meta": {"question": "How high?", "look_for": "The bar.", "height": 333}})
    for k, column in enumerate(st.columns(2)):
        with column:
            picture(bars, key=f"bars_{k}", legend="<b>ours</b>" if k else "")
    ui.board(
        [ui.Card("one", fed), ui.Card("two", bars, look_for="Both bars.")], theme={"--rnnviz-ink": "red"}, key="two"
    )


def boards_of(page):
    return {
        found.key: json.loads(found.proto.json)
        for found in page.get("bidi_component")
        if "run" not in json.loads(found.proto.json)
    }


def test_pictures_at_rest_stand_in_columns_several_times_and_beside_a_stage():
    page = AppTest.from_function(page_of_boards).run(timeout=30)
    assert not page.exception
    cards = {key: told["sections"][0]["cards"] for key, told in boards_of(page).items()}
    assert {key: len(found) for key, found in cards.items()} == {"bars_0": 1, "bars_1": 1, "two": 2}
    said = [cards["bars_1"][0][name] for name in ("question", "look_for", "height", "legend")]
    assert said == ["How high?", "The bar.", 333, "<b>ours</b>"]
    assert [card["look_for"] for card in cards["two"]] == ["", "Both bars."]
    assert boards_of(page)["two"]["theme"] == {"--rnnviz-ink": "red"}
    assert boards_of(page)["bars_0"]["theme"]["--rnnviz-paper"] == palette("light").page

    page.slider(key="height").set_value(4).run(timeout=30)
    assert not page.exception
    assert boards_of(page)["bars_0"]["sections"][0]["cards"][0]["figure"]["data"][0]["y"] == [4]


def test_every_module_the_entry_loads_exists_and_no_other_is_served():
    entry = (ui.ASSETS / "stage.js").read_text()
    modules = set(re.findall(r'"(\w+\.js)"', entry))
    assert {file.name for file in ui.ASSETS.glob("*.js")} == modules | {"stage.js"}
    assert (ui.ASSETS / "stage.css").is_file()
    assert (ui.PLOTLY / "plotly.min.js").is_file()


def test_the_two_ends_agree_on_kinds_dtypes_and_words():
    wire, channels, chrome, stage = (
        (ui.ASSETS / name).read_text() for name in ("wire.js", "channels.js", "chrome.js", "stage.js")
    )
    assert set(re.findall(r"^  (\w+): \w+Array,", wire, re.M)) == set(ui.DTYPES)
    assert all(f'"{kind}"' in channels for kind in ui.KINDS if kind != "series")
    used = set(re.findall(r"words\.(\w+)", chrome + stage))
    assert used | {"empty"} == set(ui.WORDS)


def test_the_page_stays_on_its_own_server():
    for file in ui.ASSETS.iterdir():
        assert not re.findall(r"https?://(?!www\.w3\.org/)", file.read_text()), file.name


@pytest.fixture
def node():
    path = shutil.which("node")
    if path is None:
        pytest.skip("node is not installed")

    def run(script: str, *arguments: str) -> object:
        # As data addresses: node would take a bare .js file for CommonJS.
        load = "const load = async (f) => import('data:text/javascript;base64,' + fs.readFileSync(f, 'base64'));"
        code = f"import fs from 'node:fs'; const [assets, ...args] = process.argv.slice(1); {load} {script}"
        command = [path, "--input-type=module", "-e", code, "--", str(ui.ASSETS), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


def test_the_browser_reads_every_float16(node, tmp_path: Path):
    every = np.arange(65536, dtype=np.uint16).view(np.float16)
    file = tmp_path / "message"
    file.write_bytes(b"xxx" + packed([Moment(3, {"all": every, "pair": np.ones((2, 3), np.float64)})]))
    values = node(
        """const { decode, numbers } = await load(assets + "/wire.js");
        const message = decode(new Uint8Array(fs.readFileSync(args[0])).subarray(3));
        const { all, pair } = Object.fromEntries(message.frames[0].channels);
        console.log(JSON.stringify([[...numbers(all)].map(String), pair.shape, [...numbers(pair)]]));""",
        str(file),
    )
    np.testing.assert_array_equal(np.array([float(v.replace("Infinity", "inf")) for v in values[0]]), every)
    assert values[1:] == [[2, 3], [1.0] * 6]


STORE = """
const { decode, numbers } = await load(assets + "/wire.js");
const { Store } = await load(assets + "/store.js");
const { Channels } = await load(assets + "/channels.js");
const store = new Store("r");
const say = () => [store.shown()?.step ?? null, store.steps, store.seriesLength, store.lacks()];
const out = [];
for (const file of args) {
  if (file.startsWith("scrub:")) store.scrub(Number(file.slice(6)));
  else store.accept(decode(new Uint8Array(fs.readFileSync(file))));
  out.push(say());
}
"""


def test_the_browser_notices_what_it_lacks_and_keeps_the_step_it_shows(node, tmp_path: Path):
    def message(name, frames, **more):
        (tmp_path / name).write_bytes(packed(frames, **more))
        return str(tmp_path / name)

    loss = {"loss": np.arange(10, dtype=np.float32)}
    seen = node(
        STORE + "console.log(JSON.stringify(out));",
        message("first", [moment(0), moment(10)], kept=[0, 5, 10], series=loss, series_from=6, revision=1),
        message("answer", [moment(5)], kept=[0, 5, 10], series=loss, revision=2),
        "scrub:6",
        message("thinned", [moment(20)], kept=[0, 10, 20], series=loss, series_from=10, revision=3),
        message("late", [moment(10)], kept=[0, 5, 10], series=loss, revision=2),
        message("rewound", [], kept=[0], series={"loss": loss["loss"][:4]}, revision=4, epoch=1, epoch_from=4),
    )
    assert seen == [
        [10, [0, 10], 0, {"frames": 1, "series": 10}],
        [10, [0, 5, 10], 10, None],
        [5, [0, 5, 10], 10, None],
        [0, [0, 10, 20], 10, None],
        [0, [0, 10, 20], 10, None],
        [0, [0], 4, None],
    ]


def test_a_rewind_leads_to_the_newest_checkpoint_at_or_before_the_step_shown(node, tmp_path: Path):
    (tmp_path / "m").write_bytes(packed([moment(step) for step in (0, 5, 10, 15, 20)], rewindable=[0, 10, 20]))
    targets = node(
        STORE
        + """const at = (step) => (store.scrub(step), store.rewindTarget());
        console.log(JSON.stringify([store.rewindTarget(), ...[0, 5, 10, 15, 20].map(at)]));""",
        str(tmp_path / "m"),
    )
    assert targets == [None, 0, 0, 10, 10, None], "following, or standing there already, leads nowhere"


def test_numbers_are_named_and_what_is_no_number_is_not_seen(node, tmp_path: Path):
    path = np.array([np.nan, 2, np.nan, 0], np.float32)
    (tmp_path / "m").write_bytes(packed([Moment(0, {"path": path})]))
    named = node(
        STORE
        + """const c = new Channels(store, numbers);
        console.log(JSON.stringify(c.resolve(["frame", "path", "names:blank|a|e:"], store.shown())));""",
        str(tmp_path / "m"),
    )
    assert named == ["\u200b", "e:", "\u200b", "blank"]


def test_channels_answer_feeds(node, tmp_path: Path):
    frames = [moment(0), moment(10)]
    long = {"loss": np.sin(np.arange(20_000, dtype=np.float32))}
    long["loss"][12_345] = 50
    (tmp_path / "m").write_bytes(packed(frames, series=long))
    rows, power, row, column, steps, count, peak = node(
        STORE
        + """const c = new Channels(store, numbers), f = store.shown(), ask = (...feed) => c.resolve(feed, f);
        const x = ask("series_steps", "loss"), y = ask("series", "loss");
        console.log(JSON.stringify([
          ask("rows", "grad.h.median").map((r) => [...r].map(String)), [...ask("frame", "grad.h.median", "pow10")],
          [...ask("frame", "states.h", "row:1")], [...ask("frame", "states.h", "col:2")], [...ask("steps", "step")],
          [x.length, y.length, x[0], x[x.length - 1]], x[y.indexOf(50)],
        ]));""",
        str(tmp_path / "m"),
    )
    medians = np.stack([f.channels["grad.h.median"] for f in frames])
    np.testing.assert_array_equal(np.array(rows, dtype=object) == "-Infinity", np.isneginf(medians))
    np.testing.assert_allclose(power, 10.0 ** medians[1].astype(float))
    np.testing.assert_array_equal(row, frames[1].channels["states.h"][1])
    np.testing.assert_array_equal(column, frames[1].channels["states.h"][:, 2])
    assert steps == [0, 10]
    assert count[0] == count[1] <= 1510
    assert count[2:] == [1, 20_000]
    assert peak == 12_346, "a spike must survive the thinning, at its own step"
