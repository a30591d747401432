import pytest

from longshore.agent.docker import registry_patience


@pytest.mark.parametrize(
    ("image", "registry", "url"),
    [
        ("127.0.0.1:5000/a/b:1", "127.0.0.1:5000", "http://127.0.0.1:5000/v2/a/b/manifests/1"),
        ("r.io/a", "r.io", "https://r.io/v2/a/manifests/latest"),
        ("busybox:1", "docker.io", "https://registry-1.docker.io/v2/library/busybox/manifests/1"),
        ("r.io/a@sha256:0", "r.io", "https://r.io/v2/a/manifests/sha256:0"),
    ],
)
def test_the_manifest_is_asked_for_where_the_engine_asks(image: str, registry: str, url: str) -> None:
    assert list(registry_patience.urls(image, registry)) == [url]


def test_a_retry_after_is_seconds_or_a_date() -> None:
    assert registry_patience.seconds("12", 0.0) == 12.0
    assert registry_patience.seconds("Thu, 01 Jan 1970 00:01:00 GMT", 30.0) == 30.0
    assert registry_patience.seconds("Thu, 01 Jan 1970 00:00:00 GMT", 30.0) == 0.0
    assert registry_patience.seconds("soon", 0.0) is None


@pytest.mark.parametrize("given", ["\u00b2", "Wed, 21 Oct 99999999999999999999 07:28:00 GMT", "", "-", "9" * 5000])
def test_what_a_registry_says_by_mistake_or_malice_is_no_fault_of_the_agent(given: str) -> None:
    assert registry_patience.seconds(given, 0.0) in {None, float("inf")}


def test_a_password_goes_without_tls_to_this_host_alone() -> None:
    assert next(registry_patience.urls("localhost:5000/a", "localhost:5000")).startswith("http://")
    for elsewhere in ("localhost.example.com:5000", "127.example.com"):
        assert next(registry_patience.urls(f"{elsewhere}/a", elsewhere)).startswith("https://")
