"""What a real browser makes of a page."""

from __future__ import annotations

import html
import re
import subprocess
from pathlib import Path

from tests.support.requirements import chromium


def seen_by_chromium(page: str, width: int, script: str, folder: Path) -> str:
    """What a script says about the page (``this`` is its frame), as wide as a phone."""
    wrapper = folder / "wrapper.html"
    wrapper.write_text(
        f'<iframe style="width:{width}px;height:600px;border:0" srcdoc="{html.escape(page)}" onload="'
        f'document.body.append(`seen: ${{{html.escape(script)}}}.`)"></iframe>'
    )
    command = [chromium(), "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", f"--user-data-dir={folder}"]
    done = subprocess.run(  # noqa: S603
        [*command, wrapper.as_uri()], capture_output=True, text=True, timeout=300, check=True
    )
    found = re.search(r"seen: ([a-z0-9,]+)\.", done.stdout)
    assert found, done.stderr[-500:]
    return found[1]
