"""What only a browser can tell: nothing sticks out, nothing is amiss in the console, hovering shows the sentence."""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import synthetic_results

from embedpipe.report import write_report

BROWSER = next((found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no chromium on the PATH")
FLAGS = (
    "--headless",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)
WIDTHS = (390, 1280)

# Goes into the page itself, which tells the page around it what it found.
PROBE = """<script>
const errors = [];
addEventListener("error", event => errors.push(event.message));
addEventListener("securitypolicyviolation", event => errors.push(event.violatedDirective));
console.error = console.warn = text => errors.push(String(text));
addEventListener("load", () => setTimeout(() => {
  const point = document.querySelector(".stage .pt"), tip = document.getElementById("tip");
  let hovered = null, moved = null;
  if (point) {
    point.dispatchEvent(new PointerEvent("pointerover", {bubbles: true}));
    hovered = tip.hidden ? null : tip.textContent;
    const before = getComputedStyle(point).translate;
    document.querySelector(".explore input").click();
    point.getAnimations().forEach(animation => animation.finish());
    moved = before !== getComputedStyle(point).translate;
  }
  const rest = [...document.querySelectorAll("details")]; rest.forEach(details => details.open = true);
  parent.postMessage({width: innerWidth, scroll: document.scrollingElement.scrollWidth, errors, hovered, moved}, "*");
}, 50));
</script>"""


def browse(folder: Path, page: str, scheme: str = "light") -> list[dict[str, object]]:
    """Show a page in a frame of each width; what the probes have said."""
    (folder / "page.html").write_text(page.replace("</title>", "</title>" + PROBE, 1), encoding="utf-8")
    frames = "".join(f'<iframe src="page.html" style="width:{width}px;height:900px;border:0"></iframe>' for width in WIDTHS)
    around = (
        '<pre id="said"></pre><script>addEventListener("message", e => said.append(JSON.stringify(e.data) + "\\n"))</script>'
    )
    (folder / "around.html").write_text(f"<!DOCTYPE html>{around}{frames}", encoding="utf-8")
    dark = ["--blink-settings=preferredColorScheme=0"] if scheme == "dark" else []
    root = ["--no-sandbox"] if os.geteuid() == 0 else []
    done = subprocess.run(
        [
            str(BROWSER),
            *FLAGS,
            *root,
            *dark,
            f"--user-data-dir={folder / 'profile'}",
            "--virtual-time-budget=4000",
            "--dump-dom",
            (folder / "around.html").as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    (found,) = re.findall(r'<pre id="said">(.*?)</pre>', done.stdout, flags=re.DOTALL)
    return [json.loads(line) for line in html.unescape(found).splitlines()]


@pytest.mark.parametrize("kind", ["ner", "pos"])
def test_page_fits_a_phone_and_a_desk_without_an_error(tmp_path: Path, kind: str) -> None:
    results, timings = getattr(synthetic_results, kind)()
    write_report(results, timings, tmp_path / "report.html")
    said = browse(tmp_path, (tmp_path / "report.html").read_text(encoding="utf-8"))
    assert sorted(frame["width"] for frame in said) == list(WIDTHS)
    for frame in said:
        assert frame["errors"] == []
        assert frame["scroll"] <= frame["width"]
        if kind == "ner":
            assert "they had walked along ‹bank›" in str(frame["hovered"])
            assert frame["moved"] is True


def test_page_is_printed(tmp_path: Path) -> None:
    results, timings = synthetic_results.tiny()
    write_report(results, timings, tmp_path / "report.html")
    root = ["--no-sandbox"] if os.geteuid() == 0 else []
    subprocess.run(
        [
            str(BROWSER),
            *FLAGS,
            *root,
            f"--user-data-dir={tmp_path / 'profile'}",
            f"--print-to-pdf={tmp_path / 'report.pdf'}",
            (tmp_path / "report.html").as_uri(),
        ],
        capture_output=True,
        timeout=120,
        check=True,
    )
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")
