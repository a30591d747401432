import pytest

from longshore.agent import pulls, runtime

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


def test_an_image_that_was_named_here_is_not_sought_in_a_registry_for_lying_in_another_repository_too() -> None:
    foreign = pulls.CachedImage("sha256:i", "sha256:d", foreign=True)
    assert not pulls.decide(B.DEFAULT, "web:1", foreign, pulled_before=False).pull
    assert pulls.decide(B.ALWAYS, "web:1", foreign, pulled_before=False).pull


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


def test_the_digest_is_that_of_the_name_asked_for_and_names_the_image() -> None:
    digests = ["other@sha256:1", "docker.io/library/busybox@sha256:2", "host:5000/a@sha256:3", "host:5000/a@sha256:4"]
    by_name = "host:5000/a@sha256:3"
    assert pulls.found("host:5000/a:x", "sha256:i", digests) == pulls.CachedImage("sha256:i", "sha256:3", by_name)
    assert pulls.found("host:5000/a:x", "sha256:i", digests, "sha256:4").pin == "host:5000/a@sha256:4"
    assert pulls.found("busybox", "sha256:i", digests).digest == "sha256:2"
    renamed = pulls.found("renamed", "sha256:i", digests)
    assert (renamed.digest, renamed.pin, renamed.foreign) == ("sha256:1", "sha256:i", True)
    assert pulls.found("busybox", "sha256:i", []) == pulls.CachedImage("sha256:i", "")


@pytest.mark.parametrize(
    ("message", "name"),
    [
        ("manifest for r/app:2 not found: manifest unknown: manifest unknown", "CannotPullImageManifestError"),
        ("no matching manifest for linux/arm64 in the manifest list entries", "CannotPullImageManifestError"),
        ('Head "http://r/v2/app/manifests/1": no basic auth credentials', "CannotPullContainerAuthError"),
        ("unauthorized: authentication required", "CannotPullContainerAuthError"),
        (
            "pull access denied for app, repository does not exist or may require 'docker login'",
            "CannotPullContainerError",
        ),
        ("dial tcp: lookup r.io: no such host", "CannotPullContainerError"),
    ],
)
def test_a_failure_has_ecss_name(message: str, name: str) -> None:
    assert pulls.failure(message) == name
    assert runtime.PULL_FAILURES[pulls.failure(message)].error_name == name


@pytest.mark.parametrize(
    ("message", "wait_s"),
    [
        ("toomanyrequests: retry-after: 824.149µs, allowed: 44000/minute", 824.149e-6),
        ("toomanyrequests: Retry-After: 7", 7.0),
        ("toomanyrequests: retry after 2m", 120.0),
        ("toomanyrequests: You have reached your pull rate limit", None),
        ("received unexpected HTTP status: 429 Too Many Requests", None),
        ('error parsing HTTP 429 response body: unexpected end of JSON input: ""', None),
    ],
)
def test_how_long_a_busy_registry_wants_to_be_left_alone_is_read(message: str, wait_s: float | None) -> None:
    assert pulls.is_busy(message)
    assert not pulls.is_final(message)
    assert pulls.retry_after(message) == (None if wait_s is None else pytest.approx(wait_s))


@pytest.mark.parametrize("message", ["please retry after.", "retry-after: 1.2.3", "retry after ...", "retry-after: ."])
def test_words_that_only_look_like_a_time_are_none(message: str) -> None:
    assert pulls.retry_after(message) in {None, 1.2}


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
