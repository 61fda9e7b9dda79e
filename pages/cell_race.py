"""Cell race: two to six networks on the same examples, side by side. Who keeps the gradient, and who learns?"""

import streamlit as st

from rnnviz.ui import look, race

look.begin()
current = race.current()
snapshot = current.poll()
race.sidebar()
race.write_address()

st.title("Which cell keeps its gradient, and which one learns?", anchor=False)
st.caption(race.explanation(current))
race.notices()
race.presets()
race.transport(current, snapshot)
race.table(current, snapshot)
race.pictures(current, snapshot)
