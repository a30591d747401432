"""Settings of the agent."""

import dataclasses
import ipaddress
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from longshore.agent import log_drivers, pulls, resources, runtime, takeover
from longshore.agent.docker import registry_credentials
from longshore.agent.metadata import metadata_address
from longshore.rpc import settings

INTROSPECTION_PORT = 51678
_FEWEST_ADDRESSES = 4  # the network itself, its end, the bridge, and one task
DEFAULT_DOCKER_HOST = "unix:///var/run/docker.sock"
STANDARD_OUTPUT = Path("-")
"""As log file: no file."""


@settings.config
class Config(settings.Process):
    """Join this host to a cluster and run its tasks on the Docker Engine."""

    config_file: Path | None = settings.option(
        default=None, help="file of settings, NAME=VALUE a line under our names or ECS's, or ECS's config.json"
    )
    log_file: Path | None = settings.option(
        default=None,
        help="write the log to this file, rotated; - for standard output. Left out: /var/log/longshore/agent.log "
        "for root's agent with the usual state folder, else standard output",
    )
    log_max_file_size_mb: int = settings.option(default=5, help="MiB of the log file before it is rotated", minimum=1)
    log_max_roll_count: int = settings.option(default=24, help="rotated log files that are kept", minimum=0)
    cluster: str = settings.option(default="default", help="name of the cluster to join")
    state_dir: Path | None = settings.option(default=None, help="folder of the agent's state, kept across restarts")
    docker_host: str = settings.option(default="", help="the Docker Engine, unix://… or tcp://…; else DOCKER_HOST")
    publish_address: str = settings.option(
        default="", help="address of this host on which tasks' ports are published; every address when empty"
    )
    awsvpc_subnet: str = settings.option(
        default="",
        help="subnet of the network of tasks in network mode awsvpc, 10.1.0.0/16; the engine chooses when empty",
    )
    reserved_memory: int = settings.option(default=0, help="MiB that tasks may not use", minimum=0)
    reserved_ports: tuple[str, ...] = settings.option(
        default=tuple(str(port) for port in resources.DEFAULT_RESERVED_PORTS), help="TCP ports that tasks may not use"
    )
    reserved_ports_udp: tuple[str, ...] = settings.option(default=(), help="UDP ports that tasks may not use")
    dynamic_ports: str = settings.option(default="", help="range of dynamic host ports, FIRST-LAST; else the kernel's")
    instance_attributes: tuple[str, ...] = settings.option(
        default=(), help="attributes of the instance, NAME=VALUE; taken at the first registration"
    )
    instance_tags: tuple[str, ...] = settings.option(
        default=(), help="tags of the instance, KEY=VALUE; taken at the first registration"
    )
    gpu_ids: tuple[str, ...] = settings.option(
        default=(), help="GPUs of this host, ID or ID=DEVICE-FILE; else NVIDIA's, if there are any"
    )
    instance_resources: tuple[str, ...] = settings.option(
        default=(), help="further things of this host that are counted, NAME=COUNT"
    )
    task_cpu_mem_limit: bool = settings.option(
        default=True, help="limit CPU and memory of whole tasks, where the engine's control groups allow it"
    )
    container_instance_arn: str = settings.option(
        default="", help="instance, registered before, that this agent takes over while its state folder is empty"
    )
    instance_credential_file: Path | None = settings.option(
        default=None, help="file with the credential that the registration of that instance answered"
    )
    cgroup_cpu_period_ms: int = settings.option(
        default=100, help="period in which the CPU time of whole tasks is limited, milliseconds", minimum=8, maximum=100
    )
    task_pids_limit: int = settings.option(
        default=0, help="processes that each task may have; 0 for no limit", minimum=0, maximum=4_194_304
    )
    shared_volume_match_full_config: bool = settings.option(
        default=False,
        help="refuse a shared volume that is there under other driver options or labels than the definition's",
    )
    privileged: bool = settings.option(default=True, help="run privileged containers")
    aws_credentials_file: Path | None = settings.option(
        default=None,
        help="AWS credentials that the engine has; with it, or AWS_ACCESS_KEY_ID, awslogs is left to the engine",
    )
    logging_drivers: tuple[str, ...] | None = settings.option(
        default=None, help="log drivers that tasks may name, of those that the engine has; else all of them"
    )
    selinux_capable: bool | None = settings.option(
        default=None, help="whether tasks may name SELinux labels; else as the engine says"
    )
    apparmor_capable: bool | None = settings.option(
        default=None, help="whether tasks may name AppArmor profiles; else as the engine says"
    )
    engine_auth_type: str = settings.option(
        default="", help="what --engine-auth-data is", choices=registry_credentials.AUTH_TYPES
    )
    engine_auth_data: str = settings.option(
        default="", help="credentials of image registries, as JSON, beside those in Docker's config.json", secret=True
    )
    image_pull_behavior: str = settings.option(
        default="default", help="when images are pulled", choices=tuple(behavior.value for behavior in pulls.Behavior)
    )
    image_pull_inactivity_timeout: int = settings.option(
        default=60, help="seconds of a pull's silence after which it is given up", minimum=1
    )
    image_pull_timeout: int = settings.option(
        default=2 * 3600, help="seconds that all tries of a pull may take", minimum=1
    )
    max_pulls: int = settings.option(default=10, help="images that are pulled at the same time", minimum=1)
    pull_dependent_containers_upfront: bool = settings.option(
        default=False, help="pull images of containers that wait for others at once, not only when their turn comes"
    )
    image_cleanup: bool = settings.option(default=True, help="remove images that no task needs any more")
    image_cleanup_interval: int = settings.option(
        default=1800, help="seconds between two clean-ups of images", minimum=1
    )
    image_minimum_cleanup_age: int = settings.option(
        default=3600, help="seconds for which an image stays after its pull", minimum=0
    )
    images_deleted_per_cycle: int = settings.option(
        default=5, help="images that one clean-up removes at most", minimum=1
    )
    untracked_image_cleanup: bool = settings.option(
        default=False, help="remove also images that this agent did not pull"
    )
    untracked_image_minimum_cleanup_age: int = settings.option(
        default=3600, help="seconds for which such an image stays after it was made", minimum=0
    )
    excluded_images: tuple[str, ...] = settings.option(default=(), help="names of images that are never removed")
    disk_watermark: int = settings.option(
        default=90,
        help="percent of the disk above which what stopped tasks have left and unused images go at once; 100 for never",
        minimum=1,
        maximum=100,
    )
    stop_timeout: int = settings.option(
        default=30, help="seconds a container has to end by itself, unless it says", minimum=1
    )
    start_timeout: int = settings.option(
        default=180, help="seconds that the engine has to start a container", minimum=45
    )
    create_timeout: int = settings.option(
        default=240, help="seconds that the engine has to create a container", minimum=60
    )
    cleanup_wait: int = settings.option(
        default=3 * 3600, help="seconds until the containers of a stopped task are removed", minimum=1
    )
    cleanup_wait_jitter: int = settings.option(
        default=0, help="seconds over which those removals are spread further", minimum=0
    )
    drain_on_stop: bool = settings.option(
        default=False, help="on SIGTERM set the instance DRAINING and stop its tasks before ending; else they run on"
    )
    introspection_port: int = settings.option(
        default=INTROSPECTION_PORT,
        help="port on 127.0.0.1 of /v1/metadata and /v1/tasks; 0 takes a free one",
        minimum=0,
    )
    task_metadata_address: str = settings.option(
        default=metadata_address.DEFAULT_ADDRESS,
        help="ADDRESS or ADDRESS:PORT of this host at which containers are told to find their metadata; `none` tells them nothing",
    )
    task_metadata_port: int = settings.option(
        default=metadata_address.DEFAULT_PORT, help="port on 127.0.0.1 of task metadata; 0 takes a free one", minimum=0
    )
    task_metadata_rps_limit: tuple[str, ...] = settings.option(
        default=("40", "60"), help="requests for task metadata from one address: a second, and in a burst"
    )
    statistics: bool = settings.option(default=True, help="measure what containers use, and tell the control plane")
    statistics_interval: int = settings.option(default=10, help="seconds from one measurement to the next", minimum=1)
    max_launches: int = settings.option(
        default=0, help="containers that are created or started at the same time; 0 chooses by the CPUs", minimum=0
    )

    def faults(self) -> Iterable[str]:
        """Lists whose items are not what they should be."""
        yield from settings.Process.faults(self)  # super() needs the class before slots were added
        for name in ("reserved_ports", "reserved_ports_udp"):
            for item in getattr(self, name):
                if not (item.isascii() and item.isdigit() and 0 < int(item) < 65536):
                    yield f"{settings.variable(name)}: {item!r} is not a port"
        for name in ("instance_attributes", "instance_tags"):
            for item in getattr(self, name):
                if not item.partition("=")[0] or "=" not in item:
                    yield f"{settings.variable(name)}: {item!r} is not NAME=VALUE"
        for item in self.instance_resources:
            if counted(item) is None:
                yield f"{settings.variable('instance_resources')}: {item!r} is not NAME=COUNT"
        yield from self._network_faults()
        yield from takeover.faults(self.container_instance_arn, self.instance_credential_file, self.cluster)
        try:
            registry_credentials.parse(self.engine_auth_type, self.engine_auth_data)
        except registry_credentials.BadCredentials as error:
            yield f"{settings.variable('engine_auth_data')}: {error}"
        yield from _metadata_faults(self)
        if self.docker_host and not self.docker_host.startswith(("unix://", "tcp://", "http://", "https://")):
            yield f"{settings.variable('docker_host')} is {self.docker_host!r}: neither unix://… nor tcp://…"

    def _network_faults(self) -> Iterable[str]:
        if self.dynamic_ports and dynamic_range(self.dynamic_ports) is None:
            yield f"{settings.variable('dynamic_ports')} is {self.dynamic_ports!r}: not FIRST-LAST with ports 1 to 65535"
        if self.awsvpc_subnet and not _is_subnet(self.awsvpc_subnet):
            yield f"{settings.variable('awsvpc_subnet')} is {self.awsvpc_subnet!r}: not a subnet, ADDRESS/BITS"


def _metadata_faults(config: Config) -> Iterable[str]:
    try:
        metadata_address.place(config.task_metadata_address)
    except ValueError as error:
        yield f"{settings.variable('task_metadata_address')} is {config.task_metadata_address!r}: {error}"
    if rps_limit(config.task_metadata_rps_limit) is None:
        shown = ",".join(config.task_metadata_rps_limit)
        yield f"{settings.variable('task_metadata_rps_limit')} is {shown!r}: not two numbers above zero, A SECOND,BURST"


def dynamic_range(text: str) -> range | None:
    """The ports of FIRST-LAST; None where it is not that."""
    first, dash, last = text.partition("-")
    if not (dash and first.strip().isdigit() and last.strip().isdigit()):
        return None
    found = range(int(first), int(last) + 1)
    return found if found and found.start > 0 and found.stop <= 65536 else None


def counted(item: str) -> tuple[str, int] | None:
    """Name and number of NAME=COUNT; None where it is not that, or names what the agent registers by itself."""
    name, _, count = (part.strip() for part in item.partition("="))
    usable = name and name not in resources.OWN_NAMES and count.isascii() and count.isdigit()
    return (name, int(count)) if usable else None


def narrowed(engine: runtime.EngineInfo, config: Config) -> runtime.EngineInfo:
    """The engine as the operator wants it to be offered: log drivers left out, security options told."""
    options = set(engine.security_options)
    for name, capable in (("selinux", config.selinux_capable), ("apparmor", config.apparmor_capable)):
        if capable is not None:
            options = options | {name} if capable else options - {name}
    # What would go to AWS can always be kept, unless the operator names the drivers.
    drivers = engine.logging_drivers | log_drivers.TO_AWS
    if config.logging_drivers is not None:
        drivers = drivers & frozenset(config.logging_drivers)
    return dataclasses.replace(engine, security_options=frozenset(options), logging_drivers=drivers)


def rps_limit(items: Sequence[str]) -> tuple[int, int] | None:
    """Requests a second and in a burst; None where that is not what it says."""
    found = [int(item) for item in items if item.isascii() and item.isdigit() and int(item) > 0]
    return (found[0], found[1]) if len(found) == len(items) == 2 else None


def _is_subnet(text: str) -> bool:
    try:
        return ipaddress.ip_network(text).num_addresses > _FEWEST_ADDRESSES
    except ValueError:
        return False


def pairs(items: Iterable[str]) -> dict[str, str]:
    """NAME=VALUE items as a mapping."""
    return {name.strip(): value.strip() for name, _, value in (item.partition("=") for item in items)}


def log_file(config: Config, environ: Mapping[str, str], uid: int | None = None) -> Path | None:
    """The file of the log, None for standard output.

    The agent of a host, with the usual state folder, of which there is one, logs where a host's services do.
    """
    if config.log_file is not None:
        return None if config.log_file == STANDARD_OUTPUT else config.log_file
    if config.state_dir is None and _is_the_hosts(environ, uid):
        return Path("/var/log/longshore/agent.log")
    return None


def _is_the_hosts(environ: Mapping[str, str], uid: int | None) -> bool:
    return (os.getuid() if uid is None else uid) == 0 and not environ.get("XDG_STATE_HOME")


def state_dir(config: Config, environ: Mapping[str, str], uid: int | None = None) -> Path:
    """The agent's state folder: as told, else /var/lib/longshore/agent for root, else under the user's state folder."""
    if config.state_dir is not None:
        return config.state_dir
    if _is_the_hosts(environ, uid):
        return Path("/var/lib/longshore/agent")
    base = environ.get("XDG_STATE_HOME")
    home = Path(base) if base else Path.home() / ".local" / "state"
    return home / "longshore" / "agent"


def docker_config(environ: Mapping[str, str]) -> Path:
    """Folder of the Docker client's config.json, as its client finds it."""
    return Path(environ.get("DOCKER_CONFIG") or Path(environ.get("HOME") or "~").expanduser() / ".docker")


def docker_host(config: Config, environ: Mapping[str, str]) -> str:
    """Address of the engine."""
    return config.docker_host or environ.get("DOCKER_HOST") or DEFAULT_DOCKER_HOST
