"""rnnviz: an interactive visual explorer of recurrent neural networks. Run with `streamlit run app.py`."""

import streamlit as st

st.set_page_config(page_icon="rnnviz/ui/assets/icon.svg", layout="wide")

playground = st.Page("pages/playground.py", title="Playground", url_path="playground")
state_space = st.Page("pages/state_space.py", title="State space", url_path="state_space")


def front() -> None:
    """The bare address leads to the Playground. A default page has no address of its own, and links name one."""
    st.switch_page(playground, query_params=st.query_params.to_dict())


st.navigation([st.Page(front, title="rnnviz", default=True, visibility="hidden"), playground, state_space]).run()
