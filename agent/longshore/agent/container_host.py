"""The part of a create call that concerns the host: network mode, mounts, rights, limits, logging. Pure."""

from typing import Any

from longshore.agent import container_names, log_drivers, namespaces, volumes
from longshore.v1 import task_definition_pb2 as definition_pb2

_MEBIBYTE = 1024 * 1024

_DEVICE_RIGHTS = {
    definition_pb2.DEVICE_CGROUP_PERMISSION_READ: "r",
    definition_pb2.DEVICE_CGROUP_PERMISSION_WRITE: "w",
    definition_pb2.DEVICE_CGROUP_PERMISSION_MKNOD: "m",
}


def host_config(
    definition: definition_pb2.TaskDefinition,
    container: definition_pb2.ContainerDefinition,
    task: container_names.TaskNames,
    *,
    awslogs: bool,
) -> dict[str, Any]:
    """Members of HostConfig that do not depend on sizes or ports. `awslogs`: that log driver is left to the engine."""
    config = namespaces.modes(definition, task)
    config.update(_mounts(definition, container, task))
    config.update(_linux(container.linux_parameters))
    config.update(_names(container, task))
    if container.privileged:
        config["Privileged"] = True
    if container.readonly_root_filesystem:
        config["ReadonlyRootfs"] = True
    if container.docker_security_options:
        config["SecurityOpt"] = [_security_option(option) for option in container.docker_security_options]
    if container.ulimits:
        config["Ulimits"] = [_ulimit(limit) for limit in container.ulimits]
    if container.system_controls:
        config["Sysctls"] = {control.namespace: control.value for control in container.system_controls}
    if container.HasField("log_configuration"):
        config["LogConfig"] = log_drivers.docker_config(
            container.log_configuration, awslogs=awslogs, stream=f"{container.name}/{task.task_id}"
        )
    return config


def _security_option(option: str) -> str:
    """Docker's form of `label:user:me`: it still reads ECS's colon, and has long announced to give that up."""
    name, colon, value = option.partition(":")
    return f"{name}={value}" if colon and "=" not in name else option


def _mounts(
    definition: definition_pb2.TaskDefinition,
    container: definition_pb2.ContainerDefinition,
    task: container_names.TaskNames,
) -> dict[str, Any]:
    sources = {volume.name: volumes.source(volume, task) for volume in definition.volumes}
    config: dict[str, Any] = {}
    binds = [
        f"{sources[mount.source_volume]}:{mount.container_path}{':ro' if mount.read_only else ''}"
        for mount in container.mount_points
        if mount.source_volume in sources
    ]
    if binds:
        config["Binds"] = binds
    volumes_from = [
        f"{container_names.container_name(task, source.source_container)}{':ro' if source.read_only else ''}"
        for source in container.volumes_from
    ]
    if volumes_from:
        config["VolumesFrom"] = volumes_from
    return config


def _names(container: definition_pb2.ContainerDefinition, task: container_names.TaskNames) -> dict[str, Any]:
    config: dict[str, Any] = {}
    if container.dns_servers:
        config["Dns"] = list(container.dns_servers)
    if container.dns_search_domains:
        config["DnsSearch"] = list(container.dns_search_domains)
    if container.extra_hosts:
        config["ExtraHosts"] = [f"{entry.hostname}:{entry.ip_address}" for entry in container.extra_hosts]
    if container.links:
        config["Links"] = [_link(link, task) for link in container.links]
    return config


def _link(link: str, task: container_names.TaskNames) -> str:
    name, _, alias = link.partition(":")
    return f"{container_names.container_name(task, name)}:{alias or name}"


def _linux(linux: definition_pb2.LinuxParameters) -> dict[str, Any]:
    config: dict[str, Any] = {}
    if linux.capabilities.add:
        config["CapAdd"] = list(linux.capabilities.add)
    if linux.capabilities.drop:
        config["CapDrop"] = list(linux.capabilities.drop)
    if linux.devices:
        config["Devices"] = [_device(device) for device in linux.devices]
    if linux.init_process_enabled:
        config["Init"] = True
    if linux.shared_memory_size:
        config["ShmSize"] = linux.shared_memory_size * _MEBIBYTE
    if linux.tmpfs:
        config["Tmpfs"] = {
            mount.container_path: ",".join([f"size={mount.size}m", *mount.mount_options]) for mount in linux.tmpfs
        }
    return config


def _device(device: definition_pb2.Device) -> dict[str, str]:
    rights = "".join(_DEVICE_RIGHTS.get(permission, "") for permission in device.permissions) or "rwm"
    return {
        "PathOnHost": device.host_path,
        "PathInContainer": device.container_path or device.host_path,
        "CgroupPermissions": rights,
    }


def _ulimit(limit: definition_pb2.Ulimit) -> dict[str, Any]:
    name = definition_pb2.UlimitName.Name(limit.name).removeprefix("ULIMIT_NAME_").lower()
    return {"Name": name, "Soft": limit.soft_limit, "Hard": limit.hard_limit}
