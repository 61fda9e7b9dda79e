"""Outcomes on disk, so that no point is ever computed twice: a small JSON file for each, named by its content."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import tempfile
from dataclasses import asdict, fields
from pathlib import Path

from rnnviz.errors import RnnvizError
from rnnviz.experiment import SETTINGS, Experiment
from rnnviz.runs.trial import Outcome

logger = logging.getLogger(__name__)

# Part of every key: to be raised whenever the same experiment comes to give other numbers, so that old ones are not found.
# tests/runs/test_store.py holds numbers that tell.
RESULTS_VERSION = 1


def key_of(experiment: Experiment) -> str:
    """The name of an experiment by its content: equal for two that give the same run, whatever their idle fields say."""
    matters = {name: getattr(experiment, name) for name, setting in SETTINGS.items() if setting.applies(experiment)}
    text = json.dumps({"version": RESULTS_VERSION, "experiment": matters}, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def default_folder() -> Path:
    """`RNNVIZ_RESULTS`, or a folder in the user's cache."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("RNNVIZ_RESULTS") or Path(cache) / "rnnviz" / "results")


class Store:
    """A folder of outcomes. Any number of processes may share it: each file is written whole, in one move.

    Attributes:
        trouble: why something could not be kept, "" while all is well.
    """

    def __init__(self, folder: str | os.PathLike[str] | None = None):
        self.folder = Path(folder) if folder is not None else default_folder()
        self.trouble = ""

    def find(self, experiment: Experiment) -> Outcome | None:
        """The outcome, or None if there is none that can be read: then it is computed again."""
        file = self._file(key_of(experiment))
        try:
            return _read(file.read_text("utf-8"), experiment)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, KeyError) as error:
            logger.warning("%s cannot be read (%s); its point is computed again", file, error)
            return None

    def keep(self, outcome: Outcome) -> None:
        """Write it. A full disk or a folder that may not be written is said in `trouble` and loses nothing else."""
        file = self._file(key_of(outcome.experiment))
        record = asdict(outcome) | {"experiment": outcome.experiment.model_dump(), "version": RESULTS_VERSION}
        name = ""
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(
                "w", dir=file.parent, suffix=".part", delete=False, encoding="utf-8"
            ) as part:
                name = part.name
                json.dump(record, part, allow_nan=False, indent=1)
            os.replace(name, file)
        except OSError as error:
            if not self.trouble:
                logger.warning("results cannot be kept: %s", error)
            self.trouble = f"Results cannot be kept in {self.folder}: {error.strerror or error}."
            if name:
                Path(name).unlink(missing_ok=True)
        else:
            self.trouble = ""

    def _file(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.json"


def _read(text: str, asked: Experiment) -> Outcome:
    record = json.loads(text)
    if not isinstance(record, dict) or record.pop("version", None) != RESULTS_VERSION:
        raise ValueError("not a record of this version")
    try:
        written = Experiment(**record.pop("experiment"))
    except RnnvizError as error:
        raise ValueError(str(error)) from None
    if key_of(written) != key_of(asked):
        raise ValueError("it is about another experiment")
    if missing := {field.name for field in fields(Outcome)} - {"experiment"} - set(record):
        raise ValueError(f"without {', '.join(sorted(missing))}")
    return Outcome(asked, **record)
