"""From faces in frames to people: tracks, fused estimates, and when each person is seen."""
