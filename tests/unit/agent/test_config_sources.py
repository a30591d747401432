"""Which source of a setting counts."""

from pathlib import Path

import pytest

from longshore.agent.settings import config_sources
from longshore.rpc import settings

FILE = """\
# a comment
export ECS_CLUSTER=from-file
ECS_RESERVED_MEMORY = 64
ECS_INSTANCE_ATTRIBUTES={"stack": "prod"}

LONGSHORE_STOP_TIMEOUT="20"
DOCKER_HOST='tcp://127.0.0.1:1'
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "agent.conf"
    path.write_text(FILE)
    return path


def load(file: Path, *argv: str, **environ: str) -> config_sources.Loaded:
    return config_sources.load((f"--config-file={file}", *argv), environ)


def test_the_file_is_read_under_both_sorts_of_names(file: Path) -> None:
    found = load(file)
    assert found.config.cluster == "from-file"
    assert found.config.reserved_memory == 64
    assert found.config.instance_attributes == ("stack=prod",)
    assert found.config.stop_timeout == 20
    assert found.environ["DOCKER_HOST"] == "tcp://127.0.0.1:1"
    assert (found.without_effect, found.unknown) == ((), ())


def test_the_variable_names_the_file_too(file: Path) -> None:
    assert config_sources.load((), {"LONGSHORE_CONFIG_FILE": str(file)}).config.cluster == "from-file"


def test_flags_beat_the_environment_which_beats_the_file(file: Path) -> None:
    assert load(file, ECS_CLUSTER="from-environment").config.cluster == "from-environment"
    assert load(file, "--cluster=from-flag", ECS_CLUSTER="from-environment").config.cluster == "from-flag"
    assert load(file, ECS_CLUSTER="", LONGSHORE_CLUSTER="").config.cluster == "from-file"


def test_ours_beats_ecss_in_the_same_place(file: Path) -> None:
    file.write_text("LONGSHORE_CLUSTER=ours\nECS_CLUSTER=ecss\n")
    assert load(file).config.cluster == "ours"
    assert load(file, ECS_CLUSTER="ecss", LONGSHORE_CLUSTER="ours").config.cluster == "ours"
    assert load(file, ECS_CLUSTER="environment").config.cluster == "environment"


def test_faults_of_every_sort_come_together_under_the_names_that_were_given(file: Path) -> None:
    file.write_text("ECS_RESERVED_MEMORY=much\nECS_DYNAMIC_HOST_PORT_RANGE=9-1\nECS_ENGINE_AUTH_DATA=hush\n")
    with pytest.raises(settings.SettingsError) as caught:
        load(file, "--stop-timeout=x")
    assert [fault.split(" ")[0] for fault in caught.value.faults] == ["ECS_RESERVED_MEMORY", "--stop-timeout"]
    file.write_text("ECS_DYNAMIC_HOST_PORT_RANGE=9-1\nECS_ENGINE_AUTH_TYPE=docker\nECS_ENGINE_AUTH_DATA=hush\n")
    with pytest.raises(settings.SettingsError) as caught:
        load(file)
    assert [fault.split(" ")[0].rstrip(":") for fault in caught.value.faults] == [
        "ECS_DYNAMIC_HOST_PORT_RANGE",
        "ECS_ENGINE_AUTH_DATA",
    ]
    assert "hush" not in str(caught.value)


def test_a_name_that_nobody_reads_is_told(file: Path) -> None:
    file.write_text(
        "LONGSHORE_CLUSTR=web\nECS_COFFEE=1\nECS_CHECKPOINT=true\nFOO=1\nLONGSHORE_AGENT_IMAGE=x\nHTTP_PROXY=y\n"
    )
    found = load(file)
    assert sorted(found.unknown) == ["ECS_COFFEE", "FOO", "LONGSHORE_CLUSTR"]
    assert found.without_effect == ("ECS_CHECKPOINT",)


def test_ecss_json_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text('{"Cluster": "web", "ReservedPorts": [22, 80]}')
    found = load(path).config
    assert (found.cluster, found.reserved_ports) == ("web", ("22", "80"))


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("ECS_CLUSTER", "line 1 is neither"),
        ("\n a b=c", "line 2 is neither"),
        ("{", "not JSON"),
        (None, "cannot be read"),
    ],
)
def test_a_file_that_is_none_is_named(tmp_path: Path, text: str | None, fault: str) -> None:
    path = tmp_path / "agent.conf"
    if text is not None:
        path.write_text(text)
    with pytest.raises(settings.SettingsError, match=fault) as caught:
        load(path)
    assert str(path) in str(caught.value)


def test_the_example_file_loads_as_it_is_and_names_every_setting_of_ours_that_a_host_may_want() -> None:
    example = Path(__file__).parents[3] / "deploy/agent/agent.conf"
    found = load(example)
    assert (found.without_effect, found.unknown) == ((), ())
    assert load(example).config == load(example, LONGSHORE_CONFIG_FILE="").config
    uncommented = "\n".join(
        line.removeprefix("#") for line in example.read_text().splitlines() if line.startswith("#LONGSHORE_")
    )
    told = config_sources.variables(uncommented)
    everything = {settings.variable(name) for name in settings.names(type(found.config))}
    assert told.keys() - config_sources.STARTERS == everything - {"LONGSHORE_CONFIG_FILE"}
