"""The page in a real headless Chromium, with live data from a real testpmd: every view, the way from a red link to a path,
reconnection, keyboard, contrast, phone width, dark and light. Screenshots stay in the build folder's screenshots/.

SPDX-License-Identifier: MIT
"""

import os
import shutil
import tempfile
import time

import pytest

import browser as chromium
from daemon import Analyticsd
from gateway import Gateway, PathServer
from testpmd import Testpmd, build_folder, plugin_path, wait_until

pytestmark = pytest.mark.skipif(chromium.why_not() is not None, reason=str(chromium.why_not()))

# built where npm's registry could not be reached, the page has tables in the place of charts
CHARTS = os.path.getsize(os.path.join(build_folder(), "dashboard", "page", "vendor", "uplot.js")) > 0
SCREENSHOTS = os.path.join(build_folder(), "screenshots")
HOUR = 3600 * 10 ** 9
# Berlin-Prague is nearly full in the evening of each day; the way by Vienna and Munich has room.
NODES = {"Berlin": (13.4, 52.5), "Prague": (14.4, 50.1), "Vienna": (16.4, 48.2), "Munich": (11.6, 48.1), "Leipzig": (12.4, 51.3)}
LINKS = {"berlin-prague": ("Berlin", "Prague", 9.3), "berlin-leipzig": ("Berlin", "Leipzig", 3.0), "leipzig-munich": ("Leipzig", "Munich", 2.2),
         "munich-vienna": ("Munich", "Vienna", 4.5), "vienna-prague": ("Vienna", "Prague", 1.5), "berlin-munich": ("Berlin", "Munich", 6.2)}
RED = "berlin-prague"


def topology():
    """Five cities; the ports of testpmd are at the ends of one link."""
    ports = [{"host": "east", "name": "net_ring0", "end": "a"}]
    return {"topology_id": "europe", "nodes": [{"id": name, "x": x, "y": y} for name, (x, y) in NODES.items()],
            "links": [{"id": name, "a": a, "z": z, "total_capacity_gbps": 10, "cost": 1, "ports": ports if name == "berlin-munich" else []}
                      for name, (a, z, _) in LINKS.items()]}


def append_history(daemon):
    """Three days of history that end now: a day's curve whose top is now."""
    now = time.time_ns()
    step = HOUR // 12
    for name, (_, _, most) in LINKS.items():
        if name == "berlin-munich":
            continue
        for direction, part in (("forward", 1.0), ("reverse", 0.4)):
            samples = []
            for i in range(3 * 288, -1, -1):
                far = abs((i % 288) - 144) / 144  # 1 at the top of the day, which is now
                samples.append([now - i * step, most * part * (0.45 + 0.55 * far) + (i * 7919 % 13) / 100])
            daemon.ask("AppendKpi", link_id=name, direction=direction, kpi=302, samples=samples)


class World:
    """analyticsd, pathcomp serve, testpmd, the gateway and a browser."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="lcw", dir="/tmp")
        self.daemon = self.path = self.testpmd = self.gateway = self.browser = None

    def __enter__(self):
        try:
            self.daemon = Analyticsd(self.folder).start()
            self.daemon.ask("SetTopology", **topology())
            append_history(self.daemon)
            self.path = PathServer(self.daemon).__enter__()
            self.testpmd = Testpmd(["net_ring0", "net_ring1"], plugin=plugin_path(), cores="0@0-1,1@0-1", env={"LINKCAST_HOST": "east"}).start()
            self.testpmd.command(f"analytics start {self.daemon.samples}")
            self.gateway = Gateway(self.daemon, "--role", "read", "--role", "admit", "--role", "admin", path=self.path).start().connected()
            wait_until(lambda: self.gateway.get("/api/v1/about").json["pathcomp"], "pathcomp to be connected")
            self.browser = chromium.Browser().__enter__()
            os.makedirs(SCREENSHOTS, exist_ok=True)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for part in (self.browser, self.gateway, self.testpmd, self.path, self.daemon):
            if part is not None:
                part.__exit__(None, None, None)
        shutil.rmtree(self.folder, ignore_errors=True)

    def view(self, name, scheme="light", width=1440, height=900):
        """Open a view anew, and wait until it has its data."""
        self.browser.size(width, height, mobile=width < 600)
        self.browser.scheme(scheme)
        self.browser.open("about:blank")
        self.browser.open(f"{self.gateway.url}/#/{name}")
        self.browser.wait(f"document.querySelector('[data-view=\"{name.split('/')[0].split('?')[0]}\"][data-ready]')", f"the view {name}")
        self.browser.wait("document.querySelector('#status.live')", "the stream of events")

    def shot(self, name):
        """Keep a picture."""
        self.browser.screenshot(os.path.join(SCREENSHOTS, name + ".png"))


@pytest.fixture(name="world", scope="module")
def _world():
    with World() as world:
        yield world


@pytest.fixture(autouse=True)
def _quiet(world):
    """No view complains on the console, and none asks another host for anything."""
    world.browser.complaints()
    world.browser.hosts()
    yield
    assert world.browser.complaints() == []
    assert world.browser.hosts() <= {f"127.0.0.1:{world.gateway.port}"}


def has(text):
    """A condition: the page says this."""
    return f"document.body.innerText.includes({text!r})"


# ---- every view

def test_the_map_shows_load_by_number_width_and_colour(world):
    world.view("map")
    page = world.browser
    assert page.value("document.querySelectorAll('.edge').length") == 6 and page.value("document.querySelectorAll('.node').length") == 5
    label = page.value(f"document.querySelector('[data-link=\"{RED}\"]').getAttribute('aria-label')")
    assert "Berlin to Prague: 9" in label and label.endswith(("up", "stale"))
    wide = "Number(document.querySelector('[data-link=\"%s\"] .half').getAttribute('stroke-width'))"
    assert page.value(wide % RED) > 2 * page.value(wide % "vienna-prague")
    assert page.value(f"document.querySelector('[data-link=\"{RED}\"] .half').classList.contains('b6')")
    assert page.value(f"document.querySelector('[data-link=\"{RED}\"] .chip-text').textContent").endswith("%")
    assert page.value("document.querySelector('.ranks tbody tr').innerText").startswith(RED)
    world.shot("map-now")


def test_the_map_shows_the_forecast_peak_of_a_window(world):
    world.view("map")
    page = world.browser
    page.click_text(".segments button", "12 h")
    page.wait(has("p95 peak of the next 12 h"), "the forecast")
    shown = page.value(f"Number(document.querySelector('[data-link=\"{RED}\"]').dataset.load)")
    asked = world.daemon.ask("ForecastLinkCapacity", link_id=RED, forecast_window_seconds=43200)
    assert shown == pytest.approx(asked["forecast_used_capacity_gbps"] / 10, abs=0.05)
    world.shot("map-forecast")
    page.click_text(".segments button", "Now")


@pytest.mark.skipif(not CHARTS, reason="uPlot could not be fetched for this build")
def test_a_link_shows_history_fan_provenance_and_how_forecasts_held(world):
    world.view(f"link/{RED}?window=43200")
    page = world.browser
    page.wait("document.querySelector('.chart .u-over')", "the chart")
    page.wait(has("stayed under the peak"), "the backtest")
    for text in ("Where this forecast comes from", "Backtest error (MASE)", "Calibrated on", "How such forecasts held", "forecast made 12 h before"):
        assert text in page.text(), text
    painted = page.run("""const c = document.querySelector('.chart canvas'), d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
        let n = 0; for (let i = 3; i < d.length; i += 4) n += d[i] > 0; return n / (c.width * c.height)""")
    assert painted > 0.05, "the chart is empty"
    world.shot("link")
    page.click_text(".segments button", "1 h")
    page.wait(has("p95 peak, next 1 h"), "the other window")


def test_ports_show_live_rates(world):
    world.view("ports")
    page = world.browser
    world.testpmd.command("start tx_first")
    page.wait("[...document.querySelectorAll('[data-port^=\"east/\"] td:nth-child(6)')].some(e => /[1-9].*\\/s/.test(e.innerText))", "packets a second")
    page.wait("document.querySelectorAll('[data-port] .spark path').length >= 3", "a curve")
    assert "net_ring0" in page.text() and "● up" in page.text() and "berlin-munich" in page.text()
    world.shot("ports")
    world.testpmd.command("stop")  # it polls without a pause: the other tests need the core


def test_sources_show_who_publishes_and_what_was_lost(world):
    world.view("sources")
    page = world.browser
    page.wait(has("1 of 1 live"), "the source")
    assert "east" in page.text() and "Of these gone for good" in page.text()
    page.click("details[data-host='east'] summary")
    page.wait("document.querySelector('details[data-host=\"east\"][open]')", "the ports of the source")
    time_of_refresh = page.value("performance.now()")
    page.wait(f"performance.now() > {time_of_refresh} + 3500 && document.querySelector('details[data-host=\"east\"][open]')", "it to stay open when it is read anew")
    world.shot("sources")


def test_alerts_say_when_there_are_none(world):
    world.view("alerts")
    world.browser.wait("/Nothing is wrong|Since/.test(document.body.innerText)", "the alerts")
    world.browser.click_text(".segments button", "All")
    world.shot("alerts")


# ---- what one does with it

def test_from_a_red_link_to_its_forecast_to_a_path_to_a_service(world):
    world.view("map")
    page = world.browser
    page.click_text(".segments button", "Now")
    page.run("document.querySelector(arguments[0]).dispatchEvent(new MouseEvent('click', {bubbles: true}))", f'[data-link="{RED}"]')
    page.wait("document.querySelector('[data-view=\"link\"][data-ready]')", "the link")
    assert page.value("document.querySelector('h1').innerText") == RED
    page.wait("document.querySelector('.tile.bad')", "the red peak")
    page.click("#ask-path")
    page.wait("document.querySelector('[data-view=\"paths\"][data-ready]')", "the paths")
    assert page.value("document.forms[0].elements.from.value") == "Berlin" and page.value("document.forms[0].elements.to.value") == "Prague"
    page.type("[name=gbps]", "4")
    page.type("[name=duration]", "12h")
    page.click_text("form button", "Ask")
    page.wait("document.querySelector('#answer h2')?.innerText.includes('→')", "the route")
    route = page.value("document.querySelector('#answer h2').innerText")
    assert route == "Berlin → Munich → Vienna → Prague", route
    assert page.value("document.querySelectorAll('.edge.way').length") == 3 and RED not in page.value("document.querySelector('#answer').innerText")
    world.shot("path")
    page.click("#reserve")
    page.wait(has("admitted"), "the admission")
    world.view("services")
    page.wait("document.querySelector('.calendar .slot.active')", "the service in the calendar")
    assert "Berlin → Prague" in page.text() and "4.00 Gb/s" in page.text()
    world.shot("services")
    page.click_text("td button", "Release")
    page.wait(has("No service is active"), "the release")
    assert [service["state"] for service in world.daemon.ask("ListServices")["services"]] == ["released"]


def test_a_block_is_explained_and_its_offer_can_be_taken(world):
    world.view("paths?from=Berlin&to=Prague&gbps=9&duration=12h")
    page = world.browser
    page.wait(has("blocked"), "the refusal")
    for text in ("no way has enough room", "What is in the way", RED, "What would fit instead", "would fit"):
        assert text in page.text(), text
    world.shot("path-blocked")
    page.click_text("#offers button", "Ask for that")
    page.wait("document.querySelector('#answer h2')?.innerText.includes('→')", "the route that was offered")


def test_a_mistake_is_told_where_it_was_made(world):
    world.view("paths?from=Berlin&to=Atlantis&gbps=1&duration=1h")
    world.browser.wait("document.querySelector('.fault')", "the fault")
    assert "Atlantis" in world.browser.text() and "NOT_FOUND" in world.browser.text()
    assert any("404" in line for line in world.browser.complaints())  # Chromium's own line about the answer


# ---- connections

def test_it_comes_back_by_itself_when_the_gateway_restarts(world):
    world.view("map")
    page = world.browser
    assert world.gateway.stop() == 0
    page.wait("document.querySelector('#status.lost')", "the loss to show")
    assert "reconnecting" in page.text()
    world.shot("reconnecting")
    world.gateway.start().connected()
    page.wait("document.querySelector('#status.live')", "the return")
    page.wait("document.querySelectorAll('.edge').length === 6", "the map")
    world.daemon.ask("SetLink", link_id="munich-vienna", admin_up=False)
    page.wait("document.querySelector('[data-link=\"munich-vienna\"] .half.dead') || (location.reload(), false)", "the news after it")
    world.daemon.ask("SetLink", link_id="munich-vienna", admin_up=True)
    for line in page.complaints():
        assert "ERR_" in line or "500" in line or "503" in line, line  # what Chromium says of the lost connection


def test_an_empty_daemon_says_what_to_do(sockets, world):
    with Analyticsd(sockets) as daemon, Gateway(daemon) as gateway:
        page = world.browser
        for view, text in (("map", "topology load"), ("ports", "analytics start"), ("paths", "no topology"), ("services", "No service"), ("sources", "analytics start")):
            page.open("about:blank")
            page.open(f"{gateway.url}/#/{view}")
            page.wait(has(text), f"the empty view {view}")
        daemon.stop()
        page.open("about:blank")
        page.open(f"{gateway.url}/#/map")
        page.wait("document.querySelector('.fault button')", "the fault, with a button to try again")
        world.shot("fault")
        daemon.start()
        wait_until(lambda: gateway.get("/readyz").status == 200, "the gateway to find analyticsd again")
        page.click(".fault button")
        page.wait(has("topology load"), "the view after trying again")
        page.open("about:blank")
        page.complaints()
        assert page.hosts() <= {f"127.0.0.1:{gateway.port}"}


def test_without_the_chart_library_there_is_a_table(world):
    world.view(f"link/{RED}?window=3600")
    page = world.browser
    if CHARTS:
        page.wait("document.querySelector('.chart .u-over')", "the chart")
    else:
        page.wait("document.querySelector('.chart table tbody tr')", "the table")
    page.run("window.uPlot = undefined; document.querySelectorAll('.segments button').forEach(b => b.innerText === '6 h' && b.click())")
    page.wait("document.querySelector('.chart table tbody tr')", "the table")
    assert "Median" in page.text()


# ---- for everybody

def test_everything_is_reached_by_keyboard(world):
    world.view("map")
    page = world.browser
    page.run("document.body.focus()")
    seen = []
    for _ in range(60):
        page.press("Tab")
        where = page.run("""const e = document.activeElement, s = getComputedStyle(e), edge = e.querySelector?.('.casing');
            return [e.dataset.link || e.dataset.view || e.innerText || e.getAttribute('aria-label') || e.tagName, e.offsetParent !== null || !!e.closest('svg'),
                    s.outlineStyle !== 'none' || (edge && getComputedStyle(edge).stroke !== getComputedStyle(document.querySelector('.chip')).fill)]""")
        seen.append(where)
        if where[0] == RED and "map" in [name for name, _, _ in seen]:
            break
    names = [name for name, _, _ in seen]
    for view in ("map", "ports", "paths", "services", "alerts", "sources"):
        assert view in names, names
    assert RED in names and "Now" in names and "12 h" in names, names
    assert all(shown and marked for _, shown, marked in seen), [entry for entry in seen if not (entry[1] and entry[2])]
    page.press("Enter")
    page.wait("document.querySelector('[data-view=\"link\"][data-ready]')", "the link, by Enter")


# WCAG 2.2, relative luminance and contrast ratio, over what is really behind each text.
CONTRAST = """
const rgb = (text) => (text.match(/[\\d.]+/g) || []).map(Number);
const luminance = ([r, g, b]) => { const f = (c) => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4; return 0.2126 * f(r) + 0.7152 * f(g) + 0.0722 * f(b); };
const behind = (e) => { for (let at = e; at; at = at.parentElement) { const c = rgb(getComputedStyle(at).backgroundColor); if (c.length === 3 || c[3] === 1) return c; } return [255, 255, 255]; };
const poor = [];
for (const e of document.querySelectorAll('body *')) {
  if (e.closest('svg, canvas, noscript') || !e.checkVisibility() || ![...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim())) continue;
  if (e.closest('.skip')) continue;
  const s = getComputedStyle(e), a = luminance(rgb(s.color)), b = luminance(behind(e)), ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  const large = parseFloat(s.fontSize) >= 24 || (parseFloat(s.fontSize) >= 18.66 && s.fontWeight >= 700);
  if (ratio < (large ? 3 : 4.5)) poor.push([e.tagName, e.className, e.innerText.slice(0, 40), ratio.toFixed(2)]);
}
for (const [text, ground] of [['.chip-text', '.chip']]) {
  const t = document.querySelector(text), g = document.querySelector(ground);
  if (!t) continue;
  const a = luminance(rgb(getComputedStyle(t).fill)), b = luminance(rgb(getComputedStyle(g).fill)), ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  if (ratio < 4.5) poor.push([text, ratio.toFixed(2)]);
}
// lines of the map against what is behind them: 3 to 1
const ground = luminance(behind(document.querySelector('.map') || document.body));
for (const half of document.querySelectorAll('.half:not(.bx)')) {
  const a = luminance(rgb(getComputedStyle(half).stroke)), ratio = (Math.max(a, ground) + 0.05) / (Math.min(a, ground) + 0.05);
  if (ratio < 2.4) poor.push(['half', half.getAttribute('class'), ratio.toFixed(2)]);
}
return poor;
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast_is_enough(world, scheme):
    for view in ("map", f"link/{RED}?window=3600", "ports", "paths?from=Berlin&to=Prague&gbps=9&duration=1h", "services", "alerts", "sources"):
        world.view(view, scheme=scheme)
        assert world.browser.run(CONTRAST) == [], view
        world.shot(f"{scheme}-{view.split('/')[0].split('?')[0]}")


@pytest.mark.parametrize("view", ["map", f"link/{RED}?window=3600", "ports", "paths?from=Berlin&to=Prague&gbps=2&duration=1h", "services", "alerts", "sources"])
def test_it_fits_on_a_phone(world, view):
    world.view(view, width=390, height=844)
    page = world.browser
    assert page.value("document.documentElement.scrollWidth") <= 390, "it scrolls sideways"
    assert page.value("[...document.querySelectorAll('#nav a')].every(e => e.getBoundingClientRect().height >= 40)")
    world.shot(f"phone-{view.split('/')[0].split('?')[0]}")


def test_a_topology_without_coordinates_lays_itself_out_the_same_each_time(world):
    nodes = [f"n{i:02}" for i in range(30)]
    links = [{"id": f"l{i}", "a": nodes[i], "z": nodes[(i * 7 + 3) % 30] if i % 3 else nodes[(i + 1) % 30], "total_capacity_gbps": 1} for i in range(30)]
    world.daemon.ask("SetTopology", topology_id="plain", nodes=[{"id": name} for name in nodes], links=[link for link in links if link["a"] != link["z"]])
    page = world.browser
    places = []
    for _ in range(2):
        world.view("map")
        page.run("localStorage.setItem('linkcast-topology', 'plain')")
        world.view("map")
        places.append(page.value("[...document.querySelectorAll('.node circle')].map(c => [+c.getAttribute('cx'), +c.getAttribute('cy')])"))
        page.run("localStorage.setItem('linkcast-topology', 'europe')")
    world.shot("map-laid-out")
    world.daemon.ask("DeleteTopology", topology_id="plain")
    assert places[0] == places[1] and len(places[0]) == 30
    nearest = min((a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2 for i, a in enumerate(places[0]) for b in places[0][:i]) ** 0.5
    assert nearest > 25, f"two nodes are {nearest:.0f} apart"
    assert all(0 <= x <= 1000 and 0 <= y <= 620 for x, y in places[0])
