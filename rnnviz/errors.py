"""The one family of errors this library raises on bad input.

Every message names the field, the rule and the value received, so that a page can show it as it is.
"""


class RnnvizError(ValueError):
    """Bad input, said in a sentence a visitor can act on."""


class ExperimentError(RnnvizError):
    """An `Experiment` that breaks one or more rules.

    Attributes:
        problems: field name -> sentence. The key is "" for a rule that spans several fields.
    """

    def __init__(self, problems: dict[str, str]):
        super().__init__("\n".join(problems.values()))
        self.problems = problems

    def __reduce__(self) -> tuple[type, tuple[dict[str, str]]]:
        # The default pickles the message, not the problems, and worker processes send these home.
        return type(self), (self.problems,)
