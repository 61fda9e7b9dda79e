import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnviz.experiment import Experiment
from rnnviz.model import answer, respond, views
from tests.plain import CLOSE, KINDS, networks, random_batch, random_parameters

WITHOUT_DECODER = tuple(kind for kind in KINDS if kind[0] != "sequence")


@settings(max_examples=60)
@given(networks(kinds=WITHOUT_DECODER), st.integers(0, 2**20), st.booleans())
def test_it_says_what_the_network_says(experiment: Experiment, seed: int, padded: bool) -> None:
    batch, parameters = random_batch(experiment.task, 6, 3, seed, padded=padded), random_parameters(experiment, seed)
    lengths = None if batch.lengths is None else torch.from_numpy(batch.lengths)
    said = respond(experiment, views(experiment, parameters), torch.from_numpy(batch.inputs).transpose(1, 2), lengths)
    torch.testing.assert_close(said.transpose(-1, -2), answer(experiment, parameters, batch).outputs, **CLOSE)
