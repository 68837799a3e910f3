"""The page in a real headless Chromium, driven over the WebDriver protocol on loopback."""

import base64
import http.server
import json
import os
import struct
import threading
from pathlib import Path

import pytest
from parley_verifier.report import render
from verifier_report_sample import hostile, sample

pytest_plugins = ["browser"]


@pytest.fixture
def pages(tmp_path):
    """A web server on loopback that serves the pages and notes every path asked for."""
    (tmp_path / "sample.html").write_bytes(render(sample()))
    (tmp_path / "hostile.html").write_bytes(render(hostile()))
    asked = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments):
            super().__init__(*arguments, directory=str(tmp_path))

        def log_message(self, *_):
            asked.append(self.path)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    thread.join()
    server.server_close()


def screenshot(driver, name):
    """Keep a screenshot where PARLEY_SCREENSHOTS says, for a person to look at; return its size."""
    image = base64.b64decode(driver.devtools("Page.captureScreenshot", captureBeyondViewport=True)["data"])
    if folder := os.environ.get("PARLEY_SCREENSHOTS"):
        (Path(folder) / f"{name}.png").write_bytes(image)
    return struct.unpack(">II", image[16:24])


@pytest.mark.parametrize("page", ["sample", "hostile"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
def test_the_page_opens_in_chromium_without_an_error_or_a_request(driver, pages, page, scheme, width):
    base, asked = pages
    driver.log("browser")
    driver.requests()
    driver.devtools(
        "Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}]
    )
    driver.devtools(
        "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False
    )
    address = f"{base}/{page}.html"
    driver.call("/url", {"url": address})
    assert driver.log("browser") == []
    assert [one for one in driver.requests() if not one.startswith("data:")] == [address]
    assert asked == [f"/{page}.html"]
    assert driver.run("return document.documentElement.scrollWidth") <= width
    assert driver.run("return document.scripts.length") == 0
    paper = driver.run("return getComputedStyle(document.documentElement).backgroundColor")
    assert paper == {"light": "rgb(255, 255, 255)", "dark": "rgb(15, 19, 23)"}[scheme]
    boxes = driver.run(
        "return [...document.querySelectorAll('svg')].map(s => s.getBoundingClientRect().height)"
    )
    assert len(boxes) == 4
    assert min(boxes) > 5
    assert screenshot(driver, f"{page}-{scheme}-{width}")[0] == width


def test_a_page_that_breaks_its_policy_is_noticed_by_this_test(driver, pages, tmp_path):
    base, asked = pages
    broken = render(sample()).replace(b"</body>", b"<script>alert(1)</script><img src=/x.png></body>")
    (tmp_path / "broken.html").write_bytes(broken)
    driver.log("browser")
    driver.call("/url", {"url": f"{base}/broken.html"})
    seen = ""
    for _ in range(500):  # the browser writes its log in its own time; every look is a round trip
        seen += json.dumps(driver.log("browser"))
        if "Content Security Policy" in seen:
            break
    assert "Content Security Policy" in seen
    assert asked == ["/broken.html"]


def test_the_page_prints_on_paper(driver, pages):
    base, _ = pages
    driver.call("/url", {"url": f"{base}/sample.html"})
    pdf = base64.b64decode(driver.devtools("Page.printToPDF", printBackground=True)["data"])
    assert pdf.startswith(b"%PDF")
    if folder := os.environ.get("PARLEY_SCREENSHOTS"):
        (Path(folder) / "sample.pdf").write_bytes(pdf)
