"""What all sessions of one server share: the engine and the registry of live runs."""

from __future__ import annotations

import gc

import streamlit as st

from rnnviz.runs import Engine, Registry, Store, Sweeps


@st.cache_resource(show_spinner=False)
def registry() -> Registry:
    """The process-wide registry, made by the first session that asks."""
    engine = Engine()
    engine.warm_up()
    # What is imported by now stays; the collector need not look at it again (torch alone is 300,000 objects).
    gc.collect()
    gc.freeze()
    return Registry(engine)


@st.cache_resource(show_spinner=False)
def sweeps() -> Sweeps:
    """All sweeps of this server: on the engine of the live runs, with which they take turns, and one store."""
    return Sweeps(registry().engine, Store())
