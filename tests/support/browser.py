"""What a real browser makes of a page."""

from __future__ import annotations

import html
import json
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
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


@dataclass(frozen=True)
class Seen:
    """What Chromium and axe make of a page at one width.

    Attributes:
        width: how wide the content is.
        problems: what axe (WCAG, best practices) finds serious or critical, each with the first place.
        loaded: the addresses that the page would fetch.
    """

    width: int
    problems: list[str]
    loaded: list[str]


_LOOK = """<script src="axe.min.js"></script><script>
const look = innerWidth < NARROWEST ? Promise.resolve({violations: []})
  : axe.run(document, {resultTypes: ["violations"]});
addEventListener("load", () => look.then(found => {
  const problems = found.violations.filter(each => ["serious", "critical"].includes(each.impact))
    .map(each => `${each.id}: ${each.help} (${each.nodes.length}): ${each.nodes[0].html.slice(0, 300)}`);
  const loaded = [...document.querySelectorAll("[src], link, object, [background]")]
    .map(each => each.src || each.href || each.outerHTML)
    .filter(address => !address.endsWith("axe.min.js") && !address.startsWith("data:"));
  const told = parent.document.createElement("pre");
  told.textContent = "seen " + JSON.stringify({name: window.name, width: document.documentElement.scrollWidth, problems,
    loaded});
  parent.document.body.append(told);
}));
</script>""".replace("NARROWEST", "390")


def _with_look(page: str) -> str:
    """The page with the script that looks at it, which a stored page's own policy would stop."""
    return page.replace('http-equiv="Content-Security-Policy"', "data-policy").replace("</body>", f"{_LOOK}</body>")


def looked_at(pages: Mapping[str, str], widths: Sequence[int], folder: Path) -> dict[tuple[str, int], Seen]:
    """Every page at every width, by its name and the width, in one run of Chromium; axe looks from 390 pixels on."""
    (folder / "axe.min.js").write_bytes(files("axe_playwright_python").joinpath("axe.min.js").read_bytes())
    frames = [
        f'<iframe name="{width} {html.escape(name)}" style="width:{width}px;height:900px;border:0" '
        f'srcdoc="{html.escape(_with_look(page))}"></iframe>'
        for name, page in pages.items()
        for width in widths
    ]
    wrapper = folder / "wrapper.html"
    wrapper.write_text(f'<meta charset="utf-8"><body>{"".join(frames)}', encoding="utf-8")
    command = [chromium(), "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", "--virtual-time-budget=120000"]
    done = subprocess.run(  # noqa: S603
        [*command, "--allow-file-access-from-files", f"--user-data-dir={folder}", wrapper.as_uri()],
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    seen = {}
    for told in re.findall(r"<pre>seen (.*?)</pre>", done.stdout, re.DOTALL):
        found = json.loads(html.unescape(told))
        width, _, name = found.pop("name").partition(" ")
        seen[name, int(width)] = Seen(**found)
    assert len(seen) == len(frames), done.stderr[-500:]
    return seen
