"""agegender app: the web app, served on this machine."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys

from agegender.cli.console import require
from agegender.places import ROOT


def add_arguments(one: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    one.description = "Serve the web app on this machine until Ctrl-C, and open it in a browser."
    one.add_argument("--port", type=int, default=8501, help="port to listen on (default: 8501)")
    one.add_argument(
        "--address",
        metavar="HOST",
        help="address to listen on: localhost for this machine only (default: all)",
    )
    one.add_argument("--headless", action="store_true", help="do not open a browser")
    one.set_defaults(command=serve)


def serve(options: argparse.Namespace) -> int:
    """Serve the app; return Streamlit's exit status."""
    require("app", "streamlit", "streamlit_webrtc")
    command = [sys.executable, "-m", "streamlit", "run", str(ROOT / "app.py")]
    command += ["--server.port", str(options.port)]
    if options.address:
        command += ["--server.address", options.address]
    if options.headless:
        command += ["--server.headless", "true"]
    os.environ.setdefault("MALLOC_ARENA_MAX", "2")  # early, as `runtime.ARENAS` comes after the first threads
    if os.name == "posix":  # replaces this process, so that whatever ends it ends the server
        os.execv(sys.executable, command)
    return subprocess.run(command, check=False).returncode
