"""agegender models: list or fetch the models."""

from __future__ import annotations

import argparse

from agegender.cli.console import DONE, FAILED, complain, download_bars, say
from agegender.errors import ModelError
from agegender.models import store
from agegender.models.manifest import load_manifest


def add_arguments(one: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    one.description = "List the models and their status, or download some."
    one.set_defaults(command=list_models)
    actions = one.add_subparsers(metavar="list|fetch")
    listing = actions.add_parser("list", help="list all models (the default)")
    listing.set_defaults(command=list_models)
    fetching = actions.add_parser("fetch", help="download models into the cache, for use without a network")
    fetching.add_argument("names", nargs="+", metavar="NAME", help="a name from the list")
    fetching.set_defaults(command=fetch_models)


def list_models(_: argparse.Namespace) -> int:
    """Print the models and their status."""
    line = "{:<13}  {:<9}  {:<7}  {:>8}  {:<36}  {}"
    say(line.format("name", "role", "status", "size", "title", "licence"))
    for spec in load_manifest().values():
        size = f"{spec.bytes / 1e6:.1f} MB"
        say(line.format(spec.name, spec.role, store.status(spec), size, spec.title, spec.licence))
    return DONE


def fetch_models(options: argparse.Namespace) -> int:
    """Fetch models by name, and print the paths of their files."""
    manifest, status = load_manifest(), DONE
    for name in options.names:
        if name not in manifest:
            raise ModelError(f"There is no model called {name!r}. There are: {', '.join(manifest)}.")
    for name in options.names:
        try:
            with download_bars() as progress:
                paths = store.fetch(manifest[name], progress, retry=True)
            for place in paths.values():
                say(f"{name}: {place}")
        except ModelError as error:
            complain(f"{name}: {error}")
            status = FAILED
    return status
