"""A real server and a real Chromium.

A test takes `page` (light, 1440 × 900) or asks `new_page` for another size or theme, and opens a page of the app,
`app_server.url + "/playground"`. Each page is watched: a console error, an uncaught exception or a request that leaves
this machine fails its test, unless the test has looked at `page_errors` and cleared it. `settle(page)` waits until
Streamlit has run the script. Of failed pages, a picture and the last messages to
and from the server are left in test-output/, with the servers' logs.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

ROOT = Path(__file__).resolve().parents[2]
OUTPUT = ROOT / "test-output"
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM_FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
BOOT_SECONDS = 90
# Opened at /playground, Streamlit looks for its server there before it looks at the root: two expected 404s.
STREAMLITS_OWN_SEARCH = re.compile(r"://[^/]+/[^/]+/_stcore/(health|host-config)$")
ACTION_MS = 30_000  # generous: the machine may be training, serving and drawing on two cores


class Server(NamedTuple):
    """A running app."""

    url: str  # without a slash at the end
    log: Path
    process: subprocess.Popen[bytes]


@pytest.hookimpl(tryfirst=True)  # before `-m` selects
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of this folder, and put them first: they take longest, so the other process fills up meanwhile."""
    ours = [item for item in items if Path(__file__).parent in item.path.parents]
    for item in ours:
        item.add_marker(pytest.mark.browser)
    items.sort(key=lambda item: item not in ours)


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """Path of the machine's Chromium. Without one: a failure in CI, a skip on a person's machine."""
    named = os.environ.get("RNNVIZ_CHROMIUM")
    path = named or next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)
    if path and os.access(path, os.X_OK):
        return path
    said = f"No Chromium at RNNVIZ_CHROMIUM={named}." if named else f"No Chromium ({', '.join(CHROMIUM_NAMES)}) found."
    if os.environ.get("CI"):
        pytest.fail(said, pytrace=False)
    pytest.skip(said)


# Scope package, not session: playwright keeps an event loop running in this thread until it stops, and the tests that
# follow in the same process must not meet it.
@pytest.fixture(scope="package")
def browser(chromium_path: str) -> Iterator[Browser]:
    """One Chromium for all browser tests; each test gets its own context in it."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=chromium_path, args=CHROMIUM_FLAGS)
        yield chromium
        chromium.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(name: str, start: Sequence[str] = ("scripts/serve.py",)) -> Iterator[Server]:
    """Start the app as `make app` does, or as told; wait until it answers, and end it with everything it started."""
    OUTPUT.mkdir(exist_ok=True)
    log = OUTPUT / f"{name}.log"
    port = free_port()
    command = [sys.executable, *start, f"--server.port={port}", "--server.headless=true"]
    # The app sets its own threads; what tests/conftest.py set is meant for the tests.
    environment = {key: value for key, value in os.environ.items() if not key.endswith("_NUM_THREADS")}
    with log.open("wb") as stream, tempfile.TemporaryDirectory() as results:
        environment["RNNVIZ_RESULTS"] = results  # nothing computed before, and nothing left behind
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=stream, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            wait_until_healthy(process, f"http://localhost:{port}/_stcore/health", log)
            yield Server(f"http://localhost:{port}", log, process)
        finally:
            end(process)


def wait_until_healthy(process: subprocess.Popen[bytes], health: str, log: Path) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    give_up = time.monotonic() + BOOT_SECONDS
    while time.monotonic() < give_up:
        if process.poll() is not None:
            pytest.fail(
                f"The app ended with code {process.returncode} before it answered:\n{log.read_text()}", pytrace=False
            )
        try:
            opener.open(health, timeout=5).close()
            return
        except OSError:
            time.sleep(0.05)
    pytest.fail(f"The app did not answer within {BOOT_SECONDS} s:\n{log.read_text()}", pytrace=False)


def end(process: subprocess.Popen[bytes]) -> None:
    """Ask the whole process group to stop, workers included, then insist."""
    for request in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, request)
        except ProcessLookupError:
            break
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            continue
    process.wait(timeout=10)


@pytest.fixture(scope="package")
def app_server(chromium_path: str) -> Iterator[Server]:
    """The app all browser tests share, warm."""
    with serving("app_server") as server:
        give_up = time.monotonic() + BOOT_SECONDS
        while "is open at" not in server.log.read_text() and time.monotonic() < give_up:
            time.sleep(0.1)
        yield server


@pytest.fixture
def cold_server(chromium_path: str) -> Iterator[Server]:
    """An app of the test's own that nobody has visited: for links that open a page directly, and for restarts."""
    with serving("cold_server") as server:
        yield server


@pytest.fixture
def page_errors() -> list[str]:
    """What went wrong in this test's pages so far. A test that expects an error asserts on it and clears the list."""
    return []


@pytest.fixture
def new_page(browser: Browser, page_errors: list[str], request: pytest.FixtureRequest) -> Iterator[Callable[..., Page]]:
    """Open a watched page in a context of its own; keyword arguments are those of playwright's `new_context`."""
    if "cold_server" in request.fixturenames:
        request.getfixturevalue("cold_server")  # started before the pages, so stopped after them
    pages: list[Page] = []
    transcripts: list[deque[str]] = []

    def open_page(**options: object) -> Page:
        options.setdefault("viewport", {"width": 1440, "height": 900})
        page = browser.new_context(**options).new_page()  # type: ignore[arg-type]
        page.set_default_timeout(ACTION_MS)
        transcripts.append(deque(maxlen=400))
        watch(page, page_errors, transcripts[-1])
        pages.append(page)
        return page

    expect.set_options(timeout=ACTION_MS)
    yield open_page
    failed = page_errors or getattr(request.node, "failed_in_call", False)
    for number, page in enumerate(pages):
        if failed and not page.is_closed():
            page.screenshot(path=OUTPUT / f"{request.node.name}-{number}.png")
            (OUTPUT / f"{request.node.name}-{number}.txt").write_text("\n".join(transcripts[number]))
        page.context.close()
    assert not page_errors, "The page complained:\n" + "\n".join(page_errors)


@pytest.fixture
def page(new_page: Callable[..., Page]) -> Page:
    """A watched page, 1440 × 900, light."""
    return new_page()


def watch(page: Page, errors: list[str], transcript: deque[str]) -> None:
    """Write into `errors` what no page of the app may do, and into `transcript` what it and the server say."""

    def outside(url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme in {"http", "https", "ws", "wss"} and parts.hostname not in {"localhost", "127.0.0.1"}:
            errors.append(f"request to the outside: {url}")

    def complained(said: ConsoleMessage) -> None:
        if said.type == "error" and not STREAMLITS_OWN_SEARCH.search(said.location["url"]):
            errors.append(f"console: {said.text} ({said.location['url']})")

    page.on("pageerror", lambda error: errors.append(f"uncaught: {error}"))
    page.on("console", complained)
    page.on("request", lambda asked: outside(asked.url))
    page.on("websocket", lambda socket_: outside(socket_.url))
    page.on("websocket", lambda socket_: socket_.on("framesent", lambda frame: transcript.append(sent(frame))))
    page.on("websocket", lambda socket_: socket_.on("framereceived", lambda frame: transcript.append(received(frame))))


def sent(frame: bytes) -> str:
    """A message of the browser in one line: what it asks to run again, and which buttons were pressed."""
    asked = BackMsg.FromString(frame).rerun_script
    pressed = [w.id.split("-")[-1] for w in asked.widget_states.widgets if w.trigger_value or w.json_trigger_value]
    kind = "poll" if asked.is_auto_rerun else "rerun"
    return f"{time.monotonic():.3f} -> {kind} {asked.fragment_id[:6]} {' '.join(pressed)} {asked.query_string}"


def received(frame: bytes) -> str:
    """A message of the server in one line: which element goes where."""
    message = ForwardMsg.FromString(frame)
    kind = message.WhichOneof("type")
    what = ""
    if kind == "delta":
        element = message.delta.new_element
        what = f"{element.WhichOneof('type')} {element.button.label} {message.delta.fragment_id[:6]}"
    elif kind == "script_finished":
        what = str(message.script_finished)
    return f"{time.monotonic():.3f} <- {kind} {list(message.metadata.delta_path)} {what}"


@pytest.fixture
def measured(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Return a function that notes a measurement: printed (`-rP` shows it), and kept in test-output/measured.json."""

    def note(what: str, value: float, details: object = None) -> None:
        print(f"measured: {what}: {value:.3g}" + ("" if details is None else f"  {details}"))
        file = OUTPUT / "measured.json"
        known = json.loads(file.read_text()) if file.exists() else {}
        known[what] = {"value": round(value, 4), "test": request.node.name, "details": details}
        file.write_text(json.dumps(known, indent=1))

    return note


@pytest.fixture
def settle() -> Callable[[Page], None]:
    """Return a function that waits until the script of a page has run and the page is connected."""

    def wait(page: Page) -> None:
        ready = '[data-testid="stApp"][data-test-script-state="notRunning"][data-test-connection-state="CONNECTED"]'
        page.locator(ready).wait_for()

    return wait


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Iterator[None]:  # the fixture above takes a picture of a page whose test failed
    report = yield
    if report.when == "call":  # type: ignore[attr-defined]
        item.failed_in_call = report.failed  # type: ignore[attr-defined]
    return report
