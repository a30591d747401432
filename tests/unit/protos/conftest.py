"""The contract as the tests look at it: its descriptor set with comments, and ECS's own model."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from botocore import loaders, model
from google.protobuf import descriptor_pb2

PROTOS = Path(__file__).parents[3] / "protos"
COMPILE_TIMEOUT_S = 60
"""Compiling takes a second; a busy machine gets the rest."""


Compile = Callable[[Path, list[str]], descriptor_pb2.FileDescriptorSet]


@pytest.fixture(scope="session")
def compile_protos(tmp_path_factory: pytest.TempPathFactory) -> Compile:
    """Compiles protos under a root to a descriptor set that keeps their comments."""

    def compile_(root: Path, sources: list[str]) -> descriptor_pb2.FileDescriptorSet:
        into = tmp_path_factory.mktemp("compiled") / "set.binpb"
        options = ["-I", str(root), "--include_imports", "--include_source_info", f"--descriptor_set_out={into}"]
        command = [sys.executable, "-m", "grpc_tools.protoc", *options, *sources]
        subprocess.run(command, check=True, timeout=COMPILE_TIMEOUT_S)
        return descriptor_pb2.FileDescriptorSet.FromString(into.read_bytes())

    return compile_


@pytest.fixture(scope="session")
def contract(compile_protos: Compile) -> list[descriptor_pb2.FileDescriptorProto]:
    """Our own files, with comments."""
    sources = sorted(path.relative_to(PROTOS).as_posix() for path in PROTOS.rglob("*.proto"))
    return [file for file in compile_protos(PROTOS, sources).file if file.name in sources]


@pytest.fixture(scope="session")
def ecs() -> model.ServiceModel:
    """ECS's API as botocore describes it."""
    return model.ServiceModel(loaders.Loader().load_service_model("ecs", "service-2", "2014-11-13"))
