"""High dynamic range: what comes back is the picture that it was made of."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from lights import HOPPER, encoded, linear

from agegender.imaging.hdr import PRIMARIES, TRANSFERS, Codes, Primaries, ToneMapper, Transfer, eetf


@pytest.mark.parametrize("transfer", TRANSFERS.values())
@pytest.mark.parametrize("primaries", sorted(set(PRIMARIES.values())))
@pytest.mark.parametrize("white_nits", [100, 203])
def test_what_was_made_of_a_picture_comes_back_as_it(
    transfer: Transfer, primaries: Primaries, white_nits: float
) -> None:
    code = encoded(linear(HOPPER) * white_nits, transfer, primaries)
    back = ToneMapper(transfer, primaries)(np.round(code * 65535).astype(np.uint16))
    assert back.shape == HOPPER.shape
    assert back.dtype == np.uint8
    assert back.mean((0, 1)) == pytest.approx(HOPPER.mean((0, 1)), rel=0.1)
    assert np.percentile(np.abs(back.astype(int) - HOPPER), 95) <= 12


@pytest.mark.parametrize("transfer", TRANSFERS.values())
def test_all_ways_to_give_code_values_mean_the_same(transfer: Transfer) -> None:
    code = encoded(linear(HOPPER[::4, ::4]) * 203, transfer, "bt2020").astype(np.float32)
    ways: list[Codes] = [
        code,
        np.round(code * 65535).astype(np.uint16),
        np.round(code * 255).astype(np.uint8),
    ]
    first, *others = [ToneMapper(transfer)(way).astype(int) for way in ways]
    for other in others:
        assert np.percentile(np.abs(first - other), 90) <= 3


def test_highlights_keep_their_order_and_faces_their_brightness() -> None:
    nits = np.repeat([[1.0, 20, 50, 203, 400, 600, 1000]], 3, axis=0)[..., np.newaxis].repeat(3, axis=2)
    (row, *_) = ToneMapper("pq")(encoded(nits, "pq", "bt2020").astype(np.float32))[..., 1].astype(int)
    assert all(low < high for low, high in pairwise(row))
    assert row[-1] >= 254
    assert row[2] == pytest.approx(255 * (50 / 203) ** (1 / 2.2), abs=2)  # below the knee nothing changes
    assert row[3] > 200


def test_what_needs_no_mapping_gets_none() -> None:
    nits = np.linspace(0, 203, 10)
    assert np.array_equal(eetf(nits, 150, 203), nits)
    assert eetf(nits, 203.001, 203) == pytest.approx(nits, rel=1e-3)


def test_a_bright_moment_of_a_video_changes_what_comes_after_it_once_and_for_all() -> None:
    dark, bright = (encoded(linear(HOPPER) * nits, "hlg", "bt2020").astype(np.float32) for nits in (203, 900))
    mapper = ToneMapper("hlg")
    before, *_, after, later = [mapper(frame) for frame in (dark, bright, dark, dark)]
    assert after.mean() < before.mean()
    assert np.array_equal(after, later)


def test_black_and_nonsense_stay_black() -> None:
    for value in (0.0, -1.0, np.nan):
        assert not ToneMapper("pq")(np.full((2, 2, 3), value, np.float32)).any()
