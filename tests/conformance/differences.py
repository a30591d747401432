"""What differs between Longshore and the moto server when both are asked the same, each with a verdict: data beside the tests."""

from collections.abc import Iterator


def rendered() -> Iterator[str]:
    yield ""
