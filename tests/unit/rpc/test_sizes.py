import pytest

from longshore.rpc import sizes


@pytest.mark.parametrize(
    ("text", "units"),
    [("256", 256), ("1 vCPU", 1024), (".5vcpu", 512), ("0.25 vCPU", 256), ("1.5", None), ("x", None), ("-1", None)],
)
def test_cpu_is_read_as_ecs_writes_it(text: str, units: int | None) -> None:
    assert sizes.cpu_units(text) == units


@pytest.mark.parametrize(
    ("text", "mebibytes"), [("512", 512), ("1GB", 1024), ("0.5 GB", 512), ("1 gb", 1024), ("1TB", None), ("", None)]
)
def test_memory_is_read_as_ecs_writes_it(text: str, mebibytes: int | None) -> None:
    assert sizes.memory_mib(text) == mebibytes
