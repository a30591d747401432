"""Terraform with the AWS provider, as a user has it, where this machine has both.

The provider is some 700 MB, so it comes from a folder on this machine and never from the network: a mirror of Terraform's registry, in one
of the usual places or where LONGSHORE_TERRAFORM_MIRROR says. Terraform links to it and copies nothing.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.e2e import stacks
from tests.e2e.tools import aws
from tests.engines.missing import missing

VARIABLE = "LONGSHORE_TERRAFORM_MIRROR"
REGISTRY = "registry.terraform.io"
PROVIDER = f"{REGISTRY}/hashicorp/aws"
COMMAND_BOUND_S = 180.0

_USUAL = (
    "/opt",
    "/usr/share/terraform",
    "/usr/local/share/terraform",
    "~/.local/share/terraform",
    "~/.terraform.d",
)
"""Folders that hold mirrors by any name: the last four are where Terraform itself looks, for `plugins`."""


def mirror() -> Path:
    """The folder of a mirror with the AWS provider; skips the test where there is none, or no terraform."""
    if shutil.which("terraform") is None:
        missing("no terraform on the path", remedy="Terraform's own installation guide has it")
    found = next((folder for folder in _candidates() if (folder / PROVIDER).is_dir()), None)
    if found is None:
        missing("no mirror with Terraform's AWS provider", remedy=f"`terraform providers mirror`, and {VARIABLE}")
    return found


def _candidates() -> Iterator[Path]:
    if told := os.environ.get(VARIABLE):
        yield Path(told)
        return
    for usual in _USUAL:
        yield from sorted(found.parent for found in Path(usual).expanduser().glob(f"*/{REGISTRY}"))


class Workspace:
    """A copy of a configuration in a folder of its own, with its state, applied to one stack."""

    def __init__(self, source: Path, folder: Path, stack: stacks.Stack, **variables: str) -> None:
        """Copy and initialise; `variables` are the configuration's."""
        folder.mkdir()
        for file in source.glob("*.tf"):
            shutil.copy(file, folder)
        settings = folder / "cli.tfrc"
        settings.write_text(f'provider_installation {{\n  filesystem_mirror {{\n    path = "{mirror()}"\n  }}\n}}\n')
        self._folder = folder
        self._environ = {
            name: value for name, value in aws.environ(stack).items() if not name.startswith(("TF_", "AWS_ENDPOINT"))
        } | {
            "TF_CLI_CONFIG_FILE": str(settings),
            "TF_IN_AUTOMATION": "true",
            "TF_INPUT": "false",
            "CHECKPOINT_DISABLE": "true",
            "GOGC": "400",  # a third less time for reading the provider's schema, for some more memory
        }
        self._variables = variables
        self._run("init")

    def apply(self, **variables: str) -> None:
        """Apply, from now on with other values of these variables too."""
        self._variables |= variables
        self._run("apply", "-auto-approve")

    def planned(self) -> str:
        """What a plan would change; empty where there is nothing to do."""
        done = self._run("plan", "-detailed-exitcode", expected=(0, 2))
        return done.stdout if done.returncode else ""

    def destroy(self) -> None:
        """Destroy all that was applied."""
        self._run("destroy", "-auto-approve")

    def outputs(self) -> Mapping[str, str]:
        """The outputs of the configuration."""
        lines = self._run("output").stdout.splitlines()
        return {name: value.strip('"') for name, _, value in (line.partition(" = ") for line in lines)}

    def left(self) -> list[str]:
        """Addresses of what is in the state."""
        return self._run("state", "list").stdout.split()

    def _run(self, *words: str, expected: tuple[int, ...] = (0,)) -> subprocess.CompletedProcess[str]:
        colour = () if words[0] == "state" else ("-no-color",)
        done = subprocess.run(
            ["terraform", *words, *colour],
            cwd=self._folder,
            env=self._environ | {f"TF_VAR_{name}": value for name, value in self._variables.items()},
            capture_output=True,
            text=True,
            timeout=COMMAND_BOUND_S,
            check=False,
        )
        if done.returncode not in expected:
            raise AssertionError(
                f"terraform {' '.join(words)} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
            )
        return done
