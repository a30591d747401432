"""The identity that an operator gives to a new agent."""

from pathlib import Path

import pytest

from longshore.agent import takeover

ARN = "arn:aws:ecs:eu-west-1:123456789012:container-instance/web/0123456789abcdef0123456789abcdef"


def test_the_identity_is_the_arns_with_the_files_one_word(tmp_path: Path) -> None:
    path = tmp_path / "credential"
    path.write_text("s3cret-word\n", encoding="ascii")
    found = takeover.identity(ARN, path)
    assert (found.instance_id, found.instance_arn, found.cluster, found.credential) == (
        "0123456789abcdef0123456789abcdef",
        ARN,
        "web",
        "s3cret-word",
    )
    assert "s3cret-word" not in repr(found)


@pytest.mark.parametrize("text", ["", "\n", "two words", "x" * 5000, "sé"])
def test_a_file_that_holds_no_credential_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "credential"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(takeover.UnreadableCredential, match="credential"):
        takeover.identity(ARN, path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(takeover.UnreadableCredential, match="nowhere"):
        takeover.identity(ARN, tmp_path / "nowhere")
