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


def test_the_collector_is_spared_what_modules_made_and_nothing_else() -> None:
    subprocess.run([sys.executable, "-c", SETTLED], check=True)
