"""A notebook as a reader sees it: opened in JupyterLab, run to its end, and looked at."""

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_the_first_notebook_ends_with_figures_on_screen(page, lab, run_all):
    run_all(page, lab, "00_start_here.ipynb")
    assert (
        page.locator(".jp-Notebook [data-mime-type='application/vnd.jupyter.error']").count() == 0
    )
    images = page.locator(".jp-Notebook .jp-RenderedHTML img")
    assert images.count() == 4
    last = images.last
    last.scroll_into_view_if_needed()
    assert last.is_visible() and last.bounding_box()["width"] > 400
    for i in range(images.count()):
        assert len(images.nth(i).get_attribute("alt")) > 60
