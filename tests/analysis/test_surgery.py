import numpy as np
import pytest

from rnnviz import CELLS, Experiment, RnnvizError, advance, start, trace
from rnnviz.analysis import operate
from rnnviz.model import layout
from tests.analysis.examples import random_checkpoint, with_parameters

GATES = [(cell.name, gate) for cell in CELLS.values() for gate in cell.gates]


@pytest.mark.parametrize(("cell", "gate"), [pair for pair in GATES if pair[0] != "slstm"])
def test_a_gate_held_says_what_it_was_told_at_every_step(cell: str, gate: str) -> None:
    checkpoint = random_checkpoint(Experiment(cell=cell, hidden_size=3, length=6, layers=2, bidirectional=True))
    before = trace(checkpoint)
    values = [-1.0, 0.0, 0.3, 1.0] if gate in CELLS[cell].signed_gates else [0.0, 0.25, 0.5, 1.0]
    for value in values:
        operated = operate(checkpoint, gate, "hold", value)
        tr = trace(operated)
        for layer in tr.layers:
            for half in (layer, layer.reverse):
                exact = 1e-16 if value in (-1, 0, 1) else 1e-7  # a bias is a float32
                np.testing.assert_allclose(half.gates[gate], value, rtol=exact, atol=max(exact, 1e-17))
    np.testing.assert_array_equal(trace(checkpoint).outputs, before.outputs)
    assert not operated.parameters.flags.writeable
    assert np.isfinite(advance(operated, 1).losses).all(), "an ordinary checkpoint"


def test_a_held_gate_leaves_the_others_their_weights() -> None:
    checkpoint = random_checkpoint(Experiment(cell="lstm_peephole", hidden_size=3, length=6))
    operated = operate(checkpoint, "forget", "hold", 1)
    for name, value in operated.weights.items():
        changed = (value != checkpoint.weights[name]).reshape(len(value), -1).any(1)
        rows = {"0.W_ih": range(3, 6), "0.W_hh": range(3, 6), "0.b": range(3, 6), "0.p_f": range(3)}.get(name, range(0))
        assert changed.nonzero()[0].tolist() == list(rows), name


def test_an_lstm_that_keeps_everything_and_lets_nothing_in_stays_empty() -> None:
    checkpoint = random_checkpoint(Experiment(cell="lstm", hidden_size=3, length=6))
    kept = operate(operate(checkpoint, "forget", "hold", 1), "input", "hold", 0)
    np.testing.assert_allclose(trace(kept).states["c"], 0, atol=1e-16)
    summed = operate(operate(checkpoint, "forget", "hold", 1), "input", "hold", 1)
    tr = trace(summed)
    np.testing.assert_allclose(tr.states["c"], np.cumsum(tr.gates["candidate"], 0), rtol=1e-12)


def test_the_slstms_gates_are_held_before_they_are_scaled() -> None:
    checkpoint = random_checkpoint(Experiment(cell="slstm", hidden_size=3, length=6))
    mean = operate(operate(checkpoint, "forget", "hold", 1), "input", "hold", 7.0)
    tr = trace(mean)
    steps = np.arange(1, 7)[:, None, None]
    average = np.cumsum(tr.gates["candidate"], 0) / steps
    np.testing.assert_allclose(tr.states["h"], tr.gates["output"] * average, rtol=1e-9)
    fading = trace(operate(operate(checkpoint, "forget", "hold", 0.5), "input", "hold", 1.0))
    weights = 0.5 ** (steps[::-1] - 1.0)
    np.testing.assert_allclose(
        fading.states["h"][-1],
        fading.gates["output"][-1] * (weights * fading.gates["candidate"]).sum(0) / weights.sum(),
        rtol=1e-6,
    )
    for gate, value in (("output", 0.25), ("candidate", -1.0)):
        np.testing.assert_allclose(trace(operate(checkpoint, gate, "hold", value)).gates[gate], value, rtol=1e-6)


@pytest.mark.parametrize(("cell", "gate"), GATES)
def test_a_shift_moves_one_bias(cell: str, gate: str) -> None:
    checkpoint = random_checkpoint(Experiment(cell=cell, hidden_size=3, length=4))
    operated = operate(checkpoint, gate, "shift", 1.5)
    start_row = CELLS[cell].blocks.index(gate) * 3
    wanted = {name: value.copy() for name, value in checkpoint.weights.items()}
    wanted["0.b"][start_row : start_row + 3] += 1.5
    for name, value in operated.weights.items():
        np.testing.assert_array_equal(value, wanted[name])


def test_an_lstm_with_tied_gates_is_the_coupled_one() -> None:
    experiment = Experiment(cell="lstm", hidden_size=4, task="sentiment")
    checkpoint = random_checkpoint(experiment)
    tied = trace(operate(checkpoint, "input", "tie", "forget"))
    np.testing.assert_allclose(tied.gates["input"], 1 - tied.gates["forget"], atol=1e-15)
    coupled = experiment.amend(cell="lstm_coupled")
    pieces = {
        name: value[4:] if name in ("0.W_ih", "0.W_hh", "0.b") else value for name, value in checkpoint.weights.items()
    }
    flat = np.concatenate([pieces[name].ravel() for name in layout(coupled)])
    np.testing.assert_allclose(tied.outputs, trace(with_parameters(coupled, flat)).outputs, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    ("cell", "gate", "other"),
    [
        ("lstm_peephole", "forget", "input"),
        ("gru", "reset", "update"),
        ("gru_v3", "update", "reset"),
        ("minlstm", "forget", "input"),
    ],
)
def test_gates_that_read_the_same_can_be_tied(cell: str, gate: str, other: str) -> None:
    tr = trace(operate(random_checkpoint(Experiment(cell=cell, hidden_size=3, length=5)), gate, "tie", other))
    np.testing.assert_allclose(tr.gates[gate], 1 - tr.gates[other], atol=1e-15)


def test_layers_can_be_chosen_the_decoders_too() -> None:
    checkpoint = random_checkpoint(Experiment(cell="gru", task="reverse", hidden_size=3, layers=2))
    tr = trace(operate(checkpoint, "update", "hold", 0.5, layers=["1", "decoder_0"]))
    held = [float(np.ptp(layer.gates["update"])) < 1e-12 for layer in (*tr.layers, *tr.decoder)]
    assert held == [False, True, True, False]


def test_what_cannot_be_done_is_refused() -> None:
    lstm, rnn, peephole, slstm = (
        start(Experiment(cell=cell, hidden_size=2, length=4)) for cell in ("lstm", "rnn", "lstm_peephole", "slstm")
    )
    for checkpoint, arguments, message in [
        (rnn, ("forget", "hold", 1), "gates of rnn: none. Got 'forget'"),
        (lstm, ("update", "hold", 1), "input, forget, output, candidate. Got 'update'"),
        (lstm, ("forget", "hold", 1.5), "between 0 and 1 for the forget gate of lstm. Got 1.5"),
        (lstm, ("candidate", "hold", -2), "between -1 and 1"),
        (slstm, ("input", "hold", 0), "between .* and inf"),
        (lstm, ("forget", "hold", np.nan), "a number to hold a gate. Got nan"),
        (lstm, ("forget", "shift", "much"), "a number to shift a gate. Got 'much'"),
        (lstm, ("forget", "cut", 1), "hold, shift or tie. Got 'cut'"),
        (lstm, ("forget", "tie", "candidate"), "can be tied: input, forget, output"),
        (lstm, ("forget", "tie", 1), "can be tied"),
        (lstm, ("forget", "tie", "forget"), "can be tied"),
        (peephole, ("output", "tie", "input"), "can be tied: input, forget"),
        (slstm, ("input", "tie", "forget"), "can be tied: forget, output"),
    ]:
        with pytest.raises(RnnvizError, match=message):
            operate(checkpoint, *arguments)
    with pytest.raises(RnnvizError, match=r"must be among 0. Got 1"):
        operate(lstm, "forget", "hold", 1, layers=["1"])
