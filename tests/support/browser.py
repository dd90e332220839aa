"""A page as a person sees it: headless Chromium."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROMIUM = next((found for name in BROWSERS if (found := shutil.which(name))), None)
# `.ci/run` installs one and says so, so that CI never skips.
BROWSER_IS_THERE = pytest.mark.skipif(
    CHROMIUM is None and not os.environ.get("NEEDS_BROWSER"),
    reason=f"no browser: none of {', '.join(BROWSERS)} is on PATH (Debian: apt-get install chromium)",
)


def browse(url: str, *options: str, folder: Path) -> str:
    """Return the page as it stands after 15 seconds of the browser's own, virtual time."""
    assert CHROMIUM is not None, "NEEDS_BROWSER is set, and there is none"
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder}"]
    shown = subprocess.run(
        [*command, "--virtual-time-budget=15000", "--window-size=1300,1000", *options, url],
        capture_output=True,
        text=True,
        check=True,
        timeout=100,
    )
    return shown.stdout
