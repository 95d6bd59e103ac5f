"""Analyses as text: JSON for programs, CSV for spreadsheets, tables for people."""
