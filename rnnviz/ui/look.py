"""How the page around the pictures looks: Streamlit's own spacing, tightened so that the first screen shows a lesson."""

import streamlit as st
from streamlit.runtime.pages_manager import PagesManager

from rnnviz.figures import Theme, palette

STYLE = """
.stMainBlockContainer { padding: 1.25rem 2.5rem 0; max-width: 1760px; }
.stMainBlockContainer > [data-testid="stVerticalBlock"] { gap: 0.6rem; }
[data-testid="stHeader"] { background: transparent; height: 2.5rem; pointer-events: none; }
[data-testid="stHeader"] button { pointer-events: auto; }
[data-testid="stSidebarHeader"] { height: 2.25rem; padding-block: 0.25rem; margin: 0; }
[data-testid="stSidebarUserContent"] { padding-bottom: 2rem; }
[data-testid="stSidebarUserContent"] [data-testid="stVerticalBlock"] { gap: 0.55rem; }
.stMainBlockContainer h1 { padding: 0 0 0.7rem; font-size: 1.6rem; line-height: 1.2; }
.stMainBlockContainer .js-plotly-plot text { font-variant-numeric: tabular-nums; }
@media (max-width: 640px) { .stMainBlockContainer { padding: 2.75rem 1rem 0; } }
"""


def begin() -> None:
    """Call first on every page: the style, and the way back to `app.py` for a server started by hand.

    Until some session has called `st.navigation`, Streamlit takes the folder `pages` for its older multipage mode and
    runs the page of a deep link without `app.py`. `make app` prevents that before the first request; plain
    `streamlit run app.py` cannot, so the first page to notice switches the mode off and runs again.
    """
    if PagesManager.uses_pages_directory:
        PagesManager.uses_pages_directory = False
        st.rerun()
    st.html(f"<style>{STYLE}</style>")


def variables(theme: Theme) -> dict[str, str]:
    """The colours around pictures, as CSS variables of `stage` and `board`."""
    colours = palette(theme)
    return {
        "--rnnviz-ink": colours.ink,
        "--rnnviz-muted": colours.muted,
        "--rnnviz-hairline": colours.grid,
        "--rnnviz-paper": colours.page,
        "--rnnviz-success": colours.threshold,
        "--rnnviz-warning": colours.negative,
    }
