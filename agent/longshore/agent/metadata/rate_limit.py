"""A token bucket for each caller: so many a second, and a burst. Pure."""

from dataclasses import dataclass

MAX_CALLERS = 1024
"""Callers that are remembered. More than that many addresses do not fit on the bridges of a host at once."""


@dataclass(slots=True)
class _Bucket:
    left: float
    at: float


class RateLimit:
    """Whether a caller may ask once more. Its answer and its memory depend on the times it is given alone."""

    def __init__(self, per_second: float, burst: int) -> None:
        self._per_second = per_second
        self._burst = burst
        self._buckets: dict[str, _Bucket] = {}

    def admits(self, caller: str, now: float) -> bool:
        """Take one from the caller's bucket; False where it is empty. `now` in seconds, never less than before."""
        bucket = self._buckets.get(caller)
        if bucket is None:
            if len(self._buckets) >= MAX_CALLERS:
                self._forget_full(now)
            bucket = self._buckets[caller] = _Bucket(float(self._burst), now)
        bucket.left = self._filled(bucket, now)
        bucket.at = now
        if bucket.left < 1:
            return False
        bucket.left -= 1
        return True

    def _filled(self, bucket: _Bucket, now: float) -> float:
        return min(float(self._burst), bucket.left + (now - bucket.at) * self._per_second)

    def _forget_full(self, now: float) -> None:
        """Forget callers whose buckets are full again, which changes nothing for them; where none is, the one seen first."""
        full = [caller for caller, bucket in self._buckets.items() if self._filled(bucket, now) >= self._burst]
        for caller in full or [next(iter(self._buckets))]:
            del self._buckets[caller]
