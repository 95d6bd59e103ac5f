from __future__ import annotations

import subprocess
import sys

SETTLED = """
import gc, weakref
import streamlit
from agegender import runtime

runtime.settle()
first = gc.get_freeze_count()
assert len(gc.get_objects()) < first / 20, "the collector has little left to look through"

runtime.settle()
assert gc.get_freeze_count() == first, "nothing was imported in between"

class Node:
    def __init__(self):
        self.itself = self

gone = weakref.ref(Node())
gc.collect()
assert gone() is None, "what comes later is collected as ever"

import altair
runtime.settle()
assert gc.get_freeze_count() > first
"""


UNTOUCHED = """
import ctypes, gc
from agegender import runtime

def tuned():
    raise AssertionError("an import tunes the allocator")

runtime._c_library = tuned
import agegender.ui.loader, agegender.ui.sidebar, agegender.cli.main
assert gc.get_freeze_count() == 0, "an import freezes what the collector sees"
"""


def test_imports_tune_nothing() -> None:
    subprocess.run([sys.executable, "-c", UNTOUCHED], check=True)


def test_the_collector_is_spared_what_modules_made_and_nothing_else() -> None:
    subprocess.run([sys.executable, "-c", SETTLED], check=True)
