"""Where a request is at home: the account and region its ARNs are of, and its cluster."""

from longshore.rpc import arns, caller, errors
from longshore.storage import clusters, steps
from longshore.storage.database import Database
from longshore.storage.dialect import Dialect


class Scopes:
    """Resolves what requests name."""

    def __init__(self, database: Database, account: str, *, any_region: bool) -> None:
        self._database = database
        self._account = account
        self._any_region = any_region

    @property
    def place(self) -> arns.Place:
        """The account, in the region that the caller speaks of."""
        return arns.Place(account=self._account, region=caller.current().region, any_region=self._any_region)

    def cluster(self, text: str) -> str:
        """Name of the cluster that a request names; it need not exist."""
        return arns.cluster(text, place=self.place).name

    async def existing(self, text: str) -> str:
        """The same of a cluster that exists and is ACTIVE. Raises ClusterNotFoundException."""
        name = self.cluster(text)
        await self._database.read(lambda _: found(name))
        return name

    def instance(self, text: str, cluster: str) -> str:
        """Id of a container instance that a request names, by id or ARN."""
        if not text:
            raise errors.InvalidParameterException("Container instance cannot be empty.")
        return arns.same_cluster(arns.container_instance(text, place=self.place), cluster).name

    def task(self, text: str, cluster: str) -> str:
        """Id of a task that a request names, by id or ARN."""
        return arns.same_cluster(arns.task(text, place=self.place), cluster).name


def found(name: str) -> steps.Step[None]:
    """Refuse a cluster that is not ACTIVE, in a transaction that goes on to read what is in it."""
    checked((yield from clusters.by_name(name)), name)


def locked(dialect: Dialect, name: str) -> steps.Step[None]:
    """Make sure that the cluster is ACTIVE and stays so until the commit."""
    checked((yield from clusters.locked(dialect, name)), name)


def checked(cluster: clusters.Cluster | None, name: str) -> None:
    """Refuse a cluster that is not there, or was deleted."""
    if cluster is None:
        raise errors.ClusterNotFoundException("Cluster not found.", cluster=name)
    if not cluster.active:
        raise errors.ClusterNotFoundException("The referenced cluster was inactive.", cluster=name)
