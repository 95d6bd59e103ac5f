"""Fuse many views of one face, and decide what to display.

The rule. A view's weight is the detector's score × size × frontality, each 0 to 1, and decays over time.
Evidence is the weighted mean of the views: of range probabilities, of years and both ends of the interval, of
the log-odds of gender, and of whether each warning applies. It is a mean and not a product because the frames
of a video are nearly the same picture: a hundred of them hold hardly more information than one.

For the first second, the display follows the evidence. After that, a range or gender stays until another one
leads clearly and for some time, and figures move only when they have changed enough to matter. A warning
appears when it applies to most of the evidence, and disappears when it applies to little of it.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass

from agegender.estimation.quality import frontality
from agegender.types import RANGES, WARNINGS, Age, Estimate, Face, Gender

FADE_S = 6.0
"""Time constant of a view's decay, to 1/e of its weight."""

ENOUGH_PX = 96.0
"""Shorter side of a face from which on more pixels add no information."""


SETTLE_S = 1.0
"""How long the display of a new track follows the evidence freely."""

LEAD, LEAD_S = 0.2, 2.0
"""How much more probable another range or gender must be, and for how long, to replace the one displayed.

For a range, all ages beyond the displayed one count against the rest: they must be more than half.
"""

STEP_YEARS, STEP_PROBABILITY = 1.0, 0.03
"""Minimum change of the evidence for the displayed figures to follow."""

WARN_FROM, WARN_TO = 0.6, 0.3
"""A warning appears at the first fraction of the evidence, by weight, and stays until below the second."""

LOG_ODDS_LIMIT = 6.0  # 99.75 %: one view that is certain must not outweigh all others


@dataclass(frozen=True, slots=True)
class Evidence:
    """Fused views up to `at_s`: their weighted mean, and the sum of their weights.

    `probabilities` are those of the eight ranges; `years`, `low` and `high` are in years; `log_odds` are
    those of 'Female'; `warned` has, for each of `WARNINGS`, the fraction of the weight to which it applies.
    """

    probabilities: tuple[float, ...]
    years: float
    low: float
    high: float
    log_odds: float
    warned: tuple[float, ...]
    weight: float
    at_s: float

    @property
    def age(self) -> Age:
        """The fused age."""
        return Age(self.probabilities, self.years, self.low, self.high)

    @property
    def gender(self) -> Gender:
        """The fused gender."""
        return Gender(1 / (1 + math.exp(-self.log_odds)))

    def warnings(self, before: Collection[str] = ()) -> tuple[str, ...]:
        """The warnings that apply to most of the evidence, or still to some if they applied `before`."""
        parts = zip(WARNINGS, self.warned, strict=True)
        return tuple(name for name, part in parts if part >= (WARN_TO if name in before else WARN_FROM))

    def mixed(self, other: Evidence, share: float, weight: float) -> Evidence:
        """Weighted mean with other evidence, whose share is `share` (0 to 1)."""

        def mix(old: float, new: float) -> float:
            return old + share * (new - old)

        return Evidence(
            tuple(map(mix, self.probabilities, other.probabilities)),
            mix(self.years, other.years),
            mix(self.low, other.low),
            mix(self.high, other.high),
            mix(self.log_odds, other.log_odds),
            tuple(map(mix, self.warned, other.warned)),
            weight,
            other.at_s,
        )


@dataclass(frozen=True, slots=True)
class Shown:
    """What is displayed for a track: a stabilised age, gender and warnings.

    Each is the evidence at the last moment when it agreed with the displayed label, so that years never
    contradict the range. `age_rival_s` and `gender_rival_s` are when another label took a clear lead, or
    None.
    """

    age: Age
    gender: Gender
    age_rival_s: float | None = None
    gender_rival_s: float | None = None
    warnings: tuple[str, ...] = ()


def add_view(
    evidence: Evidence | None,
    estimate: Estimate,
    weight: float,
    time_s: float,
    warnings: Collection[str] = (),
) -> Evidence:
    """Add a view of weight `weight` (above 0) at `time_s` to the evidence."""
    age, gender = estimate
    p_female = min(max(gender.p_female, 1e-6), 1 - 1e-6)
    log_odds = min(max(math.log(p_female / (1 - p_female)), -LOG_ODDS_LIMIT), LOG_ODDS_LIMIT)
    warned = tuple(float(name in warnings) for name in WARNINGS)
    view = Evidence(age.probabilities, age.years, age.low, age.high, log_odds, warned, weight, time_s)
    if evidence is None:
        return view
    total = weight + evidence.weight * math.exp(-max(0.0, time_s - evidence.at_s) / FADE_S)
    return evidence.mixed(view, weight / total, total)


def show(shown: Shown | None, evidence: Evidence, time_s: float, first_seen_s: float) -> Shown:
    """Update what is displayed from the evidence."""
    age, gender = evidence.age, evidence.gender
    if shown is None or time_s - first_seen_s <= SETTLE_S:
        return Shown(age, gender, warnings=evidence.warnings())
    age_rival_s = _rival_since(_age_lead(shown.age, age), shown.age_rival_s, time_s)
    gender_lead = (gender.probability if gender.label != shown.gender.label else 0.5) * 2 - 1
    gender_rival_s = _rival_since(gender_lead, shown.gender_rival_s, time_s)
    return Shown(
        age if _age_moves(shown.age, age, age_rival_s, time_s) else shown.age,
        gender if _gender_moves(shown.gender, gender, gender_rival_s, time_s) else shown.gender,
        age_rival_s,
        gender_rival_s,
        evidence.warnings(shown.warnings),
    )


def view_weight(face: Face) -> float:
    """Weight of a view of a face, above 0 and up to 1."""
    size = min(1.0, min(face.box.width, face.box.height) / ENOUGH_PX)
    return max(1e-3, face.score * size * frontality(face))


def _age_lead(shown: Age, age: Age) -> float:
    """Lead of the ages beyond the displayed range, on the side of the new one, over all others."""
    held, leading = RANGES.index(shown.range), RANGES.index(age.range)
    beyond = age.probabilities[held + 1 :] if leading > held else age.probabilities[:held]
    return 2 * sum(beyond) - 1


def _rival_since(lead: float, since_s: float | None, time_s: float) -> float | None:
    if lead < LEAD:
        return None
    return time_s if since_s is None else since_s


def _age_moves(shown: Age, age: Age, rival_s: float | None, time_s: float) -> bool:
    if age.range != shown.range:
        return rival_s is not None and time_s - rival_s >= LEAD_S
    moved = max(abs(new - old) for new, old in zip(age.probabilities, shown.probabilities, strict=True))
    return abs(age.years - shown.years) >= STEP_YEARS or moved >= STEP_PROBABILITY


def _gender_moves(shown: Gender, gender: Gender, rival_s: float | None, time_s: float) -> bool:
    if gender.label != shown.label:
        return rival_s is not None and time_s - rival_s >= LEAD_S
    return abs(gender.p_female - shown.p_female) >= STEP_PROBABILITY
