"""Titles of the evaluation's figures, used everywhere they are shown."""

from __future__ import annotations

TITLES = {
    "faces_found": "faces found",
    "gender_accuracy": "gender right",
    "age_group_exact": "age group right",
    "age_group_within_one": "age group right or next to it",
    "age_range_exact": "age range right",
    "age_range_within_one": "age range right or next to it",
    "age_mae_years": "mean error of age",
    "age_in_interval": "interval holds the true age",
    "age_bias_years": "taken to be older by",
}
"""Titles by key. An age group is one of FairFace's nine, a range one of the eight that are reported."""

COLUMNS = TITLES | {
    "age_group_within_one": "within one",
    "age_range_within_one": "within one",
    "age_mae_years": "mean years off",
    "age_in_interval": "in the interval",
    "age_bias_years": "years too old",
}
"""Titles short enough to head a column in a terminal table."""
