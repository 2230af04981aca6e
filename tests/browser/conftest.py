"""A JupyterLab on a copy of the notebooks, and a headless Chromium to open it with."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from tests.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of an installed browser."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        reason = f"no browser is installed: looked for {', '.join(BROWSERS)}"
        if os.environ.get("PINNKIT_REQUIRE_BROWSER"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@pytest.fixture(scope="session")
def folder(tmp_path_factory) -> Path:
    """What JupyterLab sees: a copy of the notebooks."""
    folder = tmp_path_factory.mktemp("lab")
    shutil.copytree(ROOT / "notebooks", folder / "notebooks")
    return folder


@pytest.fixture(scope="session")
def lab(folder):
    """Address of a running JupyterLab whose notebooks run at the `test` preset."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "jupyter", "lab", "--no-browser", "--allow-root"]
    command += [f"--port={port}", "--ip=127.0.0.1", "--IdentityProvider.token=", f"{folder}"]
    private = {name: str(folder / name) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR")}
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(
            command, env=os.environ | private | {"PINNKIT_PRESET": "test"}, stdout=log, stderr=log
        )
    try:
        _wait_for(f"{address}/api/status", server, folder / "log")
        yield address
    finally:
        server.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(20)
        server.kill()


@pytest.fixture(scope="module")
def page(chromium, tmp_path_factory):
    """A page of 1400 x 1000 pixels in a fresh profile."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as p:
        context = p.chromium.launch_persistent_context(
            str(tmp_path_factory.mktemp("profile")),
            executable_path=chromium,
            headless=True,
            args=list(FLAGS),
            viewport={"width": 1400, "height": 1000},
        )
        yield context.pages[0]
        context.close()


FINISHED = """() => {
    const cells = [...document.querySelectorAll('.jp-Notebook .jp-CodeCell')];
    const prompts = cells.map(c => c.querySelector('.jp-InputPrompt').textContent.trim());
    return cells.length > 0 && prompts.every(p => /^\\[\\d+\\]:$/.test(p));
}"""

STARTED = """() => [...document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')].some(
    p => p.textContent.includes('*'))"""


@pytest.fixture(scope="session")
def run_all():
    """Opens a notebook, runs all its cells in a fresh kernel and waits for the last."""
    from playwright.sync_api import TimeoutError

    def run(page, lab, notebook):
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

    return run


def _wait_for(address: str, server: subprocess.Popen, log: Path) -> None:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline and server.poll() is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(address, timeout=5):
            return
        time.sleep(0.3)
    raise RuntimeError(f"JupyterLab did not start:\n{log.read_text()[-2000:]}")
