"""Cases of the rules about what a container has of its host: ports, volumes, the kernel."""

from tests.unit.registry.cases import Case, container, of_container, one, task

_WEB = "Invalid setting for container 'web': "
_DATA = "Invalid setting for volume 'data': "


def _linux(rule: str, message: str, **members: object) -> Case:
    return of_container(rule, message, linuxParameters=members)


def _mapped(rule: str, message: str, *mappings: dict[str, object]) -> Case:
    return of_container(rule, message, portMappings=list(mappings))


def _in_mode(rule: str, message: str, mode: str, *also: str, **members: object) -> Case:
    return one(rule, f"{_WEB}{message}", task(container(**members), networkMode=mode), *also)


def _ports(*numbers: int) -> list[dict[str, object]]:
    return [{"containerPortRange": f"{number}-{number + 1}"} for number in numbers]


PORTS: tuple[Case, ...] = (
    _in_mode(
        "ports-in-none-mode",
        "portMappings is a list of 1; it must be left out with networkMode 'none'.",
        "none",
        portMappings=[{"containerPort": 80}],
    ),
    _mapped(
        "port-given",
        "portMappings[0].containerPort is not given; it must be given, or containerPortRange instead of it.",
        {"hostPort": 80},
    ),
    _mapped(
        "port-given",
        "portMappings[0].containerPort is 80; it must be given, or containerPortRange instead of it.",
        {"containerPort": 80, "containerPortRange": "90-99"},
    ),
    _mapped(
        "container-port",
        "portMappings[1].containerPort is 70000; it must be between 1 and 65535.",
        {"containerPort": 80},
        {"containerPort": 70000},
    ),
    _mapped(
        "host-port",
        "portMappings[0].hostPort is -1; it must be between 0 (any free port) and 65535.",
        {"containerPort": 80, "hostPort": -1},
    ),
    _in_mode(
        "host-port-equals-container-port",
        "portMappings[0].hostPort is 8080; it must be left out or equal containerPort, 80, with networkMode 'host' or 'awsvpc'.",
        "awsvpc",
        portMappings=[{"containerPort": 80, "hostPort": 8080}],
    ),
    one(
        "host-port-once",
        "Invalid setting for container 'side': portMappings[0].hostPort is 80; it must be used once in a task (container 'web' has"
        " it).",
        task(
            container(portMappings=[{"containerPort": 80, "hostPort": 80}]),
            container(
                name="side",
                portMappings=[
                    {"containerPort": 81, "hostPort": 80},
                    {"containerPort": 82, "hostPort": 80, "protocol": "udp"},
                ],
            ),
        ),
    ),
    _mapped(
        "port-range-form",
        "portMappings[0].containerPortRange is '90-80'; it must be 'FIRST-LAST' with FIRST below LAST, between 1 and 65535.",
        {"containerPortRange": "90-80"},
    ),
    _in_mode(
        "port-range-network-mode",
        "portMappings[0].containerPortRange is '80-90'; it must be left out unless networkMode is 'bridge' or 'awsvpc'.",
        "host",
        portMappings=[{"containerPortRange": "80-90"}],
    ),
    _mapped(
        "port-range-host-port",
        "portMappings[0].hostPort is 80; it must be left out where containerPortRange is given.",
        {"containerPortRange": "80-90", "hostPort": 80},
    ),
    _mapped(
        "port-ranges-count",
        "portMappings is a list of 101; it must have at most 100 ranges (101 are given).",
        *_ports(*range(1000, 1202, 2)),
    ),
    of_container(
        "container-port-once",
        "portMappings[1].containerPort is '53'; it must be mapped once in a container, for one protocol.",
        portMappings=[{"containerPort": 53}, {"containerPort": 53, "protocol": "udp"}],
    ),
    of_container(
        "container-port-once",
        "portMappings[1].containerPortRange is '90-99'; it must be mapped once in a container, for one protocol.",
        portMappings=[{"containerPortRange": "80-90"}, {"containerPortRange": "90-99"}],
    ),
    _mapped(
        "port-name",
        "portMappings[0].name is 'HTTP'; it must be at most 64 lower-case letters, digits, underscores and hyphens, and not begin"
        " with a hyphen.",
        {"containerPort": 80, "name": "HTTP"},
    ),
    _in_mode(
        "hostname-in-awsvpc", "hostname is 'h'; it must be left out with networkMode 'awsvpc'.", "awsvpc", hostname="h"
    ),
    _in_mode(
        "dns-servers-in-awsvpc",
        "dnsServers is a list of 1; it must be left out with networkMode 'awsvpc'.",
        "awsvpc",
        dnsServers=["10.0.0.2"],
    ),
    _in_mode(
        "dns-search-domains-in-awsvpc",
        "dnsSearchDomains is a list of 1; it must be left out with networkMode 'awsvpc'.",
        "awsvpc",
        dnsSearchDomains=["example.com"],
    ),
    _in_mode(
        "extra-hosts-in-awsvpc",
        "extraHosts is a list of 1; it must be left out with networkMode 'awsvpc'.",
        "awsvpc",
        extraHosts=[{"hostname": "db", "ipAddress": "10.0.0.9"}],
    ),
    of_container("dns-server", "dnsServers[0] is 'ns1'; it must be an IP address.", dnsServers=["ns1"]),
    of_container(
        "dns-search-domain",
        "dnsSearchDomains[0] is 'a b'; it must be at most 254 letters, digits, dots and hyphens, ending with a letter or digit.",
        dnsSearchDomains=["a b"],
    ),
    of_container(
        "extra-host-name",
        "extraHosts[0].hostname is not given; it must be a host's name.",
        extraHosts=[{"ipAddress": "10.0.0.9"}],
    ),
    of_container(
        "extra-host-address-required",
        "extraHosts[0].ipAddress is not given; it must be an IP address.",
        extraHosts=[{"hostname": "db"}],
    ),
    of_container(
        "extra-host-address",
        "extraHosts[0].ipAddress is '10.0.0'; it must be an IP address.",
        extraHosts=[{"hostname": "db", "ipAddress": "10.0.0"}],
    ),
    one(
        "links-outside-bridge",
        f"{_WEB}links is a list of 1; it must be left out unless networkMode is 'bridge'.",
        task(container(links=["db"]), container(name="db"), networkMode="host"),
    ),
    of_container("link-form", "links[0] is 'a:b:c'; it must be 'name' or 'name:alias'.", links=["a:b:c"]),
    of_container("link-known", "links[0] is 'db:d'; it must name another container of the task.", links=["db:d"]),
)

STORAGE: tuple[Case, ...] = (
    one(
        "volume-name-required",
        "Invalid setting for volume 1: name is not given; it must be a name.",
        task(volumes=[{"host": {"sourcePath": "/srv"}}]),
    ),
    one(
        "volume-name",
        "Invalid setting for volume 'a b': name is 'a b'; it must be at most 255 letters, digits, hyphens and underscores.",
        task(volumes=[{"name": "a b"}]),
    ),
    one(
        "volume-one-kind",
        f"{_DATA}host and dockerVolumeConfiguration are given; it must be one kind of volume.",
        task(
            volumes=[{"name": "data", "host": {"sourcePath": "/srv"}, "dockerVolumeConfiguration": {"scope": "task"}}]
        ),
    ),
    one(
        "volume-autoprovision",
        f"{_DATA}dockerVolumeConfiguration.autoprovision is true: task scoped volume could not be autoprovisioned.",
        task(volumes=[{"name": "data", "dockerVolumeConfiguration": {"autoprovision": True}}]),
    ),
    one(
        "volume-efs-file-system",
        f"{_DATA}efsVolumeConfiguration.fileSystemId is not given; it must be the id of a file system.",
        task(volumes=[{"name": "data", "efsVolumeConfiguration": {"rootDirectory": "/"}}]),
    ),
    one(
        "volume-fsx-file-system",
        f"{_DATA}fsxWindowsFileServerVolumeConfiguration.fileSystemId is not given; it must be the id of a file system.",
        task(volumes=[{"name": "data", "fsxWindowsFileServerVolumeConfiguration": {"rootDirectory": "\\data"}}]),
    ),
    one(
        "volume-s3files-file-system",
        f"{_DATA}s3filesVolumeConfiguration.fileSystemArn is not given; it must be the ARN of a file system.",
        task(volumes=[{"name": "data", "s3filesVolumeConfiguration": {"rootDirectory": "/"}}]),
    ),
    of_container(
        "mount-volume-required",
        "mountPoints[0].sourceVolume is not given; it must be a volume's name.",
        mountPoints=[{"containerPath": "/data"}],
    ),
    of_container(
        "mount-volume-known",
        "mountPoints[0].sourceVolume is 'data'; it must be the name of a volume of the task.",
        mountPoints=[{"sourceVolume": "data", "containerPath": "/data"}],
    ),
    one(
        "mount-path-required",
        f"{_WEB}mountPoints[0].containerPath is not given; it must be a path in the container.",
        task(container(mountPoints=[{"sourceVolume": "data"}]), volumes=[{"name": "data"}]),
    ),
    one(
        "mount-path-once",
        f"{_WEB}mountPoints[1].containerPath is '/data'; it must be the path of one mount point.",
        task(
            container(mountPoints=[{"sourceVolume": "data", "containerPath": "/data"}] * 2), volumes=[{"name": "data"}]
        ),
    ),
    of_container(
        "volumes-from-required",
        "volumesFrom[0].sourceContainer is not given; it must be a container's name.",
        volumesFrom=[{"readOnly": True}],
    ),
    of_container(
        "volumes-from-known",
        "volumesFrom[0].sourceContainer is 'web'; it must be the name of another container of the task.",
        volumesFrom=[{"sourceContainer": "web"}],
    ),
    _linux(
        "tmpfs-path",
        "linuxParameters.tmpfs[0].containerPath is not given; it must be a path in the container.",
        tmpfs=[{"size": 64}],
    ),
    _linux(
        "tmpfs-size-required",
        "linuxParameters.tmpfs[0].size is not given; it must be a size in MiB.",
        tmpfs=[{"containerPath": "/run"}],
    ),
    _linux(
        "tmpfs-size",
        "linuxParameters.tmpfs[0].size is 0; it must be at least 1 MiB.",
        tmpfs=[{"containerPath": "/run", "size": 0}],
    ),
    _linux(
        "tmpfs-option",
        "linuxParameters.tmpfs[0].mountOptions[1] is 'fast'; it must be one of Docker's options for tmpfs.",
        tmpfs=[{"containerPath": "/run", "size": 1, "mountOptions": ["mode=755", "fast"]}],
    ),
)

KERNEL: tuple[Case, ...] = (
    _linux(
        "capability-added",
        "linuxParameters.capabilities.add[0] is 'CAP_NET_ADMIN'; it must be a Linux capability without its CAP_, or ALL.",
        capabilities={"add": ["CAP_NET_ADMIN", "NET_ADMIN"]},
    ),
    _linux(
        "capability-dropped",
        "linuxParameters.capabilities.drop[1] is 'EVERYTHING'; it must be a Linux capability without its CAP_, or ALL.",
        capabilities={"drop": ["ALL", "EVERYTHING"]},
    ),
    _linux(
        "device-path",
        "linuxParameters.devices[0].hostPath is not given; it must be the path of a device on the host.",
        devices=[{"containerPath": "/dev/fuse"}],
    ),
    _linux(
        "shared-memory-size",
        "linuxParameters.sharedMemorySize is 0; it must be at least 1 MiB.",
        sharedMemorySize=0,
    ),
    _linux("max-swap", "linuxParameters.maxSwap is -1; it must not be negative.", maxSwap=-1),
    _linux("swappiness", "linuxParameters.swappiness is 101; it must be between 0 and 100.", maxSwap=0, swappiness=101),
    of_container(
        "ulimit-name",
        "ulimits[0].name is not given; it must name a limit.",
        ulimits=[{"softLimit": 1, "hardLimit": 1}],
    ),
    of_container(
        "ulimit-soft",
        "ulimits[0].softLimit is not given; it must be a number.",
        ulimits=[{"name": "nofile", "hardLimit": 1}],
    ),
    of_container(
        "ulimit-hard",
        "ulimits[0].hardLimit is not given; it must be a number.",
        ulimits=[{"name": "nofile", "softLimit": 1}],
    ),
    of_container(
        "ulimit-order",
        "ulimits[0].softLimit is -1; it must be at most the hard limit, 1024.",
        ulimits=[{"name": "nofile", "softLimit": -1, "hardLimit": 1024}],
    ),
    of_container(
        "ulimit-once",
        "ulimits[1].name is 'core'; it must be given once.",
        ulimits=[{"name": "core", "softLimit": 0, "hardLimit": -1}] * 2,
    ),
    of_container(
        "sysctl-namespace-required",
        "systemControls[0].namespace is not given; it must be a kernel parameter.",
        systemControls=[{"value": "1"}],
    ),
    of_container(
        "sysctl-value",
        "systemControls[0].value is not given; it must be a value.",
        systemControls=[{"namespace": "net.core.somaxconn"}],
    ),
    of_container(
        "sysctl-namespace",
        "systemControls[0].namespace is 'vm.swappiness'; it must be one of kernel.msg*, kernel.sem, kernel.shm*, fs.mqueue.* and"
        " net.*.",
        systemControls=[{"namespace": "vm.swappiness", "value": "1"}],
    ),
    _in_mode(
        "sysctl-net-on-host",
        "systemControls[0].namespace is 'net.core.somaxconn'; it must not be one of net.* with networkMode 'host'.",
        "host",
        systemControls=[{"namespace": "net.core.somaxconn", "value": "1024"}],
    ),
    of_container(
        "security-option",
        "dockerSecurityOptions[0] is 'seccomp:unconfined'; it must be no-new-privileges, apparmor:PROFILE, label:VALUE or"
        " credentialspec:FILE.",
        dockerSecurityOptions=["seccomp:unconfined", "label:disable", "no-new-privileges"],
    ),
)

CASES: tuple[Case, ...] = (*PORTS, *STORAGE, *KERNEL)
