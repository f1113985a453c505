"""Long-running operations: begun, ended, listed, waited for, cancelled."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from typing import Any

import grpc
from google.cloud.dataproc_v1 import types
from google.longrunning import operations_pb2
from google.protobuf import any_pb2, empty_pb2

from flowerexp.rehearsal import filters, paging
from flowerexp.rehearsal.refusal import RefusalError, not_found
from flowerexp.rehearsal.state import State

_STATES = types.ClusterOperationStatus.State


def pack(message: Any) -> any_pb2.Any:
    """A proto-plus message, or a plain one, in an Any."""
    packed = any_pb2.Any()
    packed.Pack(type(message).pb(message) if hasattr(type(message), "pb") else message)
    return packed


class Operations:
    """The service google.longrunning.Operations, and what the others need of it."""

    def __init__(self, state: State) -> None:
        self._state = state

    def begin_cluster(
        self, kind: str, region: str, cluster: types.Cluster, warnings: Sequence[str] = ()
    ) -> operations_pb2.Operation:
        """Begin an operation on a cluster; `kind` is CREATE, DELETE or UPDATE."""
        metadata = types.ClusterOperationMetadata(
            cluster_name=cluster.cluster_name,
            cluster_uuid=cluster.cluster_uuid,
            operation_type=kind,
            description=f"{kind.capitalize()} cluster",
            labels=dict(cluster.labels),
            status={"state": _STATES.RUNNING, "inner_state": "RUNNING", "state_start_time": self._state.now()},
            warnings=list(warnings),
        )
        return self._begin(region, metadata)

    def begin_batch(self, region: str, batch: types.Batch) -> operations_pb2.Operation:
        """Begin the operation of a batch."""
        metadata = types.BatchOperationMetadata(
            batch=batch.name,
            batch_uuid=batch.uuid,
            create_time=self._state.now(),
            operation_type=types.BatchOperationMetadata.BatchOperationType.BATCH,
            description="Batch",
            labels=dict(batch.labels),
        )
        return self._begin(region, metadata)

    def _begin(self, region: str, metadata: Any) -> operations_pb2.Operation:
        name = f"projects/{self._state.project}/regions/{region}/operations/{uuid.uuid4()}"
        operation = operations_pb2.Operation(name=name, metadata=pack(metadata))
        self._state.operations.put(name, operation)
        return self.copy(name)

    def copy(self, name: str) -> operations_pb2.Operation:
        """An operation as it is now."""
        with self._state.lock:
            found = self._state.operations.get(name)
            if found is None:
                raise not_found(f"Operation {name}")
            copied = operations_pb2.Operation()
            copied.CopyFrom(found)
            return copied

    def succeed(self, name: str, response: Any) -> None:
        """End it well, with what it made."""
        operation = self.copy(name)
        operation.response.CopyFrom(pack(response))
        self._end(operation)

    def fail(self, name: str, refusal: RefusalError) -> None:
        """End it with an error."""
        operation = self.copy(name)
        operation.error.code = refusal.number
        operation.error.message = refusal.message
        self._end(operation)

    def _end(self, operation: operations_pb2.Operation) -> None:
        with self._state.lock:
            if self._state.operations[operation.name].done:
                return
            operation.done = True
            metadata = types.ClusterOperationMetadata.pb(types.ClusterOperationMetadata())
            if operation.metadata.Unpack(metadata):
                wrapped = types.ClusterOperationMetadata.deserialize(metadata.SerializeToString())
                wrapped.status_history.append(wrapped.status)
                wrapped.status = types.ClusterOperationStatus(
                    state=_STATES.DONE, inner_state="DONE", state_start_time=self._state.now()
                )
                operation.metadata.CopyFrom(pack(wrapped))
            self._state.operations.put(operation.name, operation)
            self._state.changed.notify_all()

    def unfinished(self) -> dict[str, tuple[str, str]]:
        """Name -> (kind, cluster) of the operations on clusters that an earlier process left open."""
        found = {}
        for name, operation in self._state.operations.items():
            metadata = types.ClusterOperationMetadata.pb(types.ClusterOperationMetadata())
            if not operation.done and operation.metadata.Unpack(metadata):
                region = name.split("/")[3]
                found[name] = (metadata.operation_type, f"{region}/{metadata.cluster_name}")
        return found

    # What clients call.

    def get(self, request: operations_pb2.GetOperationRequest) -> operations_pb2.Operation:
        """GetOperation."""
        return self.copy(request.name)

    def list(self, request: operations_pb2.ListOperationsRequest) -> operations_pb2.ListOperationsResponse:
        """ListOperations, with filters such as `clusterName = x AND status.state = RUNNING`."""
        wanted = filters.parse(request.filter)
        found = []
        for name, operation in self._state.operations.items():
            metadata = types.ClusterOperationMetadata.pb(types.ClusterOperationMetadata())
            operation.metadata.Unpack(metadata)
            values = {
                "clusterName": metadata.cluster_name,
                "operationType": metadata.operation_type,
                "operation_state_matcher": "NON_ACTIVE" if operation.done else "ACTIVE",
                "status.state": "DONE" if operation.done else "RUNNING",
                **{f"labels.{key}": value for key, value in metadata.labels.items()},
            }
            if name.startswith(request.name.removesuffix("/operations")) and filters.matches(wanted, values):
                found.append(operation)
        some, token = paging.page(found, f"{request.name} {request.filter}", request.page_size, request.page_token)
        return operations_pb2.ListOperationsResponse(operations=some, next_page_token=token)

    def wait(self, request: operations_pb2.WaitOperationRequest) -> operations_pb2.Operation:
        """WaitOperation: answers when it is done, or when the timeout is over."""
        deadline = time.monotonic() + (request.timeout.ToSeconds() or 60)
        with self._state.lock:
            while not self.copy(request.name).done and (left := deadline - time.monotonic()) > 0:
                self._state.changed.wait(left)
        return self.copy(request.name)

    def cancel(self, request: operations_pb2.CancelOperationRequest) -> empty_pb2.Empty:
        """CancelOperation; it is how a batch is cancelled."""
        if not self.copy(request.name).done:
            self.fail(request.name, RefusalError(grpc.StatusCode.CANCELLED, "Operation was cancelled."))
        return empty_pb2.Empty()

    def delete(self, request: operations_pb2.DeleteOperationRequest) -> empty_pb2.Empty:
        """DeleteOperation."""
        self.copy(request.name)
        self._state.operations.remove(request.name)
        return empty_pb2.Empty()
