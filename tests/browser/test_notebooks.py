"""The notebooks as a reader sees them: opened in JupyterLab, run, looked at, and played with."""

import contextlib

import pytest
from playwright.sync_api import TimeoutError

pytestmark = [pytest.mark.browser, pytest.mark.slow]

FINISHED = """() => {
    const cells = [...document.querySelectorAll('.jp-Notebook .jp-CodeCell')];
    const prompts = cells.map(c => c.querySelector('.jp-InputPrompt').textContent.trim());
    return cells.length > 0 && prompts.every(p => /^\\[\\d+\\]:$/.test(p));
}"""

STARTED = """() => [...document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')].some(
    p => p.textContent.includes('*'))"""


def run_all(page, lab, notebook):
    """Open a notebook, run all its cells in a fresh kernel and wait for the last."""
    page.goto(f"{lab}/lab/tree/notebooks/{notebook}?reset")
    page.wait_for_selector(".jp-Notebook .jp-CodeCell", timeout=90_000)
    page.get_by_text("| Idle", exact=False).first.wait_for(timeout=90_000)
    for _ in range(10):  # JupyterLab drops the command while the kernel is being connected
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_text("Run All Cells", exact=True).click()
        with contextlib.suppress(TimeoutError):
            page.wait_for_function(STARTED, timeout=3_000)
            break
    page.wait_for_function(FINISHED, timeout=400_000)


def test_the_first_notebook_ends_with_figures_on_screen(page, lab):
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


def test_the_residual_explorer_follows_its_knobs(page, lab):
    run_all(page, lab, "01_a_first_pinn_by_hand.ipynb")
    picture = page.locator(".jp-Notebook .widget-html img")
    picture.scroll_into_view_if_needed()
    before = picture.get_attribute("src")
    assert "the 100 points see" in picture.get_attribute("alt")

    slider = page.locator(".jp-Notebook .widget-slider .noUi-handle").nth(1)
    slider.focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    page.wait_for_function("a => !document.querySelector('.widget-html img').alt.includes(a)",
                           arg="the 100 points see", timeout=30_000)  # fmt: skip
    moved = picture.get_attribute("src")
    assert moved != before

    page.get_by_role("button", name="other points").press("Enter")
    page.wait_for_function("s => document.querySelector('.widget-html img').src !== s",
                           arg=moved, timeout=30_000)  # fmt: skip
    text = page.locator(".jp-Notebook .widget-html p").inner_text()
    assert picture.get_attribute("alt") == text


def test_the_resolution_explorer_follows_its_knobs(page, lab):
    run_all(page, lab, "12_how_true_is_your_reference.ipynb")
    picture = page.locator(".jp-Notebook .widget-html img")
    picture.scroll_into_view_if_needed()
    assert "With 256 points at t = 0.500" in picture.get_attribute("alt")
    for knob, key, expected in (
        (0, "ArrowRight", "With 512 points at t = 0.500"),
        (1, "ArrowLeft", "With 512 points at t = 0.475"),
    ):
        page.locator(".jp-Notebook .widget-slider .noUi-handle").nth(knob).focus()
        page.keyboard.press(key)
        page.wait_for_function("a => document.querySelector('.widget-html img').alt.includes(a)",
                               arg=expected, timeout=30_000)  # fmt: skip
    text = page.locator(".jp-Notebook .widget-html p").inner_text()
    assert picture.get_attribute("alt") == text
