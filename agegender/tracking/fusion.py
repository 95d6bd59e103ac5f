"""What many views of one face say together, and what of that is shown.

The rule. A view weighs the detector's score × size × how frontal the face is, each 0 to 1, and fades with
time. Evidence is the weighted mean of the views: of the probabilities of the ranges, of years and of
both ends of the interval, of the log-odds of gender, and of whether each warning holds. It is a mean and no
product, as the frames of a video show the same picture over and over: a hundred of them know hardly more
than one.

What is shown follows the evidence for the first second. From then on a range or a gender stays until
another one leads clearly and for some time, and figures move only when they have moved enough to matter. A
warning comes when it holds for most of what is known, and goes when it holds for little of it.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass

from agegender.estimation.quality import frontality
from agegender.types import RANGES, WARNINGS, Age, Estimate, Face, Gender

FADE_S = 6.0
"""After this long a view weighs 1/e of what it did."""

ENOUGH_PX = 96.0
"""The shorter side of a face from which on more pixels tell nothing new."""


SETTLE_S = 1.0
"""For how long what is shown of a new track follows the evidence freely."""

LEAD, LEAD_S = 0.2, 2.0
"""By how much another range or gender must be more probable, and for how long, to be shown instead.

For a range that counts against all before it: half of the probability lies beyond where it begins."""

STEP_YEARS, STEP_PROBABILITY = 1.0, 0.03
"""How far the evidence must have moved for the figures that are shown to follow."""

WARN_FROM, WARN_TO = 0.6, 0.3
"""A warning is shown from the one part of the evidence on, by weight, until it falls below the other."""

LOG_ODDS_LIMIT = 6.0  # 99.75 %: one view that is certain must not outweigh all others


@dataclass(frozen=True, slots=True)
class Evidence:
    """What views say together up to `at_s`: their weighted mean, and the sum of their weights.

    `probabilities` belong to the eight ranges; `years`, `low` and `high` are years; `log_odds` are those of
    'Female'; `warned` has, for each of `WARNINGS`, the part of the weight for which it holds.
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
        """The warnings that hold for most of the evidence, or still for some where they did before."""
        parts = zip(WARNINGS, self.warned, strict=True)
        return tuple(name for name, part in parts if part >= (WARN_TO if name in before else WARN_FROM))

    def mixed(self, other: Evidence, share: float, weight: float) -> Evidence:
        """Return the mean with other evidence, of which `share` (0 to 1) comes from the other one."""

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
    """What a person is told of a track: an age, a gender and warnings that hold still.

    Each is the evidence of the last moment at which it agreed with the label that is held, so that years
    never contradict the range. `age_rival_s` and `gender_rival_s` say since when another label has led
    clearly, or None.
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
    """Return the evidence with one more view, which weighs `weight` (above 0) at the time `time_s`."""
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
    """Return what is shown from now on, given what was shown and the evidence."""
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
    """Return how much a view of a face is worth, above 0 and up to 1."""
    size = min(1.0, min(face.box.width, face.box.height) / ENOUGH_PX)
    return max(1e-3, face.score * size * frontality(face))


def _age_lead(shown: Age, age: Age) -> float:
    """Return by how much more probable it is to be beyond the range that is shown than in it or before it."""
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
