"""The draft as people read it: built twice to the same bytes, whole in its links, and quiet in a browser."""

import base64
import os
import re
import runpy
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

pytest_plugins = ["browser"]

ROOT = Path(__file__).parent.parent.parent
NAME = "draft-parley-mutual-verification-00"
PAGES = (f"{NAME}.xml", f"{NAME}.txt", f"{NAME}.html")


def build(out: Path) -> Path:
    subprocess.run([ROOT / "spec/tools/build.sh", out], check=True, capture_output=True, text=True)
    return out


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    if shutil.which("kramdown-rfc") is None and "CI" not in os.environ:
        pytest.skip("expected kramdown-rfc on PATH: apt-get install ruby-kramdown-rfc2629")
    return build(tmp_path_factory.mktemp("first"))


def test_two_builds_give_the_same_bytes(built, tmp_path):
    again = build(tmp_path / "second")
    for page in PAGES:
        assert (again / page).read_bytes() == (built / page).read_bytes(), page


def test_no_line_of_the_text_is_overfull(built):
    text = (built / PAGES[1]).read_text()
    assert len(text) > 100_000
    assert [line for line in text.splitlines() if len(line) > 72] == []


def test_every_link_inside_the_page_leads_somewhere(built):
    page = (built / PAGES[2]).read_text()
    anchors = re.findall(r'\bid="([^"]+)"', page)
    assert len(anchors) == len(set(anchors))
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(anchors)


def test_every_requirement_has_its_anchor(built):
    known = re.findall(r'"id": "([^"]+)"', (ROOT / "spec/requirements.json").read_text())
    page = (built / PAGES[2]).read_text()
    assert set(known) <= set(re.findall(r'\bid="([^"]+)"', page))


def test_a_reference_that_nobody_committed_is_an_error(tmp_path):
    tool = runpy.run_path(str(ROOT / "spec/tools/page.py"))
    with pytest.raises(FileNotFoundError):
        tool["with_references"]("&RFC4242;", ROOT / "spec/refs")


@pytest.mark.parametrize("width", [1280, 360])
def test_the_page_is_quiet_and_fits_in_a_browser(built, driver, width):
    driver.devtools(
        "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False
    )
    page = (built / PAGES[2]).as_uri()
    driver.log("performance")
    driver.call("/url", {"url": page})
    assert driver.log("browser") == []
    assert driver.requests() == [page]
    assert driver.run("return document.title").startswith("Parley")
    # Wide figures scroll in their own boxes; the page itself does not scroll sideways.
    assert driver.run("return document.documentElement.scrollWidth") <= width
    driver.call("/url", {"url": page + "#COMMIT-1"})
    top = driver.run("return document.getElementById('COMMIT-1').getBoundingClientRect().top")
    assert -1 <= top < 900
    shot = base64.b64decode(driver.call("/screenshot", method="GET"))
    assert struct.unpack(">I", shot[16:20])[0] == width
    if folder := os.environ.get("PARLEY_SCREENSHOTS"):
        (Path(folder) / f"draft-{width}.png").write_bytes(shot)
