"""Millions of pictures: find them, analyse them in many processes, save and summarise the results."""
