"""Run the named benchmarks, or all."""

import sys

from benchmarks import cells, engine, page, race, sweep

ALL = {"cells": cells.main, "engine": engine.main, "page": page.main, "race": race.main, "sweep": sweep.main}

if __name__ == "__main__":
    asked = sys.argv[1:] or list(ALL)
    if unknown := [name for name in asked if name not in ALL]:
        raise SystemExit(f"benchmarks are {', '.join(ALL)}. Got {', '.join(unknown)}.")
    for name in asked:
        ALL[name]()
