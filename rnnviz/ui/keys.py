"""Keys of widgets that show what a page is about, rather than hold it.

A click on a page that is still being drawn sends along what its other widgets showed before, and Streamlit takes that for
a change of theirs: two quick clicks would undo each other. So when all of them come to show something else, by a preset or
a link, they get other keys (`afresh`). What an older key still brings is not listened to (`is_old`); or, where a click on
what the page showed a moment ago still means something, only if it is a click (`is_echo`).
"""

from __future__ import annotations

from typing import Any

import streamlit as st


def shown(page: str, name: str) -> str:
    """The key, at present, of the widget called `name`; it begins with the page's name."""
    return f"{_beginning(page)}{name}"


def afresh(page: str) -> None:
    """From now on all widgets of the page show something else."""
    st.session_state[f"{page}-drawn"] = _drawn(page) + 1


def is_old(page: str, key: str) -> bool:
    """Whether a key is of a widget that is gone."""
    return not key.startswith(_beginning(page))


def is_echo(page: str, key: str, shown: Any) -> bool:
    """Whether a widget that is gone brings no new choice: what it had `shown`, or one that was heard already."""
    brought = (key, st.session_state[key])
    heard = f"{page}-heard"
    if is_old(page, key) and (brought[1] == shown or brought == st.session_state.get(heard)):
        return True
    st.session_state[heard] = brought
    return False


def _beginning(page: str) -> str:
    return f"{page}_" if _drawn(page) == 0 else f"{page}{_drawn(page)}_"


def _drawn(page: str) -> int:
    times: int = st.session_state.get(f"{page}-drawn", 0)
    return times
