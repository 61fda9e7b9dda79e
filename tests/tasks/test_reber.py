import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnviz.tasks import TASKS, Batch, Setup
from rnnviz.tasks.reber import optimum

REBER = TASKS["reber"]
# The inner grammar, written down once more: node -> letter -> node; 0 is before its E.
INNER = {
    1: {"T": 2, "P": 3},
    2: {"S": 2, "X": 4},
    3: {"T": 3, "V": 5},
    4: {"X": 3, "S": 0},
    5: {"P": 4, "V": 0},
}


def allowed(text: str) -> list[set[str]]:
    """Which letters the embedded grammar allows at each place of a string and after its last; none after its end."""
    found = [{"B"}, {"T", "P"}, {"B"}]
    node = 1
    for letter in text[3:]:
        if node == 0:
            break
        found.append(set(INNER[node]))
        assert letter in INNER[node]
        node = INNER[node][letter]
    found += [{"E"}, {text[1]}, {"E"}, set()] if node == 0 else [set(INNER[node])]
    return found[: len(text) + 1]


def strings(batch: Batch) -> list[str]:
    """Input letters of each sample and the last letter asked for."""
    found = []
    for b in range(batch.inputs.shape[1]):
        n = batch.lengths[b]
        assert (batch.inputs[:n, b].sum(1) == 1).all()
        text = "".join(REBER.input_names[k] for k in batch.inputs[:n, b].argmax(1))
        wanted = "".join(REBER.output_names[k] for k in batch.targets[:n, b])
        assert wanted[:-1] == text[1:]
        assert batch.scored[:, b].tolist() == [True] * n + [False] * (len(batch.scored) - n)
        found.append(text + wanted[-1])
    return found


def distribution(longest: int) -> dict[tuple[int, int], float]:
    """(inner choices, letters to predict) -> probability, by following every way through the grammar."""
    here, found = {1: 1.0}, {}
    for k in range(1, longest):
        there: dict[int, float] = {}
        for node, chance in here.items():
            for following in INNER[node].values():
                there[following] = there.get(following, 0) + chance / 2
        found[k, k + 5] = there.pop(0, 0.0)
        here = there
    return found


@given(length=st.integers(9, 60), seed=st.integers(0, 10**6))
def test_every_letter_is_legal_and_a_string_stops_only_at_its_end_or_at_the_last_step(length: int, seed: int) -> None:
    for text in strings(REBER.sample(np.random.default_rng(seed), 12, Setup(length))):
        *places, after = allowed(text)
        assert len(places) == len(text)
        assert all(letter in place for letter, place in zip(text, places, strict=True))
        if after:
            assert len(text) == length + 1
        else:
            assert text[1] == text[-2]


def test_every_choice_of_the_grammar_is_a_fair_coin() -> None:
    seen: dict[tuple[str, str], list[int]] = {}
    for text in strings(REBER.sample(np.random.default_rng(0), 6000, Setup(60))):
        node = 1
        seen.setdefault(("outer", "TP"), []).append(text[1] == "T")
        if text[1] == "T":
            seen.setdefault(("after an outer T", "TP"), []).append(text[3] == "T")
        for letter in text[3:-3]:
            first, second = INNER[node]
            seen.setdefault((str(node), first + second), []).append(letter == first)
            node = INNER[node][letter]
    assert len(seen) == 7
    for tosses in seen.values():
        assert abs(np.mean(tosses) - 0.5) < 2 / np.sqrt(len(tosses))


def test_short_strings_come_as_often_as_their_coins_say() -> None:
    batch = REBER.sample(np.random.default_rng(1), 40_000, Setup(40))
    lengths = np.bincount(batch.lengths, minlength=41)
    for (_, letters), chance in distribution(20).items():
        assert abs(lengths[letters] / 40_000 - chance) < 4 * np.sqrt(chance / 40_000) + 1e-9
    inner = [text[2:-2] for text in strings(REBER.sample(np.random.default_rng(1), 4000, Setup(12))) if len(text) == 9]
    assert set(inner) == {"BTXSE", "BPVVE"}
    assert abs(inner.count("BTXSE") / len(inner) - 0.5) < 2 / np.sqrt(len(inner))


def test_the_mean_over_all_letters_of_the_language_is_the_known_optimum_and_the_mean_over_strings_a_little_less() -> (
    None
):
    table = distribution(2000)
    chance = np.array(list(table.values()))
    k, letters = np.array(list(table)).T
    assert chance.sum() == pytest.approx(1)
    assert chance @ k == pytest.approx(6)
    assert chance @ letters == pytest.approx(11)
    assert (chance @ (k + 1)) * np.log(2) / (chance @ letters) == pytest.approx(7 * np.log(2) / 11)
    assert 7 * np.log(2) / 11 == pytest.approx(0.4411, abs=5e-5)
    assert optimum(Setup(2000)) == pytest.approx(chance @ ((k + 1) / letters) * np.log(2))
    assert optimum(Setup(2000)) == pytest.approx(0.4228, abs=5e-5)


@pytest.mark.parametrize("length", [9, 12, 30])
def test_knowing_the_grammar_scores_the_optimum_and_forgetting_the_second_letter_the_baseline(length: int) -> None:
    texts = strings(REBER.sample(np.random.default_rng(2), 3000, Setup(length)))
    places = [allowed(text)[1 : len(text)] for text in texts]  # what is asked for, the first B is not
    coins = np.array([sum(len(place) == 2 for place in asked) for asked in places])
    repeats = np.array([sum(place in ({"T"}, {"P"}) for place in asked) for asked in places])
    assert set(repeats) == {0, 1}
    letters = np.array([len(text) - 1 for text in texts])
    for found, declared in (
        (coins / letters, optimum(Setup(length))),
        ((coins + repeats) / letters, REBER.baseline(Setup(length)).value),
    ):
        each = found * np.log(2)
        assert abs(each.mean() - declared) < 4 * each.std() / np.sqrt(len(each))
    assert REBER.solved(Setup(length)).value == pytest.approx(1.02 * optimum(Setup(length)))


def least(length: int, *, remembers: bool) -> float:
    """The smallest loss there is: one that also bends the coins towards strings whose letters weigh more.

    A string of n letters weighs 1 / n each, so the odds of a choice are best taken in proportion to the weight that is
    still to come after it.
    """
    weight = [1 / min(k + 5, length) for k in range(length + 1)]
    choices = length - 2
    to_come = {(choices, node): 1 / length for node in INNER}
    for made in reversed(range(choices)):
        for node in INNER:
            to_come[made, node] = sum(
                (weight[made + 1] if after == 0 else to_come[made + 1, after]) / 2 for after in INNER[node].values()
            )
    loss, here = to_come[0, 1] * np.log(2), {1: 1.0}  # the outer letter
    for made in range(choices):
        there: dict[int, float] = {}
        for node, chance in here.items():
            for after in INNER[node].values():
                there[after] = there.get(after, 0) + chance / 2
                ahead = weight[made + 1] if after == 0 else to_come[made + 1, after]
                loss -= chance / 2 * ahead * np.log(ahead / 2 / to_come[made, node])
        ended = there.pop(0, 0.0)
        if not remembers and made + 5 <= length:
            loss += ended * weight[made + 1] * np.log(2)
        here = there
    return loss


@pytest.mark.parametrize("length", [9, 12, 20, 30, 60])
def test_bending_the_coins_gains_less_than_a_percent_and_never_replaces_the_memory(length: int) -> None:
    assert 0.99 < least(length, remembers=True) / optimum(Setup(length)) < 1
    assert least(length, remembers=False) > 1.05 * REBER.solved(Setup(length)).value


def test_a_description_is_the_string() -> None:
    inputs = np.eye(7, dtype=np.float32)[["BTPSXVE".index(letter) for letter in "BTBPVVET"]]
    assert REBER.describe(inputs, np.array(["BTPSXVE".index(letter) for letter in "TBPVVETE"])) == "BTBPVVETE"
