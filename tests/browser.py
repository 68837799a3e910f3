"""A real headless Chromium for tests, driven over the WebDriver protocol on loopback."""

import json
import os
import re
import shutil
import subprocess
import urllib.error
import urllib.request
from http import HTTPStatus

import pytest

HELP = "expected chromium and chromedriver on PATH: apt-get install chromium chromium-driver"


class Driver:
    """As much of a WebDriver client as these tests need."""

    def __init__(self, port):
        self.base = f"http://127.0.0.1:{port}"
        options = {
            "args": [
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--hide-scrollbars",
            ]
        }
        wanted = {
            "browserName": "chrome",
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
            "goog:chromeOptions": options,
        }
        self.base += (
            "/session/" + self.call("/session", {"capabilities": {"alwaysMatch": wanted}})["sessionId"]
        )

    def call(self, path, body=None, method="POST"):
        request = urllib.request.Request(
            self.base + path, json.dumps(body or {}).encode() if method == "POST" else None, method=method
        )
        for attempt in range(3):  # the browser's own machinery, printing above all, fails now and then
            try:
                with urllib.request.urlopen(request, timeout=60) as answer:
                    return json.load(answer)["value"]
            except urllib.error.HTTPError as error:
                if error.code != HTTPStatus.INTERNAL_SERVER_ERROR or attempt == 2:
                    raise
        raise AssertionError

    def devtools(self, command, **params):
        return self.call("/goog/cdp/execute", {"cmd": command, "params": params})

    def run(self, script):
        return self.call("/execute/sync", {"script": script, "args": []})

    def log(self, kind):
        return self.call("/se/log", {"type": kind})

    def requests(self):
        """Addresses that the page asked the network for, itself included."""
        events = [json.loads(entry["message"])["message"] for entry in self.log("performance")]
        return [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]


@pytest.fixture(scope="module")
def driver():
    program = shutil.which("chromedriver")
    if program is None or not (shutil.which("chromium") or shutil.which("google-chrome")):
        (pytest.fail if "CI" in os.environ else pytest.skip)(HELP)
    process = subprocess.Popen(
        [program, "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        started = (re.search(r"started successfully on port (\d+)", line) for line in process.stdout)
        one = Driver(next(int(found[1]) for found in started if found))
        yield one
        one.call("", method="DELETE")
    finally:
        process.terminate()
        process.communicate(timeout=30)
