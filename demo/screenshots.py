"""Pictures of the pages that people decide on: ``python -m demo.screenshots`` writes them to ``docs/images``.

It makes two releases of generated tenants on a laptop's AWS of its own, and needs Chromium.
"""

from __future__ import annotations

import io
import shutil
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from demo.generate_events import generate
from operations import laptop, releases
from operations.batch import RawBatch, timed_name
from operations.deploy import build_and_deploy, confirm_subscription
from operations.errors import OperationError
from operations.mailbox import Mailbox
from operations.releases import Decision, Mail
from operations.stack import Stack

IMAGES = laptop.ROOT / "docs" / "images"
STATE = laptop.LOCAL / "screenshots"
# A phone's, and a laptop's.
WIDTHS = (390, 1280)
_CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
_OK = 200
# The pages have few colours, and a palette of them makes the files small.
_COLOURS = 128
_TENANTS = 1_500
_DECISION = Decision("approve", "Ada Approver", "Fewer tenants wait, as the new lift explains.")


class Camera:
    """Takes pictures of pages.

    Args:
        browser: that shows them.
        folder: where the pictures go.
    """

    def __init__(self, browser: Browser, folder: Path) -> None:
        self._browser = browser
        self._folder = folder

    def take(self, name: str, address: str, *, typed: Decision | None = None) -> None:
        """A picture of the whole page at each width.

        Args:
            name: of the files.
            address: of the page.
            typed: what is typed into its form first, which is then sent.
        """
        for width in WIDTHS:
            page = self._browser.new_page(viewport={"width": width, "height": 900})
            answer = page.goto(address)
            if answer is None or answer.status != _OK:
                raise OperationError(f"{address} cannot be shown: {page.inner_text('body')[:500]}")
            if typed is not None:
                page.locator(f"input[value={typed.choice}]").check()
                page.locator("#reason").fill(typed.reason)
                page.locator("#vote button").click()
                page.wait_for_url("**confirm=1**")
            picture = Image.open(io.BytesIO(page.screenshot(full_page=True))).convert("RGB")
            picture.quantize(_COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(
                self._folder / f"{name}-{width}.png", optimize=True
            )
            page.close()


def take_all(stack: Stack, camera: Camera, inputs: Path) -> None:
    """The pages of a release that follows another one, from the request to its outcome."""
    _release(stack, inputs, 0)
    mails: list[Mail] = []

    def decide(mail: Mail) -> None:
        mails.append(mail)
        decision, run = mail["links"][:2]
        camera.take("approval", decision)
        camera.take("approval-check", decision, typed=_DECISION)
        camera.take("run-waiting", run)

    done = _release(stack, inputs, 1, decide)
    told = Mailbox(stack.mailbox_url).wait_for(f"Released: {done}")
    camera.take("approval-decided", mails[0]["links"][0])
    for name, part in (("run", "/runs/"), ("take-back", "/take-back")):
        camera.take(name, next(link for link in told["links"] if part in link))


def _release(stack: Stack, inputs: Path, seed: int, before: Callable[[Mail], None] = lambda _mail: None) -> str:
    """Release generated tenants; the release's id."""
    as_of = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)
    folder = inputs / f"seed-{seed}"
    generate(folder, as_of=as_of, tenants=_TENANTS, seed=seed, margin="wide")
    manifest: dict[str, object] = {"source": "events", "as_of": as_of.strftime("%Y-%m-%dT%H:%M:%SZ")}
    batch = RawBatch(timed_name("tickets"), tuple(sorted(folder.iterdir())), manifest)

    def decide(mail: Mail) -> None:
        before(mail)
        releases.decide(stack, mail, _DECISION)

    done = releases.make_release(stack, batch, decide)
    if done.execution["status"] != "SUCCEEDED":
        raise OperationError(f"release {done.release} ended in {done.execution.get('error')}")
    return done.release


def main() -> None:
    """Take all pictures."""
    chromium = next((path for name in _CHROMIUM if (path := shutil.which(name))), None)
    if chromium is None:
        sys.exit("Chromium is not installed: apt-get install chromium")
    IMAGES.mkdir(exist_ok=True)
    server = laptop.start(STATE, "--fresh")
    try:
        stack = build_and_deploy(server)
        confirm_subscription(stack)
        with sync_playwright() as driver:
            browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            take_all(stack, Camera(browser, IMAGES), STATE / "inputs")
    finally:
        laptop.stop(STATE)
    print(f"The pictures are in {laptop.relative(IMAGES)}. Look at each of them.")


if __name__ == "__main__":
    main()
