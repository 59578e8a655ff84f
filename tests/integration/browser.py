"""A real headless Chromium, driven through chromedriver by plain HTTP (W3C WebDriver, https://www.w3.org/TR/webdriver2/).

    with Browser() as browser:
        browser.open("http://127.0.0.1:5580/")
        browser.wait("document.querySelector('h1')", "a heading")

SPDX-License-Identifier: MIT
"""

import base64
import json
import os
import re
import shutil
import subprocess
import tempfile
import urllib.parse
import urllib.request

from testpmd import wait_until

CHROMIUM, CHROMEDRIVER = shutil.which("chromium"), shutil.which("chromedriver")
# Nothing but the page's own requests, and none of them to a name.
ARGUMENTS = ["--headless=new", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
             "--disable-default-apps", "--disable-extensions", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
             "--force-color-profile=srgb", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--window-size=1440,900"]
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
KEYS = {"Tab": "\ue004", "Enter": "\ue007", "Escape": "\ue00c", "Space": " ", "ArrowRight": "\ue014"}


def why_not():
    """None when there is a Chromium to drive, else the reason."""
    return None if CHROMIUM and CHROMEDRIVER else "chromium and chromium-driver are not installed"


class Browser:
    """One Chromium with a profile of its own."""

    def __init__(self):
        self._profile = tempfile.mkdtemp(prefix="lcb", dir="/tmp")
        self._driver = self._session = None
        self._server = ""

    def __enter__(self):
        log = os.path.join(self._profile, "driver.log")
        with open(log, "w", encoding="utf-8") as file:
            self._driver = subprocess.Popen([CHROMEDRIVER, "--port=0"], stdout=file, stderr=subprocess.STDOUT,
                                            stdin=subprocess.DEVNULL, start_new_session=True)

        def port():
            assert self._driver.poll() is None, "chromedriver ended"
            with open(log, encoding="utf-8") as file:
                return re.search(r"started successfully on port (\d+)", file.read())
        self._server = f"http://127.0.0.1:{wait_until(port, 'chromedriver', 60).group(1)}"
        arguments = ARGUMENTS + [f"--user-data-dir={self._profile}/chromium"] + (["--no-sandbox"] if os.geteuid() == 0 else [])
        reply = self._call("POST", "/session", {"capabilities": {"alwaysMatch": {
            "goog:chromeOptions": {"binary": CHROMIUM, "args": arguments},
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"}}}})
        self._session = f"/session/{reply['sessionId']}"
        self._call("POST", self._session + "/timeouts", {"script": 60000, "pageLoad": 60000})
        return self

    def __exit__(self, *_):
        try:
            if self._session is not None:
                self._call("DELETE", self._session)
        finally:
            self._driver.terminate()
            self._driver.wait(30)
            shutil.rmtree(self._profile, ignore_errors=True)

    def _call(self, method, path, body=None):
        data = None if method in ("GET", "DELETE") else json.dumps(body or {}).encode()
        request = urllib.request.Request(self._server + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            value = json.load(error)["value"]
            raise AssertionError(f"{value['error']}: {value['message'].splitlines()[0]}") from None

    def command(self, method, **parameters):
        """A command of the DevTools protocol."""
        return self._call("POST", self._session + "/goog/cdp/execute", {"cmd": method, "params": parameters})

    # ---- the page

    def open(self, url):
        """Go to an address."""
        self._call("POST", self._session + "/url", {"url": url})

    def run(self, script, *arguments):
        """The value of a script's `return`."""
        return self._call("POST", self._session + "/execute/sync", {"script": script, "args": list(arguments)})

    def value(self, expression):
        """The value of an expression."""
        return self.run(f"return ({expression})")

    def wait(self, expression, what, seconds=60):
        """Wait until an expression is true; returns it."""
        return wait_until(lambda: self.value(expression), f"{what}; the page says: {self.text()[:1500]!r}", seconds, 0.1)

    def text(self):
        """What the page says."""
        return self.value("document.body ? document.body.innerText : ''") or ""

    def find(self, selector):
        """An element, by CSS."""
        return self._call("POST", self._session + "/element", {"using": "css selector", "value": selector})[ELEMENT]

    def click(self, selector):
        """A real click into the middle of an element."""
        self._call("POST", f"{self._session}/element/{self.find(selector)}/click")

    def click_text(self, selector, text):
        """A real click on the first element of that selector with that text."""
        found = self.run("const [s, t] = arguments; return [...document.querySelectorAll(s)].find(e => e.innerText.trim().startsWith(t))",
                         selector, text)
        assert found, f"no {selector} says {text!r}: {self.text()[:1500]!r}"
        self._call("POST", f"{self._session}/element/{found[ELEMENT]}/click")

    def type(self, selector, text):
        """Put text in place of what an input holds."""
        element = self.find(selector)
        self._call("POST", f"{self._session}/element/{element}/clear")
        self._call("POST", f"{self._session}/element/{element}/value", {"text": text})

    def press(self, key):
        """A key, wherever the focus is."""
        code = KEYS.get(key, key)
        self._call("POST", self._session + "/actions", {"actions": [{"type": "key", "id": "keyboard", "actions": [
            {"type": "keyDown", "value": code}, {"type": "keyUp", "value": code}]}]})

    def size(self, width, height, mobile=False):
        """The size of the window's inside."""
        self.command("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=mobile)

    def scheme(self, name):
        """"dark" or "light"."""
        self.command("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": name}])

    def screenshot(self, path):
        """What it looks like, whole, as PNG."""
        shot = self.command("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        with open(path, "wb") as file:
            file.write(base64.b64decode(shot["data"]))

    # ---- what happened

    def complaints(self):
        """What the console said since the last call, above the level of information."""
        return [entry["message"] for entry in self._call("POST", self._session + "/se/log", {"type": "browser"})
                if entry["level"] in ("SEVERE", "WARNING")]

    def hosts(self):
        """The hosts that were asked for anything since the last call."""
        found = set()
        for entry in self._call("POST", self._session + "/se/log", {"type": "performance"}):
            event = json.loads(entry["message"])["message"]
            if event["method"] == "Network.requestWillBeSent":
                url = urllib.parse.urlsplit(event["params"]["request"]["url"])
                # Chromium's own pages (the new tab's) are chrome: and chrome-untrusted:
                if url.scheme not in ("data", "blob", "about", "chrome", "chrome-untrusted"):
                    found.add(url.netloc)
        return found
