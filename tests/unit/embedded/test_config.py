"""Settings of `longshore up`."""

import pytest

from longshore.embedded import config
from longshore.rpc import settings


@pytest.mark.parametrize("listen", ["127.0.0.1:9870", "[::1]:0", "localhost:1"])
def test_metrics_are_served_on_loopback(listen: str) -> None:
    assert settings.parse(config.Up, ["--metrics-listen", listen], {}).metrics_listen == listen


@pytest.mark.parametrize(
    ("listen", "said"),
    [
        ("0.0.0.0:9870", "LONGSHORE_METRICS_LISTEN is 0.0.0.0:9870: all of `longshore up` is served on loopback only"),
        ("9870", "LONGSHORE_METRICS_LISTEN: '9870' is not host:port"),
    ],
)
def test_metrics_are_served_nowhere_else(listen: str, said: str) -> None:
    with pytest.raises(settings.SettingsError) as refused:
        settings.parse(config.Up, [], {"LONGSHORE_METRICS_LISTEN": listen})
    assert refused.value.faults == (said,)
