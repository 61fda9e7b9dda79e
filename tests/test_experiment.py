import json
import math
import pickle
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from rnnviz import CELLS, Experiment, ExperimentError, advance, start, trace
from rnnviz.experiment import MEMORY_BOUND, SETTINGS, SIZES, default_of, read_value, written
from rnnviz.model import run_pass, training_batch
from rnnviz.tasks import TASKS

FIELDS = list(SETTINGS)
KIND: dict[str, Any] = {name: Experiment.model_fields[name].annotation for name in FIELDS}
CHOSEN = [name for name in FIELDS if KIND[name] is str]
SWITCHES = [name for name in FIELDS if KIND[name] is bool]
NUMERIC = [name for name in FIELDS if KIND[name] in (int, float)]
WHOLE = [name for name in NUMERIC if KIND[name] is int]


def valid_values(name: str) -> st.SearchStrategy[Any]:
    setting = SETTINGS[name]
    if name in SWITCHES:
        return st.booleans()
    if setting.choices is not None:
        return st.sampled_from(list(setting.choices))
    if name in WHOLE:
        return st.integers(int(setting.lowest), int(setting.highest))
    return st.floats(setting.lowest, setting.highest)


ANY_VALUES = st.fixed_dictionaries({}, optional={name: valid_values(name) for name in FIELDS})


@st.composite
def experiments(draw: st.DrawFn) -> Experiment:
    """Any there is: what does not go together is mended."""
    experiment, _ = Experiment.nearest(draw(ANY_VALUES))
    return experiment


def problems_of(**values: Any) -> dict[str, str]:
    with pytest.raises(ExperimentError) as caught:
        Experiment(**values)
    return caught.value.problems


# Declarations


@pytest.mark.parametrize("name", FIELDS)
def test_every_field_says_what_it_is_and_how_far_it_goes(name: str) -> None:
    setting, default = SETTINGS[name], Experiment.model_fields[name].default
    assert setting.label[0].isupper()
    assert len(setting.label) <= 30
    assert len(setting.help.split()) >= 8, "a definition, not a repetition of the name"
    assert setting.help.endswith(".")
    if name in SWITCHES:
        assert isinstance(default, bool)
    elif setting.choices is not None:
        assert default in setting.choices
        assert all(setting.choices.values())
    else:
        assert setting.lowest <= default <= setting.highest
        assert setting.lowest < setting.highest
        assert all(setting.lowest <= tick <= setting.highest for tick in setting.ticks)
        assert list(setting.ticks) == sorted(set(setting.ticks))
        assert not setting.ticks or default in setting.ticks, "the control has to be able to show the default"


def test_sizes_and_durations_carry_their_unit() -> None:
    units = {name: SETTINGS[name].unit for name in FIELDS if SETTINGS[name].unit}
    steps = dict.fromkeys(("length", "steps", "horizon", "gap", "bptt_window"), "steps")
    assert units == steps | {"hidden_size": "units", "batch_size": "examples"}


def test_a_tasks_own_defaults_are_what_its_experiments_start_with() -> None:
    for name, task in TASKS.items():
        experiment = Experiment(task=name)
        for field in FIELDS:
            if field != "task":
                assert getattr(experiment, field) == default_of(field, name)
            if field not in (*task.defaults, "task"):
                assert default_of(field, name) == Experiment.model_fields[field].default == default_of(field)
        for field, value in task.defaults.items():
            assert default_of(field, name) == value
    assert default_of("length", "no such task") == 50


@pytest.mark.parametrize("name", NUMERIC)
def test_both_bounds_are_allowed_and_one_step_beyond_is_not(name: str) -> None:
    setting = SETTINGS[name]
    task = "reverse" if name == "length" else "adding"  # the task whose shortest length is the lowest allowed
    for bound, direction in ((setting.lowest, -math.inf), (setting.highest, math.inf)):
        value = int(bound) if name in WHOLE else float(bound)
        if name != "length" or bound == setting.lowest:
            assert getattr(Experiment(task=task, **{name: value}), name) == value
        else:
            assert Experiment(task="adding", length=value).length == value
        beyond = value + int(math.copysign(1, direction)) if name in WHOLE else math.nextafter(value, direction)
        assert set(problems_of(task=task, **{name: beyond})) == {name}


def test_an_experiment_cannot_be_changed() -> None:
    experiment = Experiment()
    with pytest.raises(ValidationError, match="frozen"):
        experiment.seed = 5  # type: ignore[misc]
    assert experiment.seed == 0


# Errors


def test_the_sentence_names_the_field_the_rule_and_the_value() -> None:
    assert problems_of(hidden_size=0) == {"hidden_size": "`hidden_size` must be between 1 and 256. Got 0."}
    assert problems_of(cell="lstn") == {"cell": f"`cell` must be one of {', '.join(CELLS)}. Got 'lstn'."}
    assert problems_of(bidirectional=1) == {"bidirectional": "`bidirectional` must be true or false. Got 1."}
    assert problems_of(layers=1.5) == {"layers": "`layers` must be a whole number between 1 and 8. Got 1.5."}
    assert problems_of(learning_rate="fast") == {
        "learning_rate": "`learning_rate` must be a number between 1e-06 and 10. Got 'fast'."
    }
    assert problems_of(momentum=1) == {"momentum": "`momentum` is not a field of Experiment."}


def test_several_bad_fields_get_one_sentence_each() -> None:
    with pytest.raises(ExperimentError) as caught:
        Experiment(hidden_size=0, cell="x", learning_rate=-1, unheard_of=3)
    assert set(caught.value.problems) == {"hidden_size", "cell", "learning_rate", "unheard_of"}
    assert str(caught.value).splitlines() == list(caught.value.problems.values())


@pytest.mark.parametrize("name", NUMERIC)
@pytest.mark.parametrize(
    "value", [math.nan, math.inf, -math.inf, 1e9 * 10, 10**400, -(10**400), True, None, "5", [1], {}, 1j, b"1"]
)
def test_no_strange_value_is_taken_for_a_number(name: str, value: Any) -> None:
    problems = problems_of(**{name: value})
    assert set(problems) == {name}
    assert problems[name].startswith(f"`{name}` must be ")
    assert len(problems[name]) < 160


@pytest.mark.parametrize("name", CHOSEN)
@pytest.mark.parametrize(
    "value", ["", "LSTM", "<script>alert(1)</script>", "x" * 10**5, 0, None, ["lstm"], {}, "\ud800"]
)
def test_no_strange_value_is_taken_for_a_choice(name: str, value: Any) -> None:
    problems = problems_of(**{name: value})
    assert set(problems) == {name}
    assert len(problems[name]) < 300


@pytest.mark.parametrize("name", SWITCHES)
@pytest.mark.parametrize("value", [0, 1, "true", "", None, 0.5, [], "x" * 10**5])
def test_no_strange_value_is_taken_for_a_switch(name: str, value: Any) -> None:
    problems = problems_of(**{name: value})
    assert set(problems) == {name}
    assert problems[name].startswith(f"`{name}` must be true or false. Got ")
    assert len(problems[name]) < 100


@pytest.mark.parametrize("cell", CELLS)
def test_an_initialisation_is_refused_where_the_cell_has_no_use_for_it(cell: str) -> None:
    for kind in SETTINGS["initialisation"].choices or ():
        if kind in CELLS[cell].initialisations:
            assert Experiment(cell=cell, initialisation=kind).initialisation == kind
        else:
            [(name, sentence)] = problems_of(cell=cell, initialisation=kind).items()
            assert name == "initialisation"
            assert sentence.endswith(f"for the cell {cell}. Got {kind!r}.")


def test_fresh_lengths_and_fixed_examples_do_not_go_together() -> None:
    assert set(problems_of(curriculum=True, examples=16)) == {"curriculum"}
    assert set(problems_of(task="random_labels", curriculum=True)) == {"curriculum"}
    assert Experiment(task="random_labels", curriculum=True, examples=0).curriculum


@pytest.mark.parametrize("name", TASKS)
def test_a_sequence_shorter_or_longer_than_its_task_can_be_is_refused(name: str) -> None:
    task = TASKS[name]
    for length, at in ((task.shortest - 1, f"at least {task.shortest}"), (task.longest + 1, f"at most {task.longest}")):
        if SETTINGS["length"].lowest <= length <= SETTINGS["length"].highest:
            sentence = f"`length` must be {at} for the task {name}. Got {length}."
            assert problems_of(task=name, length=length) == {"length": sentence}
    for length in (task.shortest, task.longest):
        experiment, notices = Experiment.nearest({"task": name, "length": length})
        assert experiment.length == length
        assert not [notice for notice in notices if notice.startswith("`length`")]


@pytest.mark.parametrize("name", [name for name, task in TASKS.items() if "gap" in task.options])
def test_a_gap_that_does_not_fit_is_refused_in_the_tasks_own_words(name: str) -> None:
    refused = {}
    for length in {TASKS[name].shortest, default_of("length", name)}:
        for gap in range(1, 21):
            sentence = TASKS[name].misfit(Experiment(task=name).setup._replace(length=length, gap=gap))
            if sentence:
                refused[length, gap] = problems_of(task=name, length=length, gap=gap)
                assert refused[length, gap] == dict([sentence])
            else:
                assert Experiment(task=name, length=length, gap=gap).gap == gap
    assert refused
    assert all("`gap` must be" in sentence for problems in refused.values() for sentence in problems.values())


def test_sizes_that_fit_one_by_one_may_not_fit_together() -> None:
    problems = problems_of(length=1000, batch_size=256, hidden_size=256)
    assert set(problems) == {"batch_size"}
    assert "1000 × 256 × 256 × 1" in problems["batch_size"]
    assert f"{MEMORY_BOUND} MiB" in problems["batch_size"]
    estimate = int(problems["batch_size"].rsplit("about ", 1)[1].split()[0])
    assert estimate > MEMORY_BOUND


@given(experiments())
def test_every_valid_experiment_respects_the_memory_bound(experiment: Experiment) -> None:
    assert experiment.activation_memory <= MEMORY_BOUND
    sizes = experiment.length * experiment.batch_size * experiment.hidden_size * experiment.layers
    kept = len(CELLS[experiment.cell].states) + len(CELLS[experiment.cell].gates)
    # States and gates and their gradients at the very least, float32.
    assert sizes * (1 + experiment.bidirectional) * 2 * kept * 4 <= MEMORY_BOUND * 2**20


KEPT: list[dict[str, Any]] = [{"cell": cell} for cell in CELLS]
KEPT += [
    {"cell": "gru", "layers": 3, "residual": True, "layer_norm": True},
    {"cell": "lstm", "bidirectional": True, "readout": "attention"},
    {"cell": "rnn", "task": "reverse"},
]


@pytest.mark.parametrize("fields", KEPT, ids=lambda fields: "-".join(map(str, fields)) + "-" + fields["cell"])
def test_the_estimate_of_memory_covers_what_a_pass_still_holds_when_it_is_done(fields: dict[str, Any]) -> None:
    """The peak is higher, and only the operating system knows it; this much is certain to be there at once."""
    experiment = Experiment(**({"length": 40, "batch_size": 32, "hidden_size": 64} | fields))
    done = run_pass(experiment, torch.tensor(start(experiment).parameters), training_batch(experiment, 0))
    held: dict[int, int] = {}
    for layer in done.layers:
        tape, gradients = layer.tape, layer.gradients
        groups = (tape.states, tape.gates, tape.extra, gradients.states, gradients.preactivations)
        for storage in (value.untyped_storage() for group in groups for value in group.values()):
            held[storage.data_ptr()] = storage.nbytes()  # views share one
    assert 0.15 < sum(held.values()) / 2**20 / experiment.activation_memory < 1


@given(experiments(), st.sampled_from(SIZES))
def test_more_of_anything_needs_more_memory(experiment: Experiment, name: str) -> None:
    more = experiment.model_copy(update={name: 2 * getattr(experiment, name)})
    assert more.activation_memory >= experiment.activation_memory
    both = experiment.model_copy(update={"bidirectional": True})
    assert both.activation_memory >= experiment.activation_memory


def test_the_error_survives_a_trip_between_processes() -> None:
    with pytest.raises(ExperimentError) as caught:
        Experiment(hidden_size=0, layers=99)
    returned = pickle.loads(pickle.dumps(caught.value))
    assert type(returned) is ExperimentError
    assert returned.problems == caught.value.problems
    assert str(returned) == str(caught.value)


# Round trips


@given(experiments())
def test_json_and_pickle_give_back_the_same_experiment(experiment: Experiment) -> None:
    assert Experiment.from_json(experiment.to_json()) == experiment
    assert pickle.loads(pickle.dumps(experiment)) == experiment
    assert set(json.loads(experiment.to_json())) == set(FIELDS)


def test_json_may_leave_fields_out() -> None:
    assert Experiment.from_json('{"cell": "gru", "length": 20}') == Experiment(cell="gru", length=20)
    assert Experiment.from_json("{}") == Experiment()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "[1]",
        "3",
        "null",
        '"lstm"',
        '{"seed": NaN}',
        '{"seed": 1e999}',
        '{"self": 1}',
        '{"": 1}',
        "[" * 10**5,
    ]
    + [f'{{"seed": {"9" * digits}}}' for digits in (400, 5000)],
)
def test_hostile_json_gets_a_sentence(text: str) -> None:
    with pytest.raises(ExperimentError) as caught:
        Experiment.from_json(text)
    assert str(caught.value)


TOGETHER = ("length", "batch_size", "gap", "initialisation", "curriculum")  # named by rules over several fields


@given(st.dictionaries(st.sampled_from([*FIELDS, "self", "x"]), st.none() | st.floats() | st.text() | st.integers()))
def test_any_json_object_gives_an_experiment_or_sentences(values: dict[str, Any]) -> None:
    try:
        experiment = Experiment.from_json(json.dumps(values))
    except ExperimentError as error:
        assert set(error.problems) <= {*values, *TOGETHER}  # noqa: PT017
    else:
        assert all(getattr(experiment, name) == value for name, value in values.items())


@given(experiments())
def test_a_link_gives_back_every_field_that_applies_exactly(experiment: Experiment) -> None:
    query = experiment.to_query()
    back, notices = Experiment.from_query(query)
    assert notices == []
    assert back.differs_in(experiment) == set()
    for name, setting in SETTINGS.items():
        if setting.applies(experiment):
            assert getattr(back, name) == getattr(experiment, name), name
    assert back.to_query() == query


@given(experiments())
def test_a_link_holds_nothing_it_could_leave_out(experiment: Experiment) -> None:
    for name in set(experiment.to_query()) - {"cell", "task"}:
        assert getattr(experiment, name) != default_of(name, experiment.task)
        assert SETTINGS[name].applies(experiment)


def test_links_are_short_and_exact() -> None:
    assert Experiment().to_query() == {"cell": "lstm", "task": "adding"}
    experiment = Experiment(
        cell="rnn",
        forget_bias=3,
        signal="sine",
        learning_rate=0.1 + 0.2,
        clip_norm=0,
        bidirectional=True,
        residual=True,
    )
    assert experiment.to_query() == {
        "cell": "rnn",
        "bidirectional": "true",
        "task": "adding",
        "learning_rate": "0.30000000000000004",
        "clip_norm": "0",
    }
    assert Experiment(task="random_labels").to_query() == {"cell": "lstm", "task": "random_labels"}
    assert Experiment(task="random_labels", examples=0).to_query()["examples"] == "0"


# Hostile links


@given(
    st.dictionaries(
        st.sampled_from([*FIELDS, "run", "self"]),
        st.text() | st.floats().map(str) | st.integers().map(str) | st.sampled_from([*CELLS, *TASKS, "true", "0", "1"]),
    )
)
def test_no_link_ever_raises_and_every_deviation_is_said(query: dict[str, str]) -> None:
    experiment, notices = Experiment.from_query(query)
    for name in set(FIELDS) & set(query):
        value = getattr(experiment, name)
        honoured = value == _read(name, query[name])
        assert honoured or any(f"`{name}`" in notice for notice in notices), (name, query[name], value)
    for name in set(FIELDS) - set(query) - {"length"}:
        given_way = any(f"`{name}`" in notice for notice in notices)
        assert given_way or getattr(experiment, name) == default_of(name, experiment.task)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            name: valid_values(name).map(lambda v: str(v).lower() if isinstance(v, bool) else str(v)) for name in FIELDS
        },
    )
)
def test_a_link_of_usable_values_keeps_cell_and_task_whatever_else_gives_way(query: dict[str, str]) -> None:
    experiment, notices = Experiment.from_query(query)
    assert experiment.cell == query.get("cell", "lstm")
    assert experiment.task == query.get("task", "adding")
    for name, text in query.items():
        assert getattr(experiment, name) == _read(name, text) or any(f"`{name}`" in notice for notice in notices)


def _read(name: str, text: str) -> object:
    if name in CHOSEN:
        return text
    return (
        {"true": True, "1": True, "false": False, "0": False}.get(text.lower()) if name in SWITCHES else _number(text)
    )


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


@pytest.mark.parametrize(
    ("name", "text", "used"),
    [
        ("hidden_size", "1e9", 256),
        ("hidden_size", "-7", 1),
        ("hidden_size", "32.0", 32),
        ("hidden_size", "nan", 32),
        ("hidden_size", "inf", 256),
        ("hidden_size", "9" * 5000, 256),
        ("seed", "-inf", 0),
        ("learning_rate", "1e9", 10.0),
        ("learning_rate", "0", 1e-6),
        ("learning_rate", "nan", 0.005),
        ("learning_rate", "<script>alert(1)</script>", 0.005),
        ("cell", "<script>alert(1)</script>", "lstm"),
        ("cell", "x" * 10**5, "lstm"),
        ("cell", "", "lstm"),
        ("layers", "", 1),
        ("layers", "2.5", 2),
        ("bidirectional", "TRUE", True),
        ("bidirectional", "0", False),
        ("bidirectional", "yes", False),
        ("attention", "", True),
        ("dropout", "1", 0.9),
        ("readout", "first", "last"),
        ("bptt_window", "-1", 0),
    ],
)
def test_a_link_out_of_bounds_is_clamped_and_an_unusable_one_refused(name: str, text: str, used: Any) -> None:
    experiment, notices = Experiment.from_query({name: text})
    assert getattr(experiment, name) == used
    assert type(getattr(experiment, name)) is type(used)
    if text in ("32.0", "TRUE", "0") and name != "learning_rate":
        assert notices == []
    else:
        [notice] = notices
        assert notice.startswith(f"`{name}` must be ")
        assert "instead." in notice
        assert len(notice) < 350


def test_a_link_too_short_for_its_task_is_lengthened() -> None:
    experiment, [notice] = Experiment.from_query({"task": "temporal_order", "length": "5"})
    assert experiment == Experiment(task="temporal_order", length=10)
    assert notice.startswith("`length` must be at least 10")


def test_an_unusable_value_falls_back_to_the_default_of_the_links_own_task() -> None:
    for query in ({"bidirectional": "perhaps", "task": "xor_last"}, {"task": "xor_last", "bidirectional": "perhaps"}):
        experiment, [notice] = Experiment.from_query(query)
        assert experiment == Experiment(task="xor_last")
        assert notice == "`bidirectional` must be true or false. Got 'perhaps'. Using true instead."
    experiment, _ = Experiment.from_query({"task": "random_labels", "examples": "many"})
    assert experiment.examples == default_of("examples", "random_labels") > 0


def test_a_link_too_large_for_the_memory_loses_size_until_it_fits_and_nothing_else() -> None:
    query = {
        "cell": "gru",
        "length": "1000",
        "batch_size": "256",
        "hidden_size": "256",
        "seed": "7",
        "optimizer": "sgd",
    }
    experiment, [notice] = Experiment.from_query(query)
    asked = Experiment(cell="gru", seed=7, optimizer="sgd", hidden_size=256)
    assert experiment == asked.amend(batch_size=experiment.batch_size, length=1000), "the batch gives way first"
    assert 32 <= experiment.batch_size < 256
    assert 0.9 * MEMORY_BOUND < experiment.activation_memory <= MEMORY_BOUND
    assert "must fit" in notice
    assert notice.endswith(f"Using `batch_size` {experiment.batch_size} instead.")
    much, [notice] = Experiment.from_query(query | {"length": "2000", "layers": "8", "cell": "slstm"})
    assert (much.batch_size, much.hidden_size, much.layers) == (32, 256, 8)
    assert notice.endswith(f"Using `length` {much.length}, `batch_size` 32 instead.")


# What gives way


@given(ANY_VALUES)
def test_values_right_by_themselves_always_make_an_experiment_of_that_cell_and_task(values: dict[str, Any]) -> None:
    experiment, notices = Experiment.nearest(values)
    assert experiment.cell == values.get("cell", "lstm")
    assert experiment.task == values.get("task", "adding")
    assert len(notices) == len(set(notices)), "each sentence once"
    for name, value in values.items():
        kept = getattr(experiment, name) == value
        assert kept or any(f"`{name}`" in notice for notice in notices), name
    try:
        wanted = Experiment(**values)
    except ExperimentError:
        assert notices
    else:
        assert experiment == wanted
        assert notices == []


@given(experiments(), ANY_VALUES)
def test_a_switch_honours_what_was_changed_and_lets_the_rest_give_way(old: Experiment, changes: dict[str, Any]) -> None:
    new, notices = old.switch(**changes)
    assert new.cell == changes.get("cell", old.cell)
    assert new.task == changes.get("task", old.task)
    for name, value in changes.items():
        assert getattr(new, name) == value or any(f"`{name}`" in notice for notice in notices)
    if new.task == old.task and not notices:
        for name in set(FIELDS) - set(changes):
            assert getattr(new, name) == getattr(old, name)


def test_another_task_starts_with_its_own_defaults_and_keeps_the_network_and_the_training() -> None:
    old = Experiment(cell="gru", length=200, hidden_size=7, learning_rate=0.1, seed=5)
    new, notices = old.switch(task="random_labels")
    assert new == Experiment(cell="gru", hidden_size=7, learning_rate=0.1, seed=5, task="random_labels")
    assert (new.length, new.examples) == (5, 64)
    assert notices == []
    back, _ = new.switch(task="adding")
    assert back == old.amend(length=50)
    assert old.switch(task="random_labels", length=9)[0].length == 9
    assert old.switch(hidden_size=9)[0] == old.amend(hidden_size=9)


def test_a_tasks_own_default_for_the_network_comes_and_goes_with_it() -> None:
    there, _ = Experiment(hidden_size=7).switch(task="xor_last")
    assert there.bidirectional
    back, _ = there.switch(task="adding")
    assert not back.bidirectional
    kept, _ = there.switch(bidirectional=False)[0].switch(task="adding")
    assert not kept.bidirectional
    asked, _ = Experiment().switch(task="xor_last", bidirectional=False)
    assert not asked.bidirectional


def test_another_cell_keeps_what_it_can_use() -> None:
    new, [notice] = Experiment(cell="rnn", initialisation="orthogonal", seed=3).switch(cell="mingru")
    assert new == Experiment(cell="mingru", seed=3)
    assert notice.startswith("`initialisation` must be one of")
    assert notice.endswith("Using `initialisation` 'default' instead.")


@pytest.mark.parametrize(
    "changes", [{"task": "nonsense"}, {"task": ["adding"]}, {"hidden_size": 0}, {"nonsense": 1}, {"cell": None}]
)
def test_a_switch_to_a_value_that_breaks_a_rule_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ExperimentError) as caught:
        Experiment().switch(**changes)
    assert set(caught.value.problems) == set(changes)


# What is allowed, but not what it seems


@pytest.mark.parametrize("name", TASKS)
def test_reading_backwards_where_the_answer_comes_later_is_warned_of(name: str) -> None:
    both, alone = (Experiment(task=name, bidirectional=way) for way in (True, False))
    assert any("future" in warning for warning in both.warnings) == TASKS[name].leaks
    assert alone.warnings == []
    assert all(warning.endswith(".") for warning in both.warnings)


def test_fresh_random_labels_are_warned_of() -> None:
    assert Experiment(task="random_labels").warnings == []
    assert Experiment(task="random_labels", examples=0).warnings


# The lattice

SMALL: dict[str, st.SearchStrategy[Any]] = {
    "hidden_size": st.integers(1, 5),
    "layers": st.integers(1, 3),
    "length": st.sampled_from([2, 3, 5, 8, 9, 11, 13, 24, 26]),
    "batch_size": st.integers(1, 4),
    "examples": st.sampled_from([0, 0, 1, 5]),
    "gap": st.integers(1, 6),
    "steps": st.integers(1, 4),
    "learning_rate": st.sampled_from([1e-6, 0.005, 0.1]),
    "bptt_window": st.integers(0, 5),
}
FREE = ("cell", "task", "initialisation", "optimizer", "readout", "activation", "schedule", "signal")


@settings(max_examples=150)
@given(
    st.fixed_dictionaries(
        {name: SMALL[name] if name in SMALL else valid_values(name) for name in (*SMALL, *FREE)},
        optional={name: valid_values(name) for name in FIELDS if name not in SMALL and name not in FREE},
    )
)
def test_any_combination_is_refused_in_sentences_or_trains(values: dict[str, Any]) -> None:
    try:
        experiment = Experiment(**values)
    except ExperimentError as error:
        assert set(error.problems) <= set(TOGETHER)  # noqa: PT017
        for name, sentence in error.problems.items():
            assert sentence.startswith(f"`{name}` ") or name == "batch_size"
            assert sentence.endswith(".")
        experiment, notices = Experiment.nearest(values)
        assert notices
    done = advance(start(experiment), 1)
    assert done.diverged is None
    assert np.isfinite(done.losses).all()
    assert np.isfinite(done.grad_norms).all()
    assert np.isfinite(done.checkpoint.parameters).all()
    [picture] = done.frames
    assert all(math.isfinite(value) for value in picture.scalars.values()), picture.scalars
    tr = trace(done.checkpoint)
    assert np.isfinite(tr.losses).all()
    assert np.isfinite(tr.outputs).all()
    assert all(np.isfinite(grads).all() for grads in tr.state_grads.values())


@settings(max_examples=40)
@given(st.fixed_dictionaries({name: SMALL[name] if name in SMALL else valid_values(name) for name in FIELDS}))
def test_the_wildest_training_ends_in_a_sentence_at_worst(values: dict[str, Any]) -> None:
    experiment, _ = Experiment.nearest(values | {"learning_rate": 10.0, "clip_norm": 0.0, "steps": 9})
    done = advance(start(experiment), 9, record_every=3)
    assert done.diverged is None or done.diverged.endswith(".")
    assert np.isfinite(done.checkpoint.parameters).all()


# Relations between experiments


def test_amend_gives_a_changed_copy_under_the_same_rules() -> None:
    first = Experiment(cell="gru", seed=3)
    assert first.amend(learning_rate=0.1) == Experiment(cell="gru", seed=3, learning_rate=0.1)
    assert first == Experiment(cell="gru", seed=3)
    with pytest.raises(ExperimentError, match="`task` must be one of"):
        first.amend(task="none")


def test_only_fields_that_matter_count_as_a_difference() -> None:
    lstm, gru = Experiment(cell="lstm"), Experiment(cell="gru")
    assert lstm.differs_in(lstm.amend(activation="relu", signal="sine", spectral_radius=2)) == set()
    assert gru.differs_in(gru.amend(forget_bias=3)) == set()
    assert lstm.differs_in(lstm.amend(forget_bias=3, seed=1)) == {"forget_bias", "seed"}
    # It matters to one of the two.
    assert gru.differs_in(lstm.amend(forget_bias=3)) == {"cell", "forget_bias"}
    assert lstm.amend(forget_bias=3).differs_in(gru) == {"cell", "forget_bias"}


@given(steps=st.integers(1, 400), length=st.integers(4, 60))
def test_a_growing_length_starts_shortest_and_is_whole_halfway(steps: int, length: int) -> None:
    growing = Experiment(length=length, steps=steps, curriculum=True)
    lengths = [growing.length_at(step) for step in range(steps)]
    assert lengths == sorted(lengths)
    assert lengths[0] == 4
    assert all(now == length for now in lengths[(steps + 1) // 2 :])
    assert {Experiment(length=length).length_at(step) for step in (0, 7)} == {length}


@given(st.data())
def test_a_value_alone_reads_back_as_it_was_written(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(FIELDS))
    value = data.draw(valid_values(name))
    assert read_value(name, written(value)) == value


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("length", "1", "`length` must be between 2 and 2000. Got 1."),
        ("cell", "tnn", "`cell` must be one of rnn"),
        ("bidirectional", "maybe", "`bidirectional` must be true or false. Got 'maybe'."),
        ("colour", "red", "`colour` is not a field of Experiment."),
    ],
)
def test_a_value_alone_that_breaks_its_rule_is_refused(name: str, text: str, said: str) -> None:
    with pytest.raises(ExperimentError, match=said):
        read_value(name, text)
