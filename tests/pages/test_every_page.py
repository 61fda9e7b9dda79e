"""What holds for each page, whatever it shows."""

import re

import pytest
from streamlit.testing.v1 import AppTest

from tests.pages.conftest import PAGES, ROOT


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_page_runs_says_what_it_is_about_and_runs_again(visit, page, theme):
    seen = visit(page, context={"theme": theme})
    assert [title.value for title in seen.at.title if title.value.strip()], "a page has a title"
    before = seen.words
    seen.look()
    assert seen.words == before, "nothing happened, so nothing may have changed"


@pytest.mark.parametrize("page", PAGES)
def test_every_control_explains_itself(visit, page):
    for name, control in visit(page).controls.items():
        assert len(control.help or "") > 30, f"`{name}` has no help"


def test_every_file_in_pages_is_in_the_navigation_under_its_own_name():
    app = (ROOT / "app.py").read_text()
    assert set(re.findall(r'st\.Page\(\s*"pages/(\w+)\.py"', app)) == set(PAGES)
    assert set(re.findall(r'url_path="([\w-]+)"', app)) == set(PAGES)


def test_the_bare_address_leads_to_the_playground_and_keeps_what_the_link_asks(visit):
    seen = visit(cell="gru", length=20)
    assert seen.at.query_params["cell"] == "gru"
    assert seen.at.query_params["length"] == "20"
    assert seen.run.experiment.cell == "gru"


def test_a_page_that_does_not_exist_is_not_on_offer():
    with pytest.raises(ValueError, match="nowhere"):
        AppTest.from_file(ROOT / "app.py").switch_page("pages/nowhere.py")
