"""The page that shows the network as a program."""

import ast

import pytest

from rnnviz.scratch import PROGRAMS
from rnnviz.ui.server import registry

SMALL = {"hidden_size": 4, "length": 12, "batch_size": 4}


def code(seen):
    """With the last end of line, which Streamlit takes away."""
    return [f"{element.value}\n" for element in seen.at.main.get("code")]


def downloads(seen):
    return [element.proto.label for element in seen.at.main.get("download_button")]


def choose(seen, *libraries):
    seen.at.main.get("button_group")[0].set_value(list(libraries)).run()
    seen.check()


@pytest.mark.parametrize(
    "query", [{"cell": "gru", "task": "latch"}, {"cell": "rnn", "activation": "relu", "layers": 2}]
)
def test_a_link_opens_the_programs_of_its_experiment_side_by_side(visit, query):
    seen = visit("from_scratch", **query, **SMALL)
    assert seen.run.experiment.cell == query["cell"]
    assert code(seen) == [PROGRAMS["numpy"](seen.run.experiment)]
    choose(seen, "numpy", "torch", "keras")
    assert code(seen) == [write(seen.run.experiment) for write in PROGRAMS.values()]
    for text in code(seen):
        ast.parse(text)
    assert seen.at.query_params["cell"] == query["cell"]


def test_the_sidebar_steers_the_programs(visit):
    seen = visit("from_scratch", **SMALL)
    seen.set("cell", "gru")
    assert "b_hn" in code(seen)[0]
    seen.set("hidden_size", 8)
    assert code(seen) == [PROGRAMS["numpy"](seen.run.experiment)]


def test_the_program_the_numbers_and_a_text_it_reads_can_be_taken_home(visit):
    seen = visit("from_scratch", cell="gru", task="text", **SMALL)
    assert downloads(seen) == ["gru_text_numpy.py", "text.txt", "The app’s numbers"]


def test_what_has_no_program_says_so_and_shows_none(visit):
    seen = visit("from_scratch", cell="lru")
    assert not code(seen)
    assert "`cell` = lru" in seen.at.info[0].value
    assert not downloads(seen)
    seen.press("Change to cell: LSTM")
    assert code(seen) == [PROGRAMS["numpy"](seen.run.experiment)]


def test_a_setting_without_program_can_be_given_up(visit):
    seen = visit("from_scratch", bidirectional=True, **SMALL)
    assert not code(seen)
    seen.press("Change to bidirectional: off")
    assert not seen.run.experiment.bidirectional
    assert code(seen)


def test_what_keras_has_not_leaves_the_others(visit):
    seen = visit("from_scratch", cell="mgu", **SMALL)
    choose(seen, "numpy", "keras")
    assert len(code(seen)) == 1
    assert "Keras has no layer" in seen.at.info[0].value


def test_nothing_chosen_is_the_first(visit):
    seen = visit("from_scratch", **SMALL)
    choose(seen)
    assert code(seen) == [PROGRAMS["numpy"](seen.run.experiment)]


def test_the_promise_names_the_first_line_the_program_prints(visit):
    seen = visit("from_scratch", **SMALL)
    promise = next(caption.value for caption in seen.at.main.caption if "ten decimals" in caption.value)
    first = next(line for line in code(seen)[0].splitlines() if line.startswith("In float64"))
    for number in (word.strip(",.") for word in first.split() if "." in word and word[0].isdigit()):
        assert number in promise


def test_the_run_goes_along_from_page_to_page(visit):
    seen = visit(cell="gru", **SMALL)
    run = seen.run
    seen.at.switch_page("pages/from_scratch.py").run()
    seen.check()
    assert seen.run is run
    assert seen.at.query_params["run"] == run.id
    links = [link.proto for link in seen.at.main.get("page_link")]
    assert any(link.query_string and f"run={run.id}" in link.query_string for link in links)
    seen.at.switch_page("pages/playground.py").run()
    seen.check()
    assert seen.run is run
    assert registry().find(run.id) is run
