"""Which addresses a session wrote itself, so that only others are read.

A click that follows another at once comes from a page that still shows the address before: that is no visitor going back.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

import streamlit as st

UNDER_WAY = 1.0  # seconds an address may take to the browser, and a click to come from there


def is_ours(page: str, query: Mapping[str, str]) -> bool:
    """Whether the session wrote the address, or has only just left it; an empty one comes from the list of pages."""
    now, left, when = st.session_state.get(f"{page}-address", (None, None, 0.0))
    return query in ({}, now) or (query == left and time.monotonic() - when < UNDER_WAY)


def wrote(page: str, query: Mapping[str, str]) -> None:
    """Remember what stands in the address bar now."""
    now, _, _ = st.session_state.get(f"{page}-address", (None, None, 0.0))
    if query != now:
        st.session_state[f"{page}-address"] = (dict(query), now, time.monotonic())
