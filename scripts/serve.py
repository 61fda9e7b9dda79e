"""Start the app so that every address works from the first request on.

Streamlit takes a folder called ``pages`` for its older, automatic multipage mode until a session has called
``st.navigation``: on a server that has just started, a link to ``/playground`` would run that page without ``app.py``.
This launcher switches that mode off before the first request, and runs the script once, so that the first visitor does
not wait for the imports. Arguments are those of ``streamlit run``.
"""

from __future__ import annotations

import argparse
import os
import socket
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

# Imported whole before the first page: plotly looks at a pandas that another thread has half imported, and fails.
import pandas  # noqa: F401
from streamlit import config, net_util, runtime
from streamlit.runtime.pages_manager import PagesManager
from streamlit.web import cli

ROOT = Path(__file__).resolve().parents[1]
FIRST_PORT = 8501


def is_free(port: int) -> bool:
    """Whether nobody listens on `port`."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError:
            return False
    return True


def chosen_port(asked: int | None) -> int:
    """Return the port that was asked for, or else the first free one; without any, end with a word about it."""
    candidates = range(FIRST_PORT, FIRST_PORT + 100) if asked is None else [asked]
    for port in candidates:
        if is_free(port):
            return port
    raise SystemExit(f"Port {candidates[0]} is taken by another program. Name a free one: make app PORT=9000")


def announce_when_warm() -> None:
    """Run the script once through the server, then say where the app is."""
    # A proxy from the environment must not stand between this process and itself.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    for _ in range(600):
        if not runtime.exists():  # before that the options given on the command line are not in `config`
            time.sleep(0.1)
            continue
        port, base = config.get_option("server.port"), config.get_option("server.baseUrlPath").strip("/")
        path = f"{base}/" if base else ""
        try:
            opener.open(f"http://127.0.0.1:{port}/{path}_stcore/script-health-check", timeout=90).close()
        except urllib.error.HTTPError as error:
            print(f"\n  The first page did not run ({error}); the reason stands above.\n", flush=True)
        except OSError:
            time.sleep(0.1)
            continue
        print(f"\n  rnnviz is open at  http://localhost:{port}/{base}", flush=True)
        print(f"  in this network    http://{net_util.get_internal_ip()}:{port}/{base}\n", flush=True)
        return


def main(arguments: list[str]) -> None:
    """Run the app's server until it is stopped; `arguments` are options of ``streamlit run``."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--server.port", dest="port", type=int)
    known, others = parser.parse_known_args(arguments)
    port = chosen_port(known.port)
    os.chdir(ROOT)  # .streamlit/config.toml is found from here
    PagesManager.uses_pages_directory = False
    threading.Thread(target=announce_when_warm, daemon=True).start()
    # Streamlit's own welcome asks an outside service for this machine's address; ours asks nobody.
    quiet = "--logger.hideWelcomeMessage=true"
    cli.main(["run", "app.py", f"--server.port={port}", quiet, *others], prog_name="streamlit")


if __name__ == "__main__":
    main(sys.argv[1:])
