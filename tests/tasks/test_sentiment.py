from collections import Counter, defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnviz.tasks import TASKS, Batch, Setup
from rnnviz.tasks.sentiment import BAG_OF_WORDS, NEGATIVE, NEUTRAL, POSITIVE

SENTIMENT = TASKS["sentiment"]
SETUP = Setup(24, gap=10)
POLARITY = dict.fromkeys(NEGATIVE, -1) | dict.fromkeys(POSITIVE, 1)


def reviews(batch: Batch) -> list[list[str]]:
    """Each review as its words."""
    assert batch.lengths is not None
    codes = batch.inputs.argmax(2)
    return [[SENTIMENT.input_names[k] for k in codes[:n, b]] for b, n in enumerate(batch.lengths)]


def judgements(review: list[str]) -> list[int]:
    """Every polarity a reader understands, in order: "not" turns the next one round."""
    found, turned = [], False
    for word in review:
        turned |= word == "not"
        if word in POLARITY:
            found.append(-POLARITY[word] if turned else POLARITY[word])
            turned = False
    return found


@given(gap=st.integers(1, 20), extra=st.integers(0, 40), seed=st.integers(0, 10**6))
def test_a_reader_who_minds_the_not_finds_the_label(gap: int, extra: int, seed: int) -> None:
    length = gap + 3 + extra
    batch = SENTIMENT.sample(np.random.default_rng(seed), 12, Setup(length, gap=gap))
    assert batch.inputs.shape == (length, 12, len(SENTIMENT.input_names))
    for review, label in zip(reviews(batch), batch.targets, strict=True):
        assert gap + 3 <= len(review) <= length
        understood = judgements(review)
        assert len(understood) == 2
        assert sum(understood) == 2 * (2 * label - 1)
        assert SENTIMENT.output_names[label] == ("positive" if sum(understood) > 0 else "negative")


@given(gap=st.integers(1, 20), extra=st.integers(0, 40), seed=st.integers(0, 10**6))
def test_exactly_the_gap_of_neutral_words_stands_between_not_and_what_it_turns(gap: int, extra: int, seed: int) -> None:
    for review in reviews(SENTIMENT.sample(np.random.default_rng(seed), 12, Setup(gap + 3 + extra, gap=gap))):
        assert review.count("not") <= 1
        if "not" in review:
            place = review.index("not")
            assert set(review[place + 1 : place + gap + 1]) <= set(NEUTRAL)
            assert review[place + gap + 1] in POLARITY


def test_the_padding_is_zero_and_everything_before_it_is_one_word() -> None:
    batch = SENTIMENT.sample(np.random.default_rng(0), 500, SETUP)
    assert batch.lengths is not None
    inside = np.arange(24)[:, None] < batch.lengths
    np.testing.assert_array_equal(batch.inputs.sum(2), inside)
    assert set(np.unique(batch.inputs)) == {0, 1}
    lengths = SENTIMENT.sample(np.random.default_rng(1), 12_000, SETUP).lengths
    assert lengths is not None
    assert abs(np.bincount(lengths)[13:] / 1000 - 1).max() < 0.15


def test_labels_are_balanced_and_either_judgement_may_be_the_turned_one() -> None:
    batch = SENTIMENT.sample(np.random.default_rng(2), 20_000, SETUP)
    assert abs(batch.targets.mean() - 0.5) < 4 * 0.5 / np.sqrt(20_000)
    texts = reviews(batch)
    telling = [[word for word in review if word not in NEUTRAL] for review in texts if "not" in review]
    places = [words.index("not") for words in telling]
    assert abs(len(places) / 20_000 - 0.68) < 4 * np.sqrt(0.68 * 0.32 / 20_000)
    assert set(places) == {0, 1}
    assert abs(np.mean(places) - 0.5) < 4 * 0.5 / np.sqrt(len(places))
    words = Counter(word for review in texts for word in review)
    assert set(words) == set(SENTIMENT.input_names)
    polar = np.array([words[word] for word in POLARITY])
    assert abs(polar / polar.mean() - 1).max() < 0.06


def test_the_best_bag_of_words_is_right_in_66_percent() -> None:
    assert abs(BAG_OF_WORDS - 0.66) < 1e-12
    count = 40_000
    known, fresh = (SENTIMENT.sample(np.random.default_rng(seed), count, SETUP) for seed in (3, 4))
    error = np.sqrt(BAG_OF_WORDS * (1 - BAG_OF_WORDS) / count)

    # Naive Bayes: each word's log odds, added up.
    bags, labels = known.inputs.sum(0), known.targets
    odds = np.log((bags[labels == 1].sum(0) + 1) / (bags[labels == 0].sum(0) + 1))
    fresh_bags = fresh.inputs.sum(0)
    assert abs(((fresh_bags @ odds > 0) == fresh.targets).mean() - BAG_OF_WORDS) < 5 * error

    # A table of every combination of judgements with or without "not": whatever a bag can say. Neutral words say nothing.
    telling = [k for k, name in enumerate(SENTIMENT.input_names) if name not in NEUTRAL]
    table: defaultdict[bytes, int] = defaultdict(int)
    for bag, label in zip(bags[:, telling], labels, strict=True):
        table[bag.tobytes()] += 2 * label - 1
    guessed = np.array([table[bag.tobytes()] > 0 for bag in fresh_bags[:, telling]])
    assert abs((guessed == fresh.targets).mean() - BAG_OF_WORDS) < 5 * error
    assert f"{100 * BAG_OF_WORDS:.0f} %" in SENTIMENT.explanation


def test_tossing_a_coin_scores_the_declared_baseline() -> None:
    targets = SENTIMENT.sample(np.random.default_rng(0), 100, SETUP).targets
    assert SENTIMENT.baseline(SETUP).value == pytest.approx(-np.log(np.full(2, 0.5)[targets]).mean(), rel=1e-12)
    assert SENTIMENT.solved(SETUP) == (0.95, "solved", "accuracy")


def test_a_gap_that_no_review_can_hold_is_refused_and_the_default_one_always_fits() -> None:
    assert SENTIMENT.misfit(Setup(13, gap=10)) is None
    field, sentence = SENTIMENT.misfit(Setup(22, gap=20))
    assert field == "gap"
    assert "20" in sentence
    assert "22" in sentence
    assert SENTIMENT.misfit(Setup(SENTIMENT.shortest, gap=SENTIMENT.defaults["gap"])) is None


def test_a_description_is_the_review_and_its_verdict() -> None:
    words = ["this", "film", "is", "not", "really", "good"]
    rows = np.eye(len(SENTIMENT.input_names))[[SENTIMENT.input_names.index(word) for word in words]]
    assert SENTIMENT.describe(rows, np.int64(0)) == "this film is not really good → negative"
