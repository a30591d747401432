"""Settings of `longshore up` and `longshore down`, and the folders they mean."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from longshore.rpc import settings, tls

DEFAULT_PORT_BASE = 8700
"""Gateway 8700, registry 8701, scheduler 8702, state-tracker 8703. The agent's introspection keeps its well-known port on this base."""

INTROSPECTION_PORT = 51678
TASK_METADATA_ADDRESS = "169.254.170.2"

_MACHINE_STATE = Path("/var/lib/longshore")
_MACHINE_LOGS = Path("/var/log/longshore")


@settings.config
class Up(settings.Settings):
    """Start Longshore on this machine: control plane in this process, agent in another, all on loopback."""

    state_dir: Path | None = settings.option(default=None, help="folder of state; several stacks need one each")
    port_base: int = settings.option(
        default=DEFAULT_PORT_BASE,
        help="gateway N, registry N+1, scheduler N+2, state-tracker N+3, introspection N+4, task metadata N+5",
        minimum=1024,
        maximum=65530,
    )
    agent: bool = settings.option(default=True, help="join this host; else the control plane is alone")
    detach: bool = settings.option(default=False, help="return once it serves, and leave it running")
    metrics_listen: str = settings.option(
        default="", help="host:port, on loopback, to serve Prometheus metrics on; empty: none are served"
    )
    publish_address: str = settings.option(default="127.0.0.1", help="address on which tasks' ports are published")
    account: str = settings.option(default="123456789012", help="the account id in ARNs")
    region: str = settings.option(default="us-east-1", help="the region in ARNs")
    log_level: str = settings.option(
        default="info", help="least level that is logged", choices=("debug", "info", "warning", "error")
    )

    def faults(self) -> Iterable[str]:
        """Metrics that others could reach: there is no TLS here, and no --insecure."""
        if not self.metrics_listen:
            return
        try:
            address = tls.HostPort.parse(self.metrics_listen)
        except ValueError as error:
            yield f"{settings.variable('metrics_listen')}: {error}"
            return
        if not address.is_loopback:
            yield f"{settings.variable('metrics_listen')} is {address}: all of `longshore up` is served on loopback only"


@settings.config
class Down(settings.Settings):
    """Stop what `longshore up` started. Tasks go on running unless told otherwise."""

    state_dir: Path | None = settings.option(default=None, help="folder of state of the stack to stop")
    stop_tasks: bool = settings.option(default=False, help="stop every task first, and wait until it has stopped")
    purge: bool = settings.option(
        default=False, help="stop every task, remove its containers, then delete all state and logs"
    )


@dataclass(frozen=True, slots=True)
class Folders:
    """Where one stack keeps what."""

    state: Path
    logs: Path

    @property
    def database(self) -> Path:
        """The SQLite file."""
        return self.state / "longshore.db"

    @property
    def seal_key(self) -> Path:
        """What the secrets of access keys are sealed under; made with the first of them."""
        return self.state / "seal.key"

    @property
    def agent(self) -> Path:
        """The agent's state: not that of an agent which this host runs for another control plane."""
        return self.state / "embedded-agent"

    @property
    def control_plane_log(self) -> Path:
        """What the control plane logs."""
        return self.logs / "control-plane.log"

    @property
    def agent_log(self) -> Path:
        """What the agent logs."""
        return self.logs / "agent.log"

    @property
    def agent_output(self) -> Path:
        """What the agent's present run printed."""
        return self.logs / "agent-output.log"

    @property
    def up_output(self) -> Path:
        """What `up --detach` printed after it was left alone."""
        return self.logs / "up.log"

    def option(self, environ: Mapping[str, str] | None = None) -> str:
        """How a person names these folders to a command: nothing where they are the usual ones."""
        return "" if self == folders(None, environ) else f" --state-dir {self.state}"


def folders(state_dir: Path | None, environ: Mapping[str, str] | None = None, uid: int | None = None) -> Folders:
    """The folders of a stack: as told, else /var/lib and /var/log/longshore for root, else under the user's state folder."""
    variables = os.environ if environ is None else environ
    if state_dir is not None:
        state = state_dir.absolute()
    elif (os.getuid() if uid is None else uid) == 0 and not variables.get("XDG_STATE_HOME"):
        state = _MACHINE_STATE
    else:
        state = Path(variables.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "longshore"
    return Folders(state, _MACHINE_LOGS if state == _MACHINE_STATE else state / "log")


def task_metadata_port(port_base: int) -> int:
    """The agent's task metadata: N+5, where it is not the well-known port."""
    return port_base + 5


def introspection_port(port_base: int) -> int:
    """The agent's introspection: the well-known port on the default base, else N+4."""
    return INTROSPECTION_PORT if port_base == DEFAULT_PORT_BASE else port_base + 4
