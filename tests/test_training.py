"""A run is a pure function of its checkpoint, and its steps are PyTorch's."""

import pickle
import re
from dataclasses import FrozenInstanceError, replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnviz import CELLS, TASKS, Checkpoint, Experiment, ExperimentError, RnnvizError, Slice, advance, start
from rnnviz.arithmetic import flushed_denormals, one_thread
from rnnviz.experiment import OPTIMIZERS
from rnnviz.model import run_pass, training_batch
from rnnviz.tracing import frame

SMALL = Experiment(cell="gru", hidden_size=4, length=8, batch_size=4, seed=1)


def bits(checkpoint: Checkpoint) -> tuple[Any, ...]:
    state = {name: array.tobytes() for name, array in checkpoint.optimizer_state.items()}
    return checkpoint.experiment, checkpoint.step, checkpoint.parameters.tobytes(), state


def numbers(*slices: Slice) -> list[bytes]:
    series = ("losses", "grad_norms", "clipped_norms", "accuracies")
    return [np.concatenate([getattr(done, name) for done in slices]).tobytes() for name in series]


# What one step does


def torch_optimizer(experiment: Experiment, p: torch.nn.Parameter) -> torch.optim.Optimizer:
    rate = experiment.learning_rate
    return {
        "sgd": lambda: torch.optim.SGD([p], rate),
        "momentum": lambda: torch.optim.SGD([p], rate, momentum=0.9),
        "adam": lambda: torch.optim.Adam([p], rate),
        "rmsprop": lambda: torch.optim.RMSprop([p], rate),
    }[experiment.optimizer]()


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("clip", [0, 0.05])
def test_twenty_steps_equal_torch_optim(name: str, clip: float) -> None:
    experiment = SMALL.amend(optimizer=name, clip_norm=clip, learning_rate=0.02)
    ours, p = start(experiment), torch.nn.Parameter(torch.tensor(start(experiment).parameters))
    optimizer, norms, clipped = torch_optimizer(experiment, p), [], []
    for step in range(20):
        # The same gradient for both: taken where our run stands, for differences must not feed back through the network.
        p.grad = run_pass(
            experiment, torch.tensor(ours.parameters), training_batch(experiment, step)
        ).parameter_gradient
        norms.append(float(p.grad.norm()))
        if clip:
            torch.nn.utils.clip_grad_norm_([p], clip)
        clipped.append(float(p.grad.norm()))
        optimizer.step()
        done = advance(ours, 1, record_last=False)
        ours = done.checkpoint
        np.testing.assert_allclose(done.grad_norms, norms[-1], rtol=1e-5)
        np.testing.assert_allclose(done.clipped_norms, clipped[-1], rtol=1e-4)
        np.testing.assert_allclose(ours.parameters, p.detach().numpy(), rtol=0, atol=1e-6 if not clip else 1e-5)
    assert np.abs(ours.parameters - start(experiment).parameters).max() > 1e-3, "something moved"
    assert (min(norms) > clip) if clip else norms == clipped


def test_clipping_is_recorded_before_and_after_and_leaves_small_gradients_alone() -> None:
    free = advance(start(SMALL.amend(clip_norm=0, optimizer="sgd")), 15)
    np.testing.assert_array_equal(free.grad_norms, free.clipped_norms)
    bound = float(np.median(free.grad_norms))
    done = advance(start(SMALL.amend(clip_norm=bound, optimizer="sgd")), 15)
    np.testing.assert_allclose(done.clipped_norms, np.minimum(done.grad_norms, bound), rtol=1e-6)
    assert 0 < (done.grad_norms > bound).sum() < 15
    # A step of plain SGD is as long as the clipped norm says.
    moved = np.linalg.norm(
        done.checkpoint.parameters - advance(start(done.checkpoint.experiment), 14).checkpoint.parameters
    )
    assert moved == pytest.approx(done.clipped_norms[-1] * SMALL.learning_rate, rel=1e-4)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("task", TASKS)
def test_the_recorded_loss_is_that_of_the_fresh_batch_before_the_update(cell: str, task: str) -> None:
    experiment = Experiment(cell=cell, task=task, hidden_size=4, length=12, batch_size=5)
    checkpoint = advance(start(experiment), 3).checkpoint
    done = advance(checkpoint, 1)
    expected = run_pass(experiment, torch.tensor(checkpoint.parameters), training_batch(experiment, 3))
    assert done.losses.tolist() == pytest.approx([float(expected.losses.mean())], rel=1e-6)
    if expected.correct is None:
        assert done.accuracies.shape == (0,)
    else:
        assert done.accuracies.tolist() == pytest.approx([float(expected.correct.double().mean())])


# The same bits, however it is cut

WHOLE = {name: advance(start(SMALL.amend(optimizer=name)), 12) for name in OPTIMIZERS}


@settings(max_examples=20)
@given(st.sampled_from(list(OPTIMIZERS)), st.sets(st.integers(1, 11)), st.booleans())
def test_pausing_changes_no_bit(optimizer: str, pauses: set[int], through_pickle: bool) -> None:
    checkpoint, slices = start(SMALL.amend(optimizer=optimizer)), []
    for until in [*sorted(pauses), 12]:
        slices.append(advance(checkpoint, until - checkpoint.step, record_every=3))
        checkpoint = slices[-1].checkpoint
        if through_pickle:
            checkpoint = pickle.loads(pickle.dumps(checkpoint))
    assert bits(checkpoint) == bits(WHOLE[optimizer].checkpoint)
    assert numbers(*slices) == numbers(WHOLE[optimizer])


def test_slices_cut_by_the_clock_change_no_bit() -> None:
    checkpoint, slices = start(SMALL), []
    while checkpoint.step < 12:
        slices.append(advance(checkpoint, 12 - checkpoint.step, seconds=1e-9 if checkpoint.step % 2 else 1e-3))
        checkpoint = slices[-1].checkpoint
    assert len(slices) > 2
    assert bits(checkpoint) == bits(WHOLE["adam"].checkpoint)
    assert numbers(*slices) == numbers(WHOLE["adam"])


def test_rewinding_to_an_older_checkpoint_gives_the_same_future_again() -> None:
    fifth = advance(start(SMALL), 5).checkpoint
    before = bits(fifth)
    once, again = advance(fifth, 7), advance(fifth, 7)
    assert bits(fifth) == before, "advance leaves its checkpoint alone"
    assert bits(once.checkpoint) == bits(again.checkpoint) == bits(WHOLE["adam"].checkpoint)
    assert numbers(once) == numbers(again)
    for name, values in once.frames[-1].channels.items():
        assert values.tobytes() == again.frames[-1].channels[name].tobytes()


def test_watching_changes_no_bit() -> None:
    watched = advance(start(SMALL), 12, record_every=1)
    assert bits(watched.checkpoint) == bits(WHOLE["adam"].checkpoint)


def test_a_run_does_not_depend_on_the_random_state_threads_or_denormals_around_it() -> None:
    torch.manual_seed(99)
    np.random.seed(99)  # noqa: NPY002
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    torch.set_flush_denormal(True)
    try:
        done = advance(start(SMALL), 12)
    finally:
        torch.set_num_threads(threads)
        torch.set_flush_denormal(False)
    assert bits(done.checkpoint) == bits(WHOLE["adam"].checkpoint)


def test_a_checkpoint_cannot_be_changed() -> None:
    for checkpoint in (start(SMALL), advance(start(SMALL), 1).checkpoint):
        for array in (checkpoint.parameters, *checkpoint.optimizer_state.values(), *checkpoint.weights.values()):
            with pytest.raises(ValueError, match="read-only"):
                array[...] = 0
        with pytest.raises(FrozenInstanceError):
            checkpoint.step = 3  # type: ignore[misc]


# Changing settings mid-run


def test_amend_changes_what_comes_and_not_what_was() -> None:
    checkpoint = advance(start(SMALL), 5).checkpoint
    faster = checkpoint.amend(learning_rate=0.5, clip_norm=2, steps=7)
    assert faster.experiment == SMALL.amend(learning_rate=0.5, clip_norm=2, steps=7)
    assert bits(faster)[1:] == bits(checkpoint)[1:]
    assert checkpoint.experiment == SMALL
    assert bits(advance(faster, 2).checkpoint)[2] != bits(advance(checkpoint, 2).checkpoint)[2]
    restored = faster.amend(learning_rate=SMALL.learning_rate, clip_norm=SMALL.clip_norm, steps=SMALL.steps)
    assert bits(advance(restored, 7).checkpoint) == bits(WHOLE["adam"].checkpoint)


@pytest.mark.parametrize("name", ["cell", "hidden_size", "task", "optimizer", "seed", "batch_size", "nonsense"])
def test_what_needs_a_restart_is_refused(name: str) -> None:
    with pytest.raises(RnnvizError, match=f"`{name}` cannot change while a run goes on.*Got 5"):
        start(SMALL).amend(**{name: 5})


def test_a_bad_value_is_refused_as_in_a_new_experiment() -> None:
    with pytest.raises(ExperimentError, match="`learning_rate` must be between"):
        start(SMALL).amend(learning_rate=100)


# What goes wrong

EXPLOSIVE = [
    {"cell": "rnn", "activation": "relu", "initialisation": "spectral", "spectral_radius": 3, "optimizer": "momentum"},
    {"cell": "rnn", "activation": "linear", "optimizer": "sgd"},
    {"cell": "rnn", "activation": "relu", "optimizer": "sgd", "task": "temporal_order"},
    {"cell": "rnn", "activation": "linear", "optimizer": "adam", "task": "forecast", "layers": 2},
]


@pytest.mark.parametrize("fields", EXPLOSIVE, ids=lambda fields: "-".join(map(str, fields.values())))
def test_a_run_that_diverges_says_so_and_keeps_the_last_good_moment(fields: dict[str, Any]) -> None:
    experiment = Experiment(**fields, learning_rate=10, clip_norm=0, hidden_size=8, length=60, batch_size=4)
    done = advance(start(experiment), 400)
    assert done.diverged is not None
    said = re.match(r"Step (\d+): ", done.diverged)
    assert said is not None
    assert int(said[1]) == done.checkpoint.step + 1 == len(done.losses) + 1
    assert "gradient norm" in done.diverged
    for values in (done.losses, done.grad_norms, done.checkpoint.parameters, *done.checkpoint.optimizer_state.values()):
        assert np.isfinite(values).all()
    for picture in done.frames:
        for name, values in picture.channels.items():
            assert not (values == np.inf).any(), name  # NaN, a gap in the picture, is what float64 cannot hold either
    alone = advance(done.checkpoint, 3)
    assert alone.diverged is not None
    assert alone.diverged.startswith(f"Step {said[1]}: ")
    assert "gradient norm" in alone.diverged, "also when the slice has no earlier step to tell of"
    assert len(alone.losses) == len(alone.frames) == 0
    assert bits(alone.checkpoint) == bits(done.checkpoint)


def test_an_update_beyond_float32_is_not_made() -> None:
    checkpoint = start(SMALL.amend(optimizer="momentum", learning_rate=10))
    checkpoint = replace(checkpoint, optimizer_state={"velocity": np.full_like(checkpoint.parameters, 3e38)})
    done = advance(checkpoint, 5)
    assert done.diverged is not None
    assert done.diverged.startswith("Step 1: the update carried a weight beyond the range of float32 (gradient norm ")
    assert done.diverged.endswith("learning rate 10).")
    assert bits(done.checkpoint) == bits(checkpoint)
    assert len(done.losses) == len(done.frames) == 0


def test_clipping_and_rewinding_rescues_an_exploding_run() -> None:
    experiment = Experiment(**EXPLOSIVE[1], learning_rate=10, clip_norm=0, hidden_size=8, length=60, batch_size=4)
    assert advance(start(experiment), 200).diverged
    assert not advance(start(experiment).amend(clip_norm=0.1, learning_rate=0.01), 200).diverged


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({}, "`advance` needs `steps` or `seconds`. Got neither."),
        ({"steps": 0}, "`steps` must be more than 0. Got 0."),
        ({"steps": -3}, "`steps` must be more than 0. Got -3."),
        ({"seconds": 0.0}, "`seconds` must be more than 0. Got 0.0."),
        ({"seconds": float("nan")}, "`seconds` must be more than 0. Got nan."),
        ({"steps": 3, "record_every": 0}, "`record_every` must be more than 0. Got 0."),
    ],
)
def test_bad_arguments_get_a_sentence(arguments: dict[str, Any], sentence: str) -> None:
    with pytest.raises(RnnvizError) as caught:
        advance(start(SMALL), **arguments)
    assert str(caught.value) == sentence


# Frames, and leaving the process as it was


def test_frames_are_recorded_at_multiples_of_the_training_step_and_at_the_end() -> None:
    checkpoint = advance(start(SMALL), 5).checkpoint

    def recorded(steps: int, **options: Any) -> list[int]:
        return [picture.step for picture in advance(checkpoint, steps, **options).frames]

    assert recorded(9) == [14]
    assert recorded(9, record_last=False) == []
    assert recorded(9, record_every=4) == [8, 12, 14]
    assert recorded(7, record_every=4) == [8, 12], "the end is recorded once"
    assert recorded(7, record_every=4, record_last=False) == [8, 12]
    at_twelve = advance(checkpoint, 9, record_every=4).frames[1]
    alone = frame(advance(checkpoint, 7).checkpoint)
    assert at_twelve.scalars == alone.scalars
    for name, values in at_twelve.channels.items():
        np.testing.assert_array_equal(values, alone.channels[name])


def denormals_are_flushed() -> bool:
    return bool((torch.tensor([1e-40]) * 0.5 == 0).item())


@pytest.mark.parametrize("flushed", [False, True])
@pytest.mark.parametrize("threads", [1, 2])
def test_advance_gives_back_threads_and_denormals_as_it_found_them(flushed: bool, threads: int) -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(threads)
        torch.set_flush_denormal(flushed)
        advance(start(SMALL), 1)
        assert torch.get_num_threads() == threads
        assert denormals_are_flushed() == flushed
        with pytest.raises(KeyError), one_thread(), flushed_denormals():  # noqa: PT012
            inside = torch.get_num_threads(), denormals_are_flushed()
            raise KeyError
        assert inside == (1, True)
        assert torch.get_num_threads() == threads
        assert denormals_are_flushed() == flushed
    finally:
        torch.set_num_threads(before)
        torch.set_flush_denormal(False)
