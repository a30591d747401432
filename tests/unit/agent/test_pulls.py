import pytest

from longshore.agent import pulls

B = pulls.Behavior
LOCAL = pulls.CachedImage("sha256:i", "")
CACHED = pulls.CachedImage("sha256:i", "sha256:d")
BY_DIGEST = "web@sha256:" + "a" * 64


@pytest.mark.parametrize("behavior", list(B))
def test_an_image_without_a_repository_digest_is_never_pulled(behavior: B) -> None:
    assert pulls.decide(behavior, "web", LOCAL, pulled_before=False) == pulls.Decision(pull=False, fall_back=False)


@pytest.mark.parametrize(
    ("behavior", "cached", "before", "pull", "fall_back"),
    [
        (B.DEFAULT, None, False, True, False),
        (B.DEFAULT, CACHED, False, True, True),
        (B.ALWAYS, CACHED, False, True, False),
        (B.ONCE, CACHED, False, True, False),
        (B.ONCE, CACHED, True, False, False),
        (B.ONCE, None, True, True, False),
        (B.PREFER_CACHED, CACHED, False, False, False),
        (B.PREFER_CACHED, None, False, True, False),
    ],
)
def test_behaviours_are_ecss(
    behavior: B,
    cached: pulls.CachedImage | None,
    *,
    before: bool,
    pull: bool,
    fall_back: bool,
) -> None:
    expected = pulls.Decision(pull=pull, fall_back=fall_back)
    assert pulls.decide(behavior, "web:1", cached, pulled_before=before) == expected


def test_an_image_named_by_its_content_is_not_pulled_again() -> None:
    assert not pulls.decide(B.DEFAULT, BY_DIGEST, CACHED, pulled_before=False).pull
    assert pulls.decide(B.ALWAYS, BY_DIGEST, CACHED, pulled_before=False).pull


@pytest.mark.parametrize(
    ("image", "name"),
    [
        ("busybox", "busybox"),
        ("busybox:1", "busybox"),
        ("host:5000/a/b:tag", "host:5000/a/b"),
        ("host:5000/a/b", "host:5000/a/b"),
        (BY_DIGEST, "web"),
    ],
)
def test_the_repository_is_the_name_without_tag_and_digest(image: str, name: str) -> None:
    assert pulls.repository(image) == name


def test_the_digest_is_that_of_the_name_asked_for() -> None:
    digests = ["other@sha256:1", "docker.io/library/busybox@sha256:2", "host:5000/a@sha256:3"]
    assert pulls.digest_of("host:5000/a:x", digests) == "sha256:3"
    assert pulls.digest_of("busybox", digests) == "sha256:2"
    assert pulls.digest_of("renamed", digests) == "sha256:1"
    assert pulls.digest_of("busybox", []) == ""


@pytest.mark.parametrize(
    "message",
    [
        "manifest for 127.0.0.1/app:2 not found: manifest unknown: manifest unknown",
        "pull access denied for app, repository does not exist or may require 'docker login'",
        "Head https://r.io/v2/app/manifests/1: unauthorized: authentication required",
        "invalid reference format",
    ],
)
def test_what_a_registry_will_say_again_is_final(message: str) -> None:
    assert pulls.is_final(message)


@pytest.mark.parametrize(
    "message",
    [
        "toomanyrequests: You have reached your pull rate limit",
        "received unexpected HTTP status: 503 Service Unavailable",
        "dial tcp: lookup r.io: no such host",
        "unexpected EOF",
        "Could not transition to PULLED; timed out after waiting 1m0s",
    ],
)
def test_what_may_be_better_next_time_is_not(message: str) -> None:
    assert not pulls.is_final(message)


def test_a_short_name_in_full_is_docker_hubs() -> None:
    assert pulls.in_full("busybox:1", "docker.io") == "docker.io/library/busybox:1"
    assert pulls.in_full("team/app", "docker.io") == "docker.io/team/app"
