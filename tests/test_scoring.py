"""How answers are judged, against loops over single answers and PyTorch's own losses."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from rnnviz import TASKS, Experiment
from rnnviz.model import probe_batch, training_batch
from rnnviz.scoring import best_path, score, score_and_pull
from rnnviz.tasks import Batch, Task
from tests.plain import CLOSE, KINDS, collapsed, edit_distance, random_batch

JUDGED = {kind: name for kind, name in KINDS.items() if kind[1] != "ctc"}


def random_outputs(task: str, batch: Batch, seed: int = 0) -> torch.Tensor:
    """Feature-major, as the network gives them."""
    rng, O, B = np.random.default_rng(seed), len(TASKS[task].output_names), batch.inputs.shape[1]
    many = {"every": len(batch.inputs), "labels": len(batch.inputs), "sequence": len(batch.targets)}
    steps = many.get(TASKS[task].answers)
    return torch.from_numpy(rng.normal(size=(O, B) if steps is None else (steps, O, B)))


@pytest.mark.parametrize("kind", JUDGED)
@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("T", [1, 6])
def test_a_loss_is_the_mean_over_a_samples_own_scored_answers(kind: tuple[str, str], padded: bool, T: int) -> None:
    name = JUDGED[kind]  # type: ignore[index]
    answers, loss = kind
    for seed in range(6):
        batch = random_batch(name, T, 5, seed, padded=padded)
        outputs = random_outputs(name, batch, seed)
        found = score(TASKS[name], outputs, batch)
        many = outputs[None] if answers == "once" else outputs
        targets = batch.targets[None] if answers == "once" else batch.targets
        for b in range(5):
            costs, rights = [], []
            for t in range(len(many)):
                if batch.scored is not None and not batch.scored[t, b]:
                    continue
                said, wanted = many[t, :, b].numpy(), targets[t, b]
                if loss == "mse":
                    costs.append(sum((said[k] - wanted[k]) ** 2 for k in range(len(said))) / len(said))
                else:
                    costs.append(np.log(sum(np.exp(value) for value in said)) - said[wanted])
                    rights.append(said.tolist().index(max(said)) == wanted)
            assert float(found.losses[b]) == pytest.approx(np.mean(costs), rel=1e-12)
            assert float(found.last[b]) == pytest.approx(costs[-1], rel=1e-12)
            if loss == "mse":
                assert found.right is None
            else:
                assert found.right is not None
                assert float(found.right[b]) == pytest.approx(np.mean(rights))


@pytest.mark.parametrize("kind", JUDGED)
@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("T", [1, 6])
def test_the_pull_on_the_outputs_is_the_losses_gradient(kind: tuple[str, str], padded: bool, T: int) -> None:
    name = JUDGED[kind]  # type: ignore[index]
    for seed in range(6):
        batch = random_batch(name, T, 5, seed, padded=padded)
        outputs = random_outputs(name, batch, seed).requires_grad_()
        wanted = score(TASKS[name], outputs, batch)
        (gradient,) = torch.autograd.grad(wanted.losses.sum(), outputs)
        before = outputs.detach().clone()
        found, pull = score_and_pull(TASKS[name], before, batch)
        torch.testing.assert_close(pull.reshape(gradient.shape), gradient, **CLOSE)
        assert torch.equal(before, outputs.detach()), "what was said is left alone"
        for one, other in zip(found, wanted, strict=True):
            assert (one is None) == (other is None)
            if one is not None and other is not None:
                torch.testing.assert_close(one, other.detach(), **CLOSE)


@pytest.mark.parametrize("task", TASKS.values(), ids=list(TASKS))
def test_every_example_of_every_task_has_an_answer_that_counts(task: Task) -> None:
    for length in {task.shortest, Experiment(task=task.name).length}:
        gap = {"gap": 2} if "gap" in task.options else {}
        experiment = Experiment(task=task.name, length=length, batch_size=64, **gap)
        for batch in (training_batch(experiment, 0), probe_batch(experiment)):
            outputs = random_outputs(task.name, batch)
            found = score(task, outputs, batch)
            assert torch.isfinite(found.losses).all()
            assert torch.isfinite(found.last).all()


@given(st.integers(1, 9), st.integers(1, 4), st.integers(0, 99), st.booleans())
def test_labels_are_scored_by_ctc_per_label(T: int, B: int, seed: int, padded: bool) -> None:
    name = KINDS["labels", "ctc"]
    batch = random_batch(name, T, B, seed, padded=padded)
    outputs = random_outputs(name, batch, seed).requires_grad_()
    found = score(TASKS[name], outputs, batch)
    (gradient,) = torch.autograd.grad(found.losses.sum(), outputs)
    plain = outputs.detach().requires_grad_()
    total = torch.zeros((), dtype=torch.float64)
    assert found.right is not None
    for b in range(B):
        frames = T if batch.lengths is None else int(batch.lengths[b])
        labels = [int(label) for label in batch.targets[:, b] if label >= 0]
        log_p = torch.log_softmax(plain[:frames, :, b], 1)
        sizes = torch.tensor([frames]), torch.tensor([len(labels)])
        loss = nn.CTCLoss(reduction="none")(log_p[:, None], torch.tensor([labels]), *sizes)[0] / len(labels)
        torch.testing.assert_close(found.losses[b].detach(), loss.detach(), **CLOSE)
        said = collapsed(outputs[:frames, :, b].detach().argmax(1).tolist())
        assert float(found.right[b]) == pytest.approx(max(0, 1 - edit_distance(said, labels) / len(labels)))
        total = total + loss
    (wanted,) = torch.autograd.grad(total, plain)
    torch.testing.assert_close(gradient, wanted, **CLOSE)
    assert torch.equal(found.last, found.losses)


def test_the_ctc_loss_sums_over_every_way_to_lay_the_labels_along_the_frames() -> None:
    name = KINDS["labels", "ctc"]
    O = len(TASKS[name].output_names)
    outputs = random_outputs(name, Batch(np.zeros((4, 1, 1)), np.zeros(0)))
    p = torch.softmax(outputs[:, :, 0], 1).numpy()
    likelihood = 0.0
    for code in range(O**4):
        path = [code // O**k % O for k in range(4)]
        if collapsed(path) == [1, 3]:
            likelihood += np.prod([p[t, label] for t, label in enumerate(path)])
    found = score(TASKS[name], outputs, Batch(np.zeros((4, 1, 1)), np.array([[1], [3]])))
    assert float(found.losses[0]) == pytest.approx(-np.log(likelihood) / 2, rel=1e-12)


@given(st.lists(st.integers(0, 3), min_size=1, max_size=9), st.integers(1, 9))
def test_the_best_path_names_each_label_at_the_frame_where_it_is_first_said(frames: list[int], n: int) -> None:
    outputs = np.eye(4)[frames][:, None]
    n = min(n, len(frames))
    path = best_path(outputs, np.array([n]))[:, 0]
    assert [int(label) for label in path if label >= 0] == collapsed(frames[:n])
    for t, label in enumerate(path):
        if label >= 0:
            assert frames[t] == label
            assert t == 0 or frames[t - 1] != label
    assert (path[n:] == -1).all()
