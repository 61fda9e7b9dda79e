"""`python -m rnnviz` compiles the cells' loops ahead of their first use; part of `make setup`."""

from rnnviz.training import compile_ahead

if __name__ == "__main__":
    compile_ahead()
