"""Millions of pictures: find them, analyse them in many processes, keep what is finished, sum it up."""
