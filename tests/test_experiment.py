import json
import math
import pickle
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import ValidationError

from rnnviz import Experiment, ExperimentError
from rnnviz.experiment import MEMORY_BOUND, SETTINGS
from rnnviz.tasks import TASKS

FIELDS = list(SETTINGS)
NUMERIC = [name for name in FIELDS if SETTINGS[name].choices is None]
WHOLE = [name for name in NUMERIC if Experiment.model_fields[name].annotation is int]
CHOSEN = [name for name in FIELDS if SETTINGS[name].choices is not None]


def valid_values(name: str) -> st.SearchStrategy[Any]:
    setting = SETTINGS[name]
    if setting.choices is not None:
        return st.sampled_from(list(setting.choices))
    if name in WHOLE:
        return st.integers(int(setting.lowest), int(setting.highest))
    return st.floats(setting.lowest, setting.highest)


@st.composite
def experiments(draw: st.DrawFn) -> Experiment:
    values = draw(st.fixed_dictionaries({}, optional={name: valid_values(name) for name in FIELDS}))
    try:
        return Experiment(**values)
    except ExperimentError as error:  # only the rules that span several fields may be broken here
        assume(not set(error.problems) <= {"length", "batch_size"})
        raise


def problems_of(**values: Any) -> dict[str, str]:
    with pytest.raises(ExperimentError) as caught:
        Experiment(**values)
    return caught.value.problems


# Declarations


@pytest.mark.parametrize("name", FIELDS)
def test_every_field_says_what_it_is_and_how_far_it_goes(name: str) -> None:
    setting, default = SETTINGS[name], Experiment.model_fields[name].default
    assert setting.label[0].isupper()
    assert len(setting.label) <= 24
    assert len(setting.help.split()) >= 8, "a definition, not a repetition of the name"
    assert setting.help.endswith(".")
    if setting.choices is not None:
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
    assert units == {"hidden_size": "units", "length": "steps", "batch_size": "examples", "steps": "steps"}


@pytest.mark.parametrize("name", NUMERIC)
def test_both_bounds_are_allowed_and_one_step_beyond_is_not(name: str) -> None:
    setting = SETTINGS[name]
    task = "adding"  # whose shortest length is the lowest allowed
    for bound, direction in ((setting.lowest, -math.inf), (setting.highest, math.inf)):
        value = int(bound) if name in WHOLE else float(bound)
        assert getattr(Experiment(task=task, **{name: value}), name) == value
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
    assert problems_of(cell="lstn") == {"cell": "`cell` must be one of rnn, lstm, gru. Got 'lstn'."}
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
    assert len(problems[name]) < 200


def test_a_sequence_shorter_than_its_task_needs_is_refused() -> None:
    for name, task in TASKS.items():
        assert Experiment(task=name, length=task.shortest).length == task.shortest
        if task.shortest > SETTINGS["length"].lowest:
            sentence = f"`length` must be at least {task.shortest} for the task {name}. Got {task.shortest - 1}."
            assert problems_of(task=name, length=task.shortest - 1) == {"length": sentence}


def test_sizes_that_fit_one_by_one_may_not_fit_together() -> None:
    problems = problems_of(length=1000, batch_size=256, hidden_size=256)
    assert set(problems) == {"batch_size"}
    assert "1000 × 256 × 256 × 1" in problems["batch_size"]
    assert f"{MEMORY_BOUND} MiB" in problems["batch_size"]


@given(experiments())
def test_every_valid_experiment_respects_the_memory_bound(experiment: Experiment) -> None:
    blocks = {"rnn": 1, "lstm": 4, "gru": 3}[experiment.cell]
    numbers = experiment.length * experiment.batch_size * experiment.hidden_size * experiment.layers
    # States, gates and their gradients at the very least.
    assert numbers * (2 + 2 * blocks) * 4 <= MEMORY_BOUND * 2**20


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


@given(st.dictionaries(st.sampled_from([*FIELDS, "self", "x"]), st.none() | st.floats() | st.text() | st.integers()))
def test_any_json_object_gives_an_experiment_or_sentences(values: dict[str, Any]) -> None:
    try:
        experiment = Experiment.from_json(json.dumps(values))
    except ExperimentError as error:
        assert set(error.problems) <= {*values, "length", "batch_size"}  # noqa: PT017
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
        assert getattr(experiment, name) != Experiment.model_fields[name].default
        assert SETTINGS[name].applies(experiment)


def test_links_are_short_and_exact() -> None:
    assert Experiment().to_query() == {"cell": "lstm", "task": "adding"}
    experiment = Experiment(cell="rnn", forget_bias=3, signal="sine", learning_rate=0.1 + 0.2, clip_norm=0)
    assert experiment.to_query() == {
        "cell": "rnn",
        "task": "adding",
        "learning_rate": "0.30000000000000004",
        "clip_norm": "0",
    }


# Hostile links


@given(
    st.dictionaries(
        st.sampled_from([*FIELDS, "run", "self"]), st.text() | st.floats().map(str) | st.integers().map(str)
    )
)
def test_no_link_ever_raises_and_every_deviation_is_said(query: dict[str, str]) -> None:
    experiment, notices = Experiment.from_query(query)
    for name in set(FIELDS) & set(query):
        value = getattr(experiment, name)
        honoured = value == (query[name] if name in CHOSEN else _number(query[name]))
        assert honoured or any(f"`{name}`" in notice for notice in notices), (name, query[name], value)
    for name in set(FIELDS) - set(query) - {"length"}:
        assert getattr(experiment, name) == Experiment.model_fields[name].default


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
    ],
)
def test_a_link_out_of_bounds_is_clamped_and_an_unusable_one_refused(name: str, text: str, used: Any) -> None:
    experiment, notices = Experiment.from_query({name: text})
    assert getattr(experiment, name) == used
    assert type(getattr(experiment, name)) is type(used)
    if text == "32.0":
        assert notices == []
    else:
        [notice] = notices
        assert notice.startswith(f"`{name}` must be ")
        assert "instead." in notice
        assert len(notice) < 250


def test_a_link_too_short_for_its_task_is_lengthened() -> None:
    experiment, [notice] = Experiment.from_query({"task": "temporal_order", "length": "5"})
    assert experiment == Experiment(task="temporal_order", length=10)
    assert notice.startswith("`length` must be at least 10")


def test_a_link_too_large_for_the_memory_loses_its_sizes_and_nothing_else() -> None:
    query = {
        "cell": "gru",
        "length": "1000",
        "batch_size": "256",
        "hidden_size": "256",
        "seed": "7",
        "optimizer": "sgd",
    }
    experiment, [notice] = Experiment.from_query(query)
    assert experiment == Experiment(cell="gru", seed=7, optimizer="sgd")
    assert "must fit" in notice
    assert notice.endswith("Using the default sizes instead.")


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
