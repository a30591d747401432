import pytest

from longshore.cli import overriding
from longshore.rpc import codec, errors


def merged(wish: overriding.Wish, *containers: str) -> dict[str, object] | None:
    result = overriding.merged(containers or ("main",), wish)
    if result is None:
        return None
    found = codec.to_json(result)
    return {name: value for name, value in found.items() if value != []}


def test_no_wish_is_no_override() -> None:
    assert merged(overriding.Wish()) is None


def test_env_and_command_go_to_the_only_container() -> None:
    wish = overriding.Wish(env=(("A", "1=2"), ("B", "")), command="sh -c 'exit 3'")
    assert merged(wish) == {
        "containerOverrides": [
            {
                "name": "main",
                "command": ["sh", "-c", "exit 3"],
                "environment": [{"name": "A", "value": "1=2"}, {"name": "B", "value": ""}],
            }
        ]
    }


def test_of_several_containers_one_has_to_be_named() -> None:
    with pytest.raises(errors.ClientException, match="--container, one of: main, side"):
        merged(overriding.Wish(command="true"), "main", "side")
    named = merged(overriding.Wish(container="side", command="true"), "main", "side")
    assert named == {"containerOverrides": [{"name": "side", "command": ["true"]}]}


def test_a_container_that_is_not_there_is_refused() -> None:
    with pytest.raises(errors.ClientException, match="one of: main"):
        merged(overriding.Wish(container="other", command="true"))


def test_a_container_named_for_nothing_is_refused() -> None:
    with pytest.raises(errors.ClientException, match="neither is given"):
        merged(overriding.Wish(container="main"))


def test_the_options_are_laid_over_the_overrides_object() -> None:
    whole = '{"cpu": "256", "containerOverrides": [{"name": "main", "memory": 64, "command": ["a"]}]}'
    assert merged(overriding.Wish(command="b", overrides=whole)) == {
        "cpu": "256",
        "containerOverrides": [{"name": "main", "memory": 64, "command": ["b"]}],
    }


def test_an_overrides_object_alone_is_taken_as_it_is() -> None:
    assert merged(overriding.Wish(overrides='{"memory": "512"}'), "main", "side") == {"memory": "512"}


def test_an_unknown_member_of_the_overrides_is_named_with_the_nearest() -> None:
    with pytest.raises(errors.ClientException, match=r"containerOverrides\[0\].*'comand'.*command"):
        merged(overriding.Wish(overrides='{"containerOverrides": [{"name": "main", "comand": []}]}'))


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("true", ["true"]),
        ('sh -c "echo a b"', ["sh", "-c", "echo a b"]),
        ('["sh", "-c", "exit 3"]', ["sh", "-c", "exit 3"]),
        (' ["a"]', ["a"]),
    ],
)
def test_a_command_is_words_as_in_a_shell_or_a_json_list(command: str, words: list[str]) -> None:
    assert overriding.words(command) == words


@pytest.mark.parametrize("command", ['["a", 1]', "[broken", "sh -c 'open"])
def test_a_command_that_is_neither_is_refused(command: str) -> None:
    with pytest.raises(errors.ClientException):
        overriding.words(command)
