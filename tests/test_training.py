"""A run is a pure function of its checkpoint, and its steps are PyTorch's."""

import pickle
import re
from dataclasses import FrozenInstanceError, replace
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnviz import CELLS, Checkpoint, Experiment, ExperimentError, RnnvizError, Slice, advance, start, trace
from rnnviz.arithmetic import flushed_denormals, one_thread
from rnnviz.experiment import OPTIMIZERS, SCHEDULES, SETTINGS
from rnnviz.model import HELD_OUT_SIZE, NOISE_STREAM, run_pass, stream, training_batch
from rnnviz.tracing import frame
from rnnviz.training import advance_together, learning_rate_at

SMALL = Experiment(cell="gru", hidden_size=4, length=8, batch_size=4, seed=1)


def bits(checkpoint: Checkpoint) -> tuple[Any, ...]:
    state = {name: array.tobytes() for name, array in checkpoint.optimizer_state.items()}
    return checkpoint.experiment, checkpoint.step, checkpoint.parameters.tobytes(), state


def numbers(*slices: Slice) -> list[bytes]:
    series = ("losses", "grad_norms", "clipped_norms", "accuracies")
    return [np.concatenate([getattr(done, name) for done in slices]).tobytes() for name in series]


# What one step does


def torch_optimizer(experiment: Experiment, p: torch.nn.Parameter) -> torch.optim.Optimizer:
    how: dict[str, Any] = {"lr": experiment.learning_rate, "weight_decay": experiment.weight_decay}
    kind, more = {
        "sgd": (torch.optim.SGD, {}),
        "momentum": (torch.optim.SGD, {"momentum": 0.9}),
        "nesterov": (torch.optim.SGD, {"momentum": 0.9, "nesterov": True}),
        "adam": (torch.optim.Adam, {}),
        "adamw": (torch.optim.AdamW, {}),
        "rmsprop": (torch.optim.RMSprop, {}),
    }[experiment.optimizer]
    made: torch.optim.Optimizer = kind([p], **how, **more)
    return made


def torch_schedule(experiment: Experiment, optimizer: torch.optim.Optimizer) -> torch.optim.lr_scheduler.LRScheduler:
    schedules, steps = torch.optim.lr_scheduler, experiment.steps
    if experiment.schedule == "cosine":
        return schedules.CosineAnnealingLR(optimizer, T_max=steps)
    if experiment.schedule == "step":
        return schedules.MultiStepLR(optimizer, [steps // 2, 3 * steps // 4], gamma=0.1)
    return schedules.ConstantLR(optimizer, factor=1)


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize(
    "fields",
    [
        {"clip_norm": 0},
        {"clip_norm": 0.05},
        {"clip_norm": 0, "clip_value": 0.01},
        {"clip_norm": 0.02, "clip_value": 0.01, "weight_decay": 0.1},
        {"clip_norm": 0, "weight_decay": 0.3, "schedule": "cosine", "steps": 25},
        {"clip_norm": 0, "schedule": "step", "steps": 24},
    ],
    ids=lambda fields: "-".join(fields),
)
def test_twenty_steps_equal_torch_optim(name: str, fields: dict[str, Any]) -> None:
    experiment = SMALL.amend(optimizer=name, learning_rate=0.02, **fields)
    ours, p = start(experiment), torch.nn.Parameter(torch.tensor(start(experiment).parameters))
    optimizer = torch_optimizer(experiment, p)
    schedule, norms, clipped = torch_schedule(experiment, optimizer), [], []
    for step in range(20):
        # The same gradient for both: taken where our run stands, for differences must not feed back through the network.
        p.grad = run_pass(
            experiment, torch.tensor(ours.parameters), training_batch(experiment, step)
        ).parameter_gradient
        norms.append(float(p.grad.norm()))
        if experiment.clip_value:
            torch.nn.utils.clip_grad_value_([p], experiment.clip_value)
        if experiment.clip_norm:
            torch.nn.utils.clip_grad_norm_([p], experiment.clip_norm)
        clipped.append(float(p.grad.norm()))
        optimizer.step()
        schedule.step()
        done = advance(ours, 1, record_last=False)
        ours = done.checkpoint
        np.testing.assert_allclose(done.grad_norms, norms[-1], rtol=1e-5)
        np.testing.assert_allclose(done.clipped_norms, clipped[-1], rtol=1e-4)
        tolerance = 1e-5 if experiment.clip_norm else 2e-6
        np.testing.assert_allclose(ours.parameters, p.detach().numpy(), rtol=0, atol=tolerance)
    assert np.abs(ours.parameters - start(experiment).parameters).max() > 5e-4, "something moved"
    if experiment.clip_norm or experiment.clip_value:
        assert max(np.array(clipped) / norms) < 1
    else:
        assert norms == clipped


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_the_learning_rate_goes_as_pytorchs_schedulers_have_it(schedule: str) -> None:
    experiment = SMALL.amend(schedule=schedule, steps=40, learning_rate=0.3)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], 0.3)
    theirs = torch_schedule(experiment, optimizer)
    for step in range(40):
        assert learning_rate_at(experiment, step) == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-9), step
        optimizer.step()
        theirs.step()
    beyond = {"constant": 0.3, "cosine": 0.0, "step": 0.003}[schedule]
    for step in (40, 41, 400):
        assert learning_rate_at(experiment, step) == pytest.approx(beyond), "a budget once used up stays used up"


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


RICH: dict[str, dict[str, Any]] = {
    "dropout": {"layers": 3, "dropout": 0.4},
    "dropout in a decoder": {"task": "reverse", "length": 4, "layers": 2, "dropout": 0.4, "teacher_forcing": 0.5},
    "scheduled sampling": {"task": "reverse", "length": 4, "teacher_forcing": 0.5, "attention": False},
    "free running": {"task": "reverse", "length": 4, "teacher_forcing": 0.0},
    "schedule": {"schedule": "cosine", "steps": 12},
    "steps": {"schedule": "step", "steps": 12, "optimizer": "nesterov", "weight_decay": 0.01},
    "curriculum": {"curriculum": True, "steps": 12},
    "fixed set": {"examples": 6},
    "random labels": {"task": "random_labels", "length": 5, "examples": 6},
    "labels": {"task": "speech_ctc", "length": 24, "gap": 2},
    "masks": {"task": "anbn", "bidirectional": True, "layers": 2, "residual": True, "layer_norm": True},
    "attention": {"task": "latch", "readout": "attention", "bptt_window": 3, "clip_value": 0.01},
    "finished weight gradient": {"cell": "lru", "bptt_window": 3},
}


@pytest.mark.parametrize("fields", RICH.values(), ids=list(RICH))
def test_the_recorded_numbers_are_those_of_the_batch_before_the_update(fields: dict[str, Any]) -> None:
    experiment = SMALL.amend(**fields)
    checkpoint = advance(start(experiment), 3).checkpoint
    done = advance(checkpoint, 1, record_norms=True)
    noise = stream(experiment, NOISE_STREAM, 3)
    expected = run_pass(experiment, torch.tensor(checkpoint.parameters), training_batch(experiment, 3), noise=noise)
    assert done.losses.tolist() == pytest.approx([float(expected.losses.mean())], rel=1e-6)
    assert done.grad_norms.tolist() == pytest.approx([float(expected.parameter_gradient.norm())], rel=1e-5)
    if expected.right is None:
        assert done.accuracies.shape == (0,)
    else:
        assert done.accuracies.tolist() == pytest.approx([float(expected.right.double().mean())])
    top = next(layer for layer in expected.layers if layer.name == str(experiment.layers - 1))
    [norms] = done.state_grad_norms
    assert set(norms) == set(CELLS[experiment.cell].states)
    for name, values in norms.items():
        wanted = top.gradients.states[name].norm(dim=1)
        assert values.shape == wanted.shape
        assert values.dtype == np.float32
        np.testing.assert_allclose(values, wanted, rtol=1e-4, atol=1e-30)


def test_norms_of_states_are_kept_for_every_step_if_asked_for_and_else_not() -> None:
    asked = advance(start(SMALL), 7, record_norms=True)
    assert len(asked.state_grad_norms) == 7
    assert advance(start(SMALL), 7).state_grad_norms == []
    assert bits(asked.checkpoint) == bits(advance(start(SMALL), 7).checkpoint)


# The same bits, however it is cut

RUNS = {name: SMALL.amend(optimizer=name) for name in OPTIMIZERS}
RUNS |= {name: SMALL.amend(**fields) for name, fields in RICH.items()}


@cache
def whole(name: str) -> Slice:
    return advance(start(RUNS[name]), 12)


@settings(max_examples=60)
@given(st.sampled_from(list(RUNS)), st.sets(st.integers(1, 11)), st.booleans())
def test_pausing_changes_no_bit(name: str, pauses: set[int], through_pickle: bool) -> None:
    checkpoint, slices = start(RUNS[name]), []
    for until in [*sorted(pauses), 12]:
        slices.append(advance(checkpoint, until - checkpoint.step, record_every=3, record_last=False))
        checkpoint = slices[-1].checkpoint
        if through_pickle:
            checkpoint = pickle.loads(pickle.dumps(checkpoint))
    assert bits(checkpoint) == bits(whole(name).checkpoint)
    assert numbers(*slices) == numbers(whole(name))


@pytest.mark.parametrize("name", RICH)
def test_a_run_of_any_kind_rewound_and_cut_step_by_step_is_the_same_run(name: str) -> None:
    checkpoint, slices = start(RUNS[name]), []
    for _ in range(12):
        slices.append(advance(checkpoint, 1, record_last=False))
        checkpoint = slices[-1].checkpoint
    assert bits(checkpoint) == bits(whole(name).checkpoint)
    assert numbers(*slices) == numbers(whole(name))
    again = advance(slices[4].checkpoint, 7, record_norms=True)
    assert bits(again.checkpoint) == bits(whole(name).checkpoint)
    np.testing.assert_array_equal(again.losses, whole(name).losses[5:])


@pytest.mark.parametrize("name", ["dropout", "scheduled sampling", "fixed set", "random labels"])
def test_another_seed_is_another_run(name: str) -> None:
    other = RUNS[name].amend(seed=7)
    assert advance(start(other), 12, record_last=False).losses.tobytes() != whole(name).losses.tobytes()


def test_slices_cut_by_the_clock_change_no_bit() -> None:
    checkpoint, slices = start(SMALL), []
    while checkpoint.step < 12:
        slices.append(advance(checkpoint, 12 - checkpoint.step, seconds=1e-9 if checkpoint.step % 2 else 1e-3))
        checkpoint = slices[-1].checkpoint
    assert len(slices) > 2
    assert bits(checkpoint) == bits(whole("adam").checkpoint)
    assert numbers(*slices) == numbers(whole("adam"))


def test_rewinding_to_an_older_checkpoint_gives_the_same_future_again() -> None:
    fifth = advance(start(SMALL), 5).checkpoint
    before = bits(fifth)
    once, again = advance(fifth, 7), advance(fifth, 7)
    assert bits(fifth) == before, "advance leaves its checkpoint alone"
    assert bits(once.checkpoint) == bits(again.checkpoint) == bits(whole("adam").checkpoint)
    assert numbers(once) == numbers(again)
    for name, values in once.frames[-1].channels.items():
        assert values.tobytes() == again.frames[-1].channels[name].tobytes()


def test_watching_changes_no_bit() -> None:
    watched = advance(start(SMALL), 12, record_every=1)
    assert bits(watched.checkpoint) == bits(whole("adam").checkpoint)


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
    assert bits(done.checkpoint) == bits(whole("adam").checkpoint)


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
    assert bits(advance(restored, 7).checkpoint) == bits(whole("adam").checkpoint)


@pytest.mark.parametrize("name", [*(name for name, setting in SETTINGS.items() if not setting.live), "nonsense"])
def test_what_needs_a_restart_is_refused(name: str) -> None:
    with pytest.raises(RnnvizError, match=f"`{name}` cannot change while a run goes on.*Got 5"):
        start(SMALL).amend(**{name: 5})


def test_a_bad_value_is_refused_as_in_a_new_experiment() -> None:
    with pytest.raises(ExperimentError, match="`learning_rate` must be between"):
        start(SMALL).amend(learning_rate=100)


# What goes wrong

EXPLOSIVE: list[dict[str, Any]] = [
    {"cell": "rnn", "activation": "relu", "initialisation": "spectral", "spectral_radius": 3, "optimizer": "momentum"},
    {"cell": "rnn", "activation": "linear", "optimizer": "sgd"},
    {"cell": "rnn", "activation": "relu", "optimizer": "sgd", "task": "temporal_order"},
    {"cell": "rnn", "activation": "linear", "optimizer": "adam", "task": "forecast", "layers": 2},
]


@pytest.mark.parametrize("fields", EXPLOSIVE, ids=lambda fields: "-".join(map(str, fields.values())))
def test_a_run_that_diverges_says_so_and_keeps_the_last_good_moment(fields: dict[str, Any]) -> None:
    experiment = Experiment(**fields, learning_rate=10, clip_norm=0, hidden_size=8, length=60, batch_size=4)
    done = advance(start(experiment), 400, record_norms=True)
    assert done.diverged is not None
    assert len(done.state_grad_norms) == len(done.losses)
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
    assert done.diverged.startswith(
        "Step 1: the update carried a weight or the optimizer's memory of it beyond the range of float32 (gradient norm "
    )
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


# Fixed training sets


def test_random_labels_are_learned_by_heart_and_fresh_ones_stay_a_coin_toss() -> None:
    experiment = Experiment(
        task="random_labels", cell="gru", hidden_size=32, examples=16, batch_size=16, learning_rate=0.02, steps=300
    )
    done = advance(start(experiment), 300)
    assert done.accuracies[-50:].mean() > 0.99
    assert done.losses[-50:].mean() < 0.05
    spread = 0.5 / np.sqrt(HELD_OUT_SIZE)
    assert abs(done.frames[-1].scalars["held_out_accuracy"] - 0.5) < 4 * spread
    assert done.frames[-1].scalars["held_out_loss"] > np.log(2)


def test_what_can_be_generalised_is_also_right_on_held_out_examples() -> None:
    experiment = Experiment(
        task="latch", length=6, noise=0.1, cell="gru", hidden_size=16, examples=64, learning_rate=0.02
    )
    scalars = advance(start(experiment), 250).frames[-1].scalars
    assert scalars["held_out_accuracy"] > 0.95
    assert "held_out_accuracy" not in frame(start(experiment.amend(examples=0))).scalars


def test_a_squared_error_has_a_held_out_loss_and_no_accuracy() -> None:
    scalars = frame(start(SMALL.amend(examples=8))).scalars
    assert "held_out_loss" in scalars
    assert "held_out_accuracy" not in scalars


# Dropout while training


def test_dropout_changes_the_training_and_not_what_a_trace_shows() -> None:
    dropped, clean = (start(SMALL.amend(layers=2, dropout=p)) for p in (0.5, 0.0))
    assert dropped.parameters.tobytes() == clean.parameters.tobytes()
    np.testing.assert_array_equal(trace(dropped).losses, trace(clean).losses)
    assert advance(dropped, 1).losses[0] != advance(clean, 1).losses[0]


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "rmsprop"])
def test_an_optimizer_that_overflows_is_said_rather_than_standing_still(optimizer: str) -> None:
    experiment = Experiment(
        cell="rnn", activation="linear", optimizer=optimizer, clip_norm=0, length=4, hidden_size=2, batch_size=1
    )
    first = start(experiment)
    huge = np.where(np.arange(len(first.parameters)) < 10, first.parameters * np.float32(1e7), first.parameters)
    done = advance(replace(first, parameters=huge.astype(np.float32) * np.float32(1e3)), 5, record_last=False)
    assert done.diverged is not None
    assert done.checkpoint.step < 5
    assert all(np.isfinite(kept).all() for kept in done.checkpoint.optimizer_state.values())


@pytest.mark.parametrize("cell", ["rnn", "lstm", "lru"])
@pytest.mark.parametrize("optimizer", ["sgd", "nesterov", "adam", "rmsprop"])
def test_seeds_side_by_side_have_the_bits_of_each_alone(cell, optimizer):
    experiment = Experiment(cell=cell, length=7, hidden_size=5, batch_size=3, optimizer=optimizer, clip_value=0.05)
    checkpoints = [start(experiment.amend(seed=seed)) for seed in range(3)]
    together = advance_together(checkpoints, 12, record_every=5, record_norms=True)
    for checkpoint, done in zip(checkpoints, together, strict=True):
        alone = advance(checkpoint, 12, record_every=5, record_norms=True)
        for name in ("losses", "grad_norms", "clipped_norms", "accuracies"):
            np.testing.assert_array_equal(getattr(done, name), getattr(alone, name))
        np.testing.assert_array_equal(done.checkpoint.parameters, alone.checkpoint.parameters)
        assert [f.step for f in done.frames] == [f.step for f in alone.frames] == [5, 10, 12]
        for one, other in zip(done.state_grad_norms, alone.state_grad_norms, strict=True):
            np.testing.assert_array_equal(one["h"], other["h"])


def test_where_one_seed_diverges_the_slice_ends_for_all_and_only_that_one_says_so():
    wild = Experiment(
        cell="rnn", activation="linear", initialisation="spectral", spectral_radius=1.2, length=30, hidden_size=8,
        batch_size=4, optimizer="sgd", learning_rate=0.03, clip_norm=0,
    )  # fmt: skip
    checkpoints = [start(wild.amend(seed=seed)) for seed in range(6)]
    ends = [advance(checkpoint, 400).diverged is not None for checkpoint in checkpoints]
    steps = [len(advance(checkpoint, 400).losses) for checkpoint in checkpoints]
    assert any(ends), "the experiment is wild enough"
    together = advance_together(checkpoints, 400)
    assert {len(done.losses) for done in together} == {min(steps)}
    first = [end and step == min(steps) for end, step in zip(ends, steps, strict=True)]
    assert [done.diverged is not None for done in together] == first
    assert not all(first)


def test_only_seeds_of_one_experiment_at_one_step_go_together():
    one, other = start(Experiment(length=7)), start(Experiment(length=8))
    for pair in ([one, other], [one, advance(one, 1).checkpoint], []):
        with pytest.raises(RnnvizError, match="must be one experiment's, at one step, seeds apart"):
            advance_together(pair, 1)
