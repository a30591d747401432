"""Histograms and windowed maxima."""

from longshore.metrics import instruments


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def test_a_histogram_counts_by_upper_bound() -> None:
    histogram = instruments.Histogram((1.0, 2.0))
    for value in (0.5, 1.0, 1.5, 9.0):
        histogram.observe(value)
    assert (histogram.buckets, histogram.count, histogram.total) == ([2, 1, 1], 4, 12.0)


def test_a_maximum_is_the_largest_value_of_its_window() -> None:
    clock = Clock()
    maximum = instruments.Maximum(window_s=60.0, clock=clock)
    assert maximum.value == 0.0
    for at, value in ((1_000.0, 0.2), (1_012.0, 0.7), (1_035.0, 0.4)):
        maximum.observe(value, at)
    clock.now = 1_059.0
    assert maximum.value == 0.7


def test_a_maximum_is_forgotten_with_its_window_though_nothing_comes_after_it() -> None:
    clock = Clock()
    maximum = instruments.Maximum(window_s=60.0, clock=clock)
    maximum.observe(0.7, 1_000.0)
    maximum.observe(0.3, 1_030.0)
    clock.now = 1_055.0
    kept = maximum.value
    clock.now = 1_061.0
    then = maximum.value
    clock.now = 1_200.0
    assert (kept, then, maximum.value) == (0.7, 0.3, 0.0)


def test_a_maximum_remembers_a_bounded_past() -> None:
    maximum = instruments.Maximum(window_s=60.0, clock=lambda: 100_000.0)
    for second in range(100_000):
        maximum.observe(1.0 if second == 99_950 else 0.1, float(second))
    assert maximum.value == 1.0
    assert len(maximum._past) == 5
