"""BatchController: serverless PySpark batches, really run."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable

from google.cloud.dataproc_v1 import types
from google.longrunning import operations_pb2
from google.protobuf import empty_pb2

from flowerexp.cluster.google.logged import is_logged
from flowerexp.rehearsal import driver, filters, paging, quotas, strict, strict_jobs, usage
from flowerexp.rehearsal.bucket import Bucket
from flowerexp.rehearsal.driver import Outcome
from flowerexp.rehearsal.faults import Faults
from flowerexp.rehearsal.operations import Operations
from flowerexp.rehearsal.refusal import already_exists, as_refusal, invalid, not_found, precondition
from flowerexp.rehearsal.spark import Run, Work, environment_of
from flowerexp.rehearsal.state import State

_S = types.Batch.State
_ENDED = (_S.SUCCEEDED, _S.FAILED, _S.CANCELLED)


class Batches:
    """Batches, known by their full name. A batch is cancelled by cancelling its operation."""

    def __init__(self, state: State, operations: Operations, faults: Faults, bucket: Bucket) -> None:
        self._state = state
        self._operations = operations
        self._faults = faults
        self._bucket = bucket

    def resume(self) -> None:
        """Go on with what an earlier process of the service had begun."""
        for name, batch in self._state.batches.items():
            if batch.state not in _ENDED:
                self._begin(name)

    def run_of(self, batch: types.Batch) -> Run:
        """Where a batch runs."""
        return Run(self._state.folder / "runs" / batch.uuid)

    def _begin(self, name: str) -> None:
        threading.Thread(target=self._walk, args=(name,), daemon=True, name=f"batch {name}").start()

    def _set(self, name: str, state: types.Batch.State, message: str = "") -> None:
        with self._state.lock:
            batch = self._state.batches[name]
            if batch.state:
                batch.state_history.append(
                    types.Batch.StateHistory(
                        state=batch.state, state_message=batch.state_message, state_start_time=batch.state_time
                    )
                )
            self._meter(batch, state)
            batch.state, batch.state_message, batch.state_time = state, message, self._state.now()
            self._state.batches.put(name, batch)
            self._state.event("batch", quotas.short(name), state.name)

    def _meter(self, batch: types.Batch, following: types.Batch.State) -> None:
        """Count what a batch uses while it runs."""
        properties = dict(batch.runtime_config.properties)
        if following == _S.RUNNING:
            batch.runtime_info.current_usage = usage.while_running(properties)
        elif batch.state == _S.RUNNING:
            seconds = (self._state.now() - batch.state_time).total_seconds()
            batch.runtime_info.current_usage = None
            batch.runtime_info.approximate_usage = usage.in_all(properties, seconds)

    def create(self, request: types.CreateBatchRequest) -> operations_pb2.Operation:
        """CreateBatch."""
        strict.request_id(request.request_id)
        region = request.parent.rpartition("/")[2]
        batch = types.Batch(request.batch)
        strict_jobs.batch(batch, request.batch_id, region)
        staging = batch.environment_config.execution_config.staging_bucket
        if staging and not self._bucket.has_bucket(staging):
            raise invalid(f"Google Cloud Storage bucket does not exist '{staging}'.")
        if not staging:
            staging = f"dataproc-staging-{region}-1234-fake"
            self._bucket.make_bucket(staging)
        with self._state.lock:
            earlier = self._state.remembered("CreateBatch", request.request_id)
            if earlier:
                return self._operations.copy(earlier)
            batch.uuid = str(uuid.uuid4())
            batch.name = f"{request.parent}/batches/{request.batch_id or batch.uuid}"
            if batch.name in self._state.batches:
                raise already_exists("create batch", f"Batch {batch.name}")
            operation = self._operations.begin_batch(region, batch)
            batch.operation = operation.name
            batch.create_time = self._state.now()
            # dataproc-staging-.../google-cloud-dataproc-metainfo/.../jobs/srvls-batch-.../driveroutput
            folder = f"gs://{staging}/google-cloud-dataproc-metainfo/{uuid.uuid4()}/jobs/srvls-batch-{batch.uuid}"
            # Runtimes from 3.0 on use no staging bucket: what the driver prints is in Cloud Logging.
            logged = is_logged(batch.runtime_config.version)
            batch.runtime_info = types.RuntimeInfo(output_uri="" if logged else f"{folder}/driveroutput")
            self._state.batches.put(batch.name, batch)
            config = types.Batch.pb(batch).runtime_config
            self._state.machines("batch", quotas.short(batch.name), region, config)
            self._set(batch.name, _S.PENDING)
            self._state.notes["created"].append(batch.name)
            self._state.remember("CreateBatch", request.request_id, operation.name)
            self._state.save()
        self._begin(batch.name)
        return operation

    def _work(self, batch: types.Batch) -> Work:
        given = batch.pyspark_batch
        properties = dict(batch.runtime_config.properties)
        log = properties.get("spark.eventLog.dir", "")
        return Work(
            main=given.main_python_file_uri,
            output=batch.runtime_info.output_uri,
            args=list(given.args),
            python_files=list(given.python_file_uris),
            files=list(given.file_uris),
            archives=list(given.archive_uris),
            jars=list(given.jar_file_uris),
            properties=properties,
            environment=environment_of(properties, "spark.dataproc.driverEnv."),
            # What is in a container of the user's own, nobody knows here: it is taken to hold everything.
            lacks=[] if batch.runtime_config.container_image else list(self._state.notes["lacking"]),
            has=[] if self._state.notes["only_installed"] and not batch.runtime_config.container_image else None,
            event_log=log if log.startswith("gs://") else "",
        )

    def _reason(self, name: str) -> str:
        batch = self._state.batches.get(name)
        if self._state.closed or batch is None:
            return "closed"
        operation = self._state.operations.get(batch.operation)
        return "cancel" if operation is not None and operation.done else ""

    def _walk(self, name: str) -> None:
        batch = self._state.batches[name]
        run = self.run_of(batch)

        def reason() -> str:
            return self._reason(name)

        if not run.started and not self._state.pass_gate("batch", unless=reason):
            return
        try:
            outcome = self._attempt(name, batch, run, reason)
        except Exception as error:
            outcome = Outcome("fault", details=as_refusal(error).message)
        self._end(name, batch, outcome)

    def _attempt(self, name: str, batch: types.Batch, run: Run, reason: Callable[[], str]) -> Outcome:
        if reason() and not run.started:
            return Outcome(reason())
        fault = None if run.started else self._faults.job("batch")
        return driver.attempt(run, self._work(batch), self._bucket, fault, reason, lambda: self._running(name))

    def _running(self, name: str) -> None:
        self._state.lasts("batch", self._state.batches[name].create_time)
        self._set(name, _S.RUNNING)

    def _end(self, name: str, batch: types.Batch, outcome: Outcome) -> None:
        if outcome.by == "closed":
            return
        if outcome.by == "cancel":
            self._set(name, _S.CANCELLING)
            self._set(name, _S.CANCELLED)
            return
        if outcome.by == "exit" and not outcome.code:
            self._set(name, _S.SUCCEEDED)
        else:
            found = f"If logs are available, they can be found at {batch.runtime_info.output_uri}"
            details = outcome.details or f"Job failed with exit code {outcome.code}. {found}"
            self._set(name, _S[outcome.state or "FAILED"], details)
        # The operation of a failed batch is done, and its response is the batch (as gcloud reads it).
        self._operations.succeed(batch.operation, self._state.batches[name])

    def _found(self, name: str) -> types.Batch:
        found = self._state.batches.get(name)
        if found is None:
            raise not_found(f"Batch {name}")
        return found

    def get(self, request: types.GetBatchRequest) -> types.Batch:
        """GetBatch."""
        return self._found(request.name)

    def list(self, request: types.ListBatchesRequest) -> types.ListBatchesResponse:
        """ListBatches: filters `state = RUNNING AND labels.NAME = VALUE`; the newest first if asked."""
        wanted = filters.parse(request.filter)
        found = []
        for name, batch in self._state.batches.items():
            values = {
                "batch_id": quotas.short(name),
                "batch_uuid": batch.uuid,
                "state": batch.state.name,
                **{f"labels.{key}": value for key, value in batch.labels.items()},
            }
            if name.startswith(f"{request.parent}/") and filters.matches(wanted, values):
                found.append(batch)
        asked = f"{request.parent} {request.order_by} {request.filter}"
        ordered = found[::-1] if request.order_by else found
        some, token = paging.page(ordered, asked, request.page_size, request.page_token)
        return types.ListBatchesResponse(batches=some, next_page_token=token)

    def delete(self, request: types.DeleteBatchRequest) -> empty_pb2.Empty:
        """DeleteBatch: "If the batch is not in a CANCELLED, SUCCEEDED or FAILED State" it is FAILED_PRECONDITION."""
        with self._state.lock:
            batch = self._found(request.name)
            if batch.state not in _ENDED:
                raise precondition(f"Batch {request.name} is in state {batch.state.name} and cannot be deleted.")
            self._state.batches.remove(request.name)
            self._state.notes["deleted"].append(request.name)
            self._state.save()
        return empty_pb2.Empty()
