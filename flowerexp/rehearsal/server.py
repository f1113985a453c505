"""The Dataproc service, a program: `--folder FOLDER --project PROJECT [--port PORT --control PORT]`.

It finds Cloud Storage by STORAGE_EMULATOR_HOST, prints its ports, and ends when its standard input does. What it knows
is in FOLDER: killed and started again on the same ports it goes on, and finds the running jobs again.
"""

from __future__ import annotations

import argparse
import sys
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
from google.cloud.dataproc_v1 import types
from google.cloud.logging_v2.types import ListLogEntriesRequest, ListLogEntriesResponse
from google.longrunning import operations_pb2
from google.protobuf import empty_pb2, json_format

from flowerexp.rehearsal import compute, control, pages
from flowerexp.rehearsal.bucket import Bucket
from flowerexp.rehearsal.process import announce, end_with_parent
from flowerexp.rehearsal.refusal import RefusalError
from flowerexp.rehearsal.world import World

_DATAPROC = "google.cloud.dataproc.v1"
_OPERATION = operations_pb2.Operation
_EMPTY = empty_pb2.Empty
# Service -> method -> (request, response, part of the world, its method): as the clients' transports name them in
# google/cloud/dataproc_v1/services/*/transports/grpc.py.
_METHODS: dict[str, dict[str, tuple[Any, Any, str, str]]] = {
    f"{_DATAPROC}.ClusterController": {
        "CreateCluster": (types.CreateClusterRequest, _OPERATION, "clusters", "create"),
        "UpdateCluster": (types.UpdateClusterRequest, _OPERATION, "clusters", "update"),
        "DeleteCluster": (types.DeleteClusterRequest, _OPERATION, "clusters", "delete"),
        "GetCluster": (types.GetClusterRequest, types.Cluster, "clusters", "get"),
        "ListClusters": (types.ListClustersRequest, types.ListClustersResponse, "clusters", "list"),
    },
    f"{_DATAPROC}.JobController": {
        "SubmitJob": (types.SubmitJobRequest, types.Job, "jobs", "submit"),
        "GetJob": (types.GetJobRequest, types.Job, "jobs", "get"),
        "ListJobs": (types.ListJobsRequest, types.ListJobsResponse, "jobs", "list"),
        "UpdateJob": (types.UpdateJobRequest, types.Job, "jobs", "update"),
        "CancelJob": (types.CancelJobRequest, types.Job, "jobs", "cancel"),
        "DeleteJob": (types.DeleteJobRequest, _EMPTY, "jobs", "delete"),
    },
    f"{_DATAPROC}.BatchController": {
        "CreateBatch": (types.CreateBatchRequest, _OPERATION, "batches", "create"),
        "GetBatch": (types.GetBatchRequest, types.Batch, "batches", "get"),
        "ListBatches": (types.ListBatchesRequest, types.ListBatchesResponse, "batches", "list"),
        "DeleteBatch": (types.DeleteBatchRequest, _EMPTY, "batches", "delete"),
    },
    "google.logging.v2.LoggingServiceV2": {
        "ListLogEntries": (ListLogEntriesRequest, ListLogEntriesResponse, "logs", "list"),
    },
    "google.longrunning.Operations": {
        "GetOperation": (operations_pb2.GetOperationRequest, _OPERATION, "operations", "get"),
        "ListOperations": (
            operations_pb2.ListOperationsRequest,
            operations_pb2.ListOperationsResponse,
            "operations",
            "list",
        ),
        "WaitOperation": (operations_pb2.WaitOperationRequest, _OPERATION, "operations", "wait"),
        "CancelOperation": (operations_pb2.CancelOperationRequest, _EMPTY, "operations", "cancel"),
        "DeleteOperation": (operations_pb2.DeleteOperationRequest, _EMPTY, "operations", "delete"),
    },
}


class Service:
    """The gRPC service over a world, which a test can replace by an empty one."""

    def __init__(self, folder: Path, project: str) -> None:
        self._folder = folder
        self._project = project
        self._bucket = Bucket(project)
        # A reset leaves the old world's folder behind, and a restart takes the newest.
        self._number = max((int(path.name) for path in folder.glob("[0-9]*")), default=0)
        self.world = self._new()

    def _new(self) -> World:
        return World(self._folder / str(self._number), self._project, self._bucket)

    def control(self, verb: str, arguments: dict[str, Any]) -> Any:
        """Answer a verb of the control service."""
        if verb == "reset":
            self.world.close()
            self._number += 1
            self.world = self._new()
            return None
        if verb == "arm" and arguments["kind"] == "call_faults":
            known = {name for methods in _METHODS.values() for name in methods}
            if arguments["name"] not in {*known, "*"}:
                raise KeyError(f"there is no method {arguments['name']}")
        return getattr(self.world, verb)(**arguments)

    def handlers(self) -> list[Any]:
        """The handlers of all methods, for gRPC."""
        return [
            grpc.method_handlers_generic_handler(
                service, {name: self._handler(name, *row) for name, row in rows.items()}
            )
            for service, rows in _METHODS.items()
        ]

    def _handler(self, name: str, request: Any, response: Any, part: str, method: str) -> Any:
        def answer(message: Any, context: grpc.ServicerContext) -> Any:
            world = self.world
            try:
                return self._call(world, name, message, getattr(getattr(world, part), method))
            except RefusalError as refusal:
                context.abort(refusal.code, refusal.message)
            except Exception:
                traceback.print_exc(file=sys.stderr)
                context.abort(grpc.StatusCode.INTERNAL, f"the server is broken: {traceback.format_exc()}")

        return grpc.unary_unary_rpc_method_handler(
            answer, request_deserializer=_reader(request), response_serializer=_writer(response)
        )

    @staticmethod
    def _call(world: World, name: str, message: Any, method: Callable[[Any], Any]) -> Any:
        raw = type(message).pb(message) if hasattr(type(message), "pb") else message
        world.record(name, json_format.MessageToDict(raw, preserving_proto_field_name=True))
        world.conform(name, message)
        world.faults.call(name, after=False)
        world.clusters.reap()
        if name.startswith(("Get", "List")):
            with world.state.lock:  # a copy: what is on the shelf may change while it is sent
                answer = method(message)
                answer = type(answer)(answer) if hasattr(type(answer), "pb") else answer
        else:
            answer = method(message)
        world.faults.call(name, after=True)
        return answer


def _reader(kind: Any) -> Callable[[bytes], Any]:
    found: Callable[[bytes], Any] = kind.deserialize if hasattr(kind, "deserialize") else kind.FromString
    return found


def _writer(kind: Any) -> Callable[[Any], bytes]:
    found: Callable[[Any], bytes] = kind.serialize if hasattr(kind, "serialize") else kind.SerializeToString
    return found


def main() -> None:
    """Serve until the parent process ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--project", required=True)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--control", type=int, default=0)
    arguments = parser.parse_args()
    service = Service(arguments.folder, arguments.project)
    server = grpc.server(ThreadPoolExecutor(16), options=[("grpc.so_reuseport", 0)])
    server.add_generic_rpc_handlers(service.handlers())
    port = server.add_insecure_port(f"127.0.0.1:{arguments.port}")
    server.start()
    ports = {"control": control.serve(service.control, arguments.control)}
    regions = pages.listening(compute.answering(lambda region: service.world.region(region)))
    threading.Thread(target=regions.serve_forever, daemon=True, name="compute").start()
    announce(dataproc=port, compute=regions.server_address[1], **ports)
    end_with_parent(lambda: service.world.close())
    server.wait_for_termination()


if __name__ == "__main__":
    main()
