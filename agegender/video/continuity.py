"""Times that jump: recordings put end to end count anew in the middle of the file."""

from __future__ import annotations

from collections.abc import Iterator

import av
from av.stream import Stream

JUMP_S, BACK_S = 10.0, 1.0
"""How far ahead, or back, of where it was expected a packet is taken for the first one of another recording:
FFmpeg's own thresholds."""

CLOSE_S = 1.0


class Continuity:
    """Makes the times of transport and program streams go on where they jump, the sound with the picture."""

    def __init__(self) -> None:
        self._shift_s = 0.0  # the newest of any stream
        self._shifts_s: dict[int, float] = {}
        self._expected_s: dict[int, float] = {}

    def follow(self, packets: Iterator[av.Packet[Stream]]) -> Iterator[av.Packet[Stream]]:
        """Return the packets, their times shifted where that is due."""
        for packet in packets:
            if packet.dts is not None and packet.time_base:
                self._shift(packet, float(packet.dts * packet.time_base))
            yield packet

    def _shift(self, packet: av.Packet[Stream], dts_s: float) -> None:
        index = packet.stream.index
        shift_s = self._shifts_s.get(index, self._shift_s)
        expected_s = self._expected_s.get(index)
        if expected_s is not None and not -BACK_S <= dts_s + shift_s - expected_s <= JUMP_S:
            close = abs(dts_s + self._shift_s - expected_s) <= CLOSE_S
            shift_s = self._shift_s if close else expected_s - dts_s
            self._shift_s = shift_s
        self._shifts_s[index] = shift_s
        duration_s = float((packet.duration or 0) * packet.time_base)
        self._expected_s[index] = dts_s + shift_s + duration_s
        ticks = round(shift_s / packet.time_base)
        packet.dts = (packet.dts or 0) + ticks
        if packet.pts is not None:
            packet.pts += ticks
