"""The gRPC adapter: a message in, a message out, nothing decided."""
# ruff: noqa: ARG002, N802 - names and arguments of methods are the contract's

from collections.abc import Callable
from typing import Any

import grpc.aio

from longshore.registry import access_keys, account_settings, capacity_providers, clusters, definitions, tags
from longshore.rpc import arns, caller
from longshore.storage.database import Database
from longshore.v1 import registry_service_pb2 as messages
from longshore.v1 import registry_service_pb2_grpc

Context = grpc.aio.ServicerContext[Any, Any]


class Servicer(registry_service_pb2_grpc.RegistryServiceServicer):
    """RegistryService over a database."""

    def __init__(
        self,
        *,
        database: Database,
        account: str,
        any_region: bool,
        keepers: tags.Keepers,
        keys: access_keys.AccessKeys,
        deletion_requested: Callable[[], None],
    ) -> None:
        self._database = database
        self._account = account
        self._any_region = any_region
        self._keepers = keepers
        self._keys = keys
        self._deletion_requested = deletion_requested

    @property
    def _place(self) -> arns.Place:
        return arns.Place(account=self._account, region=caller.current().region, any_region=self._any_region)

    async def CreateCluster(
        self, request: messages.CreateClusterRequest, context: Context
    ) -> messages.CreateClusterResponse:
        """Make a cluster."""
        return await clusters.create(self._database, self._place, request, principal=caller.current().principal)

    async def DescribeClusters(
        self, request: messages.DescribeClustersRequest, context: Context
    ) -> messages.DescribeClustersResponse:
        """Describe clusters."""
        return await clusters.describe(self._database, self._place, request)

    async def ListClusters(
        self, request: messages.ListClustersRequest, context: Context
    ) -> messages.ListClustersResponse:
        """List the clusters."""
        return await clusters.list_(self._database, self._place, request)

    async def DeleteCluster(
        self, request: messages.DeleteClusterRequest, context: Context
    ) -> messages.DeleteClusterResponse:
        """Delete an empty cluster."""
        return await clusters.delete(self._database, self._place, request)

    async def RegisterTaskDefinition(
        self, request: messages.RegisterTaskDefinitionRequest, context: Context
    ) -> messages.RegisterTaskDefinitionResponse:
        """Store a definition as the next revision of its family."""
        principal = caller.current().principal
        return await definitions.register(self._database, self._place, request, principal=principal)

    async def CheckTaskDefinition(
        self, request: messages.CheckTaskDefinitionRequest, context: Context
    ) -> messages.CheckTaskDefinitionResponse:
        """Tell what a registration would store."""
        definition = definitions.prepared(request.registration, principal=caller.current().principal)
        return messages.CheckTaskDefinitionResponse(task_definition=definition)

    async def DescribeTaskDefinition(
        self, request: messages.DescribeTaskDefinitionRequest, context: Context
    ) -> messages.DescribeTaskDefinitionResponse:
        """Describe a revision."""
        return await definitions.describe(self._database, self._place, request)

    async def ListTaskDefinitions(
        self, request: messages.ListTaskDefinitionsRequest, context: Context
    ) -> messages.ListTaskDefinitionsResponse:
        """List revisions."""
        return await definitions.list_(self._database, self._place, request)

    async def ListTaskDefinitionFamilies(
        self, request: messages.ListTaskDefinitionFamiliesRequest, context: Context
    ) -> messages.ListTaskDefinitionFamiliesResponse:
        """List families."""
        return await definitions.list_families(self._database, request)

    async def DeregisterTaskDefinition(
        self, request: messages.DeregisterTaskDefinitionRequest, context: Context
    ) -> messages.DeregisterTaskDefinitionResponse:
        """Make a revision INACTIVE."""
        return await definitions.deregister(self._database, self._place, request)

    async def DeleteTaskDefinitions(
        self, request: messages.DeleteTaskDefinitionsRequest, context: Context
    ) -> messages.DeleteTaskDefinitionsResponse:
        """Delete INACTIVE revisions."""
        return await definitions.delete(self._database, self._place, request, requested=self._deletion_requested)

    async def TagResource(self, request: messages.TagResourceRequest, context: Context) -> messages.TagResourceResponse:
        """Add tags to a resource."""
        await tags.tag(self._keepers, self._place, request)
        return messages.TagResourceResponse()

    async def UntagResource(
        self, request: messages.UntagResourceRequest, context: Context
    ) -> messages.UntagResourceResponse:
        """Remove tags from a resource."""
        await tags.untag(self._keepers, self._place, request)
        return messages.UntagResourceResponse()

    async def ListTagsForResource(
        self, request: messages.ListTagsForResourceRequest, context: Context
    ) -> messages.ListTagsForResourceResponse:
        """List the tags of a resource."""
        return await tags.list_(self._keepers, self._place, request)

    async def UpdateCluster(
        self, request: messages.UpdateClusterRequest, context: Context
    ) -> messages.UpdateClusterResponse:
        """Change a cluster."""
        return await clusters.update(self._database, self._place, request)

    async def UpdateClusterSettings(
        self, request: messages.UpdateClusterSettingsRequest, context: Context
    ) -> messages.UpdateClusterSettingsResponse:
        """Change a cluster's settings."""
        return await clusters.update_settings(self._database, self._place, request)

    async def PutClusterCapacityProviders(
        self, request: messages.PutClusterCapacityProvidersRequest, context: Context
    ) -> messages.PutClusterCapacityProvidersResponse:
        """Replace a cluster's capacity providers."""
        return await clusters.put_capacity_providers(self._database, self._place, request)

    async def DescribeCapacityProviders(
        self, request: messages.DescribeCapacityProvidersRequest, context: Context
    ) -> messages.DescribeCapacityProvidersResponse:
        """Describe capacity providers."""
        return await capacity_providers.describe(self._database, self._place, request)

    async def PutAccountSetting(
        self, request: messages.PutAccountSettingRequest, context: Context
    ) -> messages.PutAccountSettingResponse:
        """Set a setting for one principal."""
        return await account_settings.put(self._database, self._place, request, principal=caller.current().principal)

    async def PutAccountSettingDefault(
        self, request: messages.PutAccountSettingDefaultRequest, context: Context
    ) -> messages.PutAccountSettingDefaultResponse:
        """Set a setting for all who have none of their own."""
        return await account_settings.put_default(self._database, self._place, request)

    async def ListAccountSettings(
        self, request: messages.ListAccountSettingsRequest, context: Context
    ) -> messages.ListAccountSettingsResponse:
        """List settings."""
        return await account_settings.list_(self._database, self._place, request, principal=caller.current().principal)

    async def DeleteAccountSetting(
        self, request: messages.DeleteAccountSettingRequest, context: Context
    ) -> messages.DeleteAccountSettingResponse:
        """Remove a principal's setting."""
        return await account_settings.delete(self._database, self._place, request, principal=caller.current().principal)

    async def CreateAccessKey(
        self, request: messages.CreateAccessKeyRequest, context: Context
    ) -> messages.CreateAccessKeyResponse:
        """Make an access key."""
        return await self._keys.create(request, principal=caller.current().principal)

    async def ListAccessKeys(
        self, request: messages.ListAccessKeysRequest, context: Context
    ) -> messages.ListAccessKeysResponse:
        """List access keys."""
        return await self._keys.list_(request)

    async def DeleteAccessKey(
        self, request: messages.DeleteAccessKeyRequest, context: Context
    ) -> messages.DeleteAccessKeyResponse:
        """Delete an access key."""
        return await self._keys.delete(request, principal=caller.current().principal)

    async def GetSigningKey(
        self, request: messages.GetSigningKeyRequest, context: Context
    ) -> messages.GetSigningKeyResponse:
        """Hand a gateway what it verifies signatures with."""
        return await self._keys.signing_key(request, principal=caller.current().principal)
