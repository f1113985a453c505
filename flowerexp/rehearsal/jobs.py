"""JobController: PySpark jobs, really run."""

from __future__ import annotations

import shutil
import threading
import uuid
from collections.abc import Callable
from dataclasses import replace

from google.cloud.dataproc_v1 import types
from google.protobuf import empty_pb2

from flowerexp.rehearsal import driver, filters, paging, secondary, strict, strict_jobs
from flowerexp.rehearsal.bucket import Bucket
from flowerexp.rehearsal.driver import Outcome
from flowerexp.rehearsal.faults import Faults
from flowerexp.rehearsal.refusal import already_exists, as_refusal, invalid, not_found, precondition
from flowerexp.rehearsal.spark import Run, Work, environment_of, lacking
from flowerexp.rehearsal.state import State

_S = types.JobStatus.State
_ENDED = (_S.DONE, _S.ERROR, _S.CANCELLED, _S.ATTEMPT_FAILURE)
_CANCELLING = (_S.CANCEL_PENDING, _S.CANCEL_STARTED)
# ListJobsRequest.filter in types/jobs.py.
_GROUPS = {
    "ACTIVE": {state.name for state in _S if state not in _ENDED},
    "NON_ACTIVE": {state.name for state in _ENDED},
}


class Jobs:
    """Jobs, known by `region/id`."""

    def __init__(self, state: State, faults: Faults, bucket: Bucket) -> None:
        self._state = state
        self._faults = faults
        self._bucket = bucket

    def resume(self) -> None:
        """Go on with what an earlier process of the service had begun."""
        for key, job in self._state.jobs.items():
            if job.status.state not in _ENDED:
                self._begin(key)

    def run_of(self, job: types.Job) -> Run:
        """Where a job runs."""
        return Run(self._state.folder / "runs" / job.job_uuid)

    def _begin(self, key: str) -> None:
        threading.Thread(target=self._walk, args=(key,), daemon=True, name=f"job {key}").start()

    def _set(self, key: str, state: types.JobStatus.State, details: str = "") -> None:
        with self._state.lock:
            job = self._state.jobs.get(key)
            if job is None:
                return
            if job.status.state:
                job.status_history.append(job.status)
            job.status = types.JobStatus(state=state, details=details, state_start_time=self._state.now())
            job.done = state in _ENDED
            self._state.jobs.put(key, job)
            if job.done:
                self._state.notes["idle_since"][job.placement.cluster_uuid] = self._state.time()
            self._state.event("job", job.reference.job_id, state.name)

    def submit(self, request: types.SubmitJobRequest) -> types.Job:
        """SubmitJob."""
        strict.request_id(request.request_id)
        job = types.Job(request.job)
        strict_jobs.job(job)
        with self._state.lock:
            earlier = self._state.remembered("SubmitJob", request.request_id)
            if earlier and earlier in self._state.jobs:
                return self._state.jobs[earlier]
            cluster = self._ready_cluster(request)
            job_id = job.reference.job_id or str(uuid.uuid4())
            key = f"{request.region}/{job_id}"
            if any(name.partition("/")[2] == job_id for name, _ in self._state.jobs.items()):
                name = f"projects/{request.project_id}/regions/{request.region}/jobs/{job_id}"
                raise already_exists("submit job", f"Job {name}")
            job.reference = types.JobReference(project_id=request.project_id, job_id=job_id)
            job.placement.cluster_uuid = cluster.cluster_uuid
            job.job_uuid = str(uuid.uuid4())
            # https://cloud.google.com/dataproc/docs/guides/dataproc-job-output.
            control = f"gs://{cluster.config.config_bucket}/google-cloud-dataproc-metainfo/{cluster.cluster_uuid}/jobs/{job_id}/"
            job.driver_control_files_uri = control
            job.driver_output_resource_uri = f"{control}driveroutput"
            self._state.jobs.put(key, job)
            self._set(key, _S.PENDING)
            self._state.remember("SubmitJob", request.request_id, key)
            answer = types.Job(self._state.jobs[key])
        self._begin(key)
        return answer

    def _ready_cluster(self, request: types.SubmitJobRequest) -> types.Cluster:
        name = request.job.placement.cluster_name
        cluster = self._state.clusters.get(f"{request.region}/{name}")
        if cluster is None or request.project_id != self._state.project:
            raise not_found(f"Cluster projects/{request.project_id}/regions/{request.region}/clusters/{name}")
        state = cluster.status.state.name
        # https://cloud.google.com/dataproc/docs/concepts/jobs/life-of-a-job: only a running cluster takes jobs.
        if state not in ("RUNNING", "UPDATING", "ERROR_DUE_TO_UPDATE"):
            raise precondition(f"Unable to submit job, cluster '{name}' is in state {state} and cannot accept jobs.")
        return cluster

    def _work(self, key: str, job: types.Job) -> Work:
        cluster = self._cluster(key)
        workers, late = secondary.counts(cluster)
        given = job.pyspark_job
        of_cluster = dict(cluster.config.software_config.properties) if cluster else {}
        spark = {name.removeprefix("spark:"): value for name, value in of_cluster.items() if name.startswith("spark:")}
        properties = {**spark, **dict(given.properties)}
        log = properties.get("spark.eventLog.dir", "")
        return Work(
            main=given.main_python_file_uri,
            output=job.driver_output_resource_uri,
            args=list(given.args),
            python_files=list(given.python_file_uris),
            files=list(given.file_uris),
            archives=list(given.archive_uris),
            jars=list(given.jar_file_uris),
            properties=properties,
            environment={
                **environment_of(of_cluster, "spark-env:"),
                **environment_of(properties, "spark.dataproc.driverEnv."),
            },
            lacks=lacking(
                self._state.notes["lacking"], self._state.notes["installed"].get(job.placement.cluster_uuid, [])
            ),
            has=self._has(job.placement.cluster_uuid),
            output_late=float(self._state.notes["late_output"]),
            event_log=log if log.startswith("gs://") else "",
            executors=workers + late if late else 0,
            late=late,
        )

    def _has(self, cluster_uuid: str) -> list[str] | None:
        installed: list[str] = self._state.notes["installed"].get(cluster_uuid, [])
        return installed if self._state.notes["only_installed"] else None

    def _reason(self, key: str) -> Callable[[], str]:
        def reason() -> str:
            job = self._state.jobs.get(key)
            if self._state.closed or job is None:
                return "closed"
            if job.status.state in _CANCELLING:
                return "cancel"
            cluster = self._state.clusters.get(f"{key.partition('/')[0]}/{job.placement.cluster_name}")
            if cluster is None or cluster.cluster_uuid != job.placement.cluster_uuid:
                return "cluster"
            return "cluster" if cluster.status.state.name == "DELETING" else ""

        return reason

    def _walk(self, key: str) -> None:
        job, reason = self._state.jobs[key], self._reason(key)
        if not self.run_of(job).started and not self._state.pass_gate("job", unless=reason):
            return
        try:
            outcome = self._attempts(key, job, reason)
        except Exception as error:
            outcome = Outcome("fault", details=as_refusal(error).message)
        self._end(key, job, outcome)

    def _attempts(self, key: str, job: types.Job, reason: Callable[[], str]) -> Outcome:
        """Run it, and again where the job allows; the last attempt's end."""
        run = self.run_of(job)
        # types/jobs.py `JobScheduling`: a driver that exits with another code than 0 is started again.
        again = job.scheduling.max_failures_total or job.scheduling.max_failures_per_hour
        while True:
            if not run.started:
                why = reason()
                if why:
                    return Outcome(why)
                self._set(key, _S.SETUP_DONE)
            fault = None if run.started else self._faults.job("job")
            work = self._work(key, job)
            if not run.started and self._faults.preempts():
                work = replace(work, executors=work.executors or 2, preempts=True)
            look = self._look(key, run, work, reason)
            outcome = driver.attempt(run, work, self._bucket, fault, look, lambda: self._running(key))
            if outcome.by != "exit" or not outcome.code or not again:
                return outcome
            again -= 1
            self._set(key, _S.ATTEMPT_FAILURE, self._failure(job, outcome.code))
            shutil.rmtree(run.folder)

    def _look(self, key: str, run: Run, work: Work, reason: Callable[[], str]) -> Callable[[], str]:
        """The same as `reason`, and secondary workers come meanwhile."""

        def look() -> str:
            cluster = self._cluster(key)
            if work.late and cluster is not None and run.started:
                run.executors.let_come(secondary.first_missing(self._state, cluster))
            return reason()

        return look

    def _cluster(self, key: str) -> types.Cluster | None:
        return self._state.clusters.get(f"{key.partition('/')[0]}/{self._state.jobs[key].placement.cluster_name}")

    def _running(self, key: str) -> None:
        with self._state.lock:
            job = self._state.jobs.get(key)
            if job is not None and job.status.state not in _CANCELLING:
                self._state.lasts("job", job.status_history[0].state_start_time)
                self._set(key, _S.RUNNING)

    def _end(self, key: str, job: types.Job, outcome: Outcome) -> None:
        if outcome.by == "closed":
            return
        if outcome.by == "cancel":
            self._set(key, _S.CANCEL_STARTED)
            self._set(key, _S.CANCELLED, "Job was cancelled.")
        elif outcome.by == "cluster":
            # "Jobs running on a cluster when the cluster is deleted will fail":
            # https://cloud.google.com/dataproc/docs/concepts/configuring-clusters/scheduled-deletion.
            self._set(key, _S.ERROR, f"Cluster '{job.placement.cluster_name}' was deleted while the job was active.")
        elif outcome.by == "exit" and not outcome.code:
            self._set(key, _S.DONE)
        elif outcome.by == "exit":
            self._set(key, _S.ERROR, self._failure(job, outcome.code))
        else:
            self._set(key, _S[outcome.state or "ERROR"], outcome.details or self._failure(job, 1))

    def _failure(self, job: types.Job, code: int) -> str:
        """In the words of dagster-io/dagster issue 1417 and cdapio/cdap pull request 15658."""
        if code in (-9, 137, 143):
            return (
                "Driver received SIGTERM/SIGKILL signal and exited with 143 code, which potentially signifies a memory "
                "pressure.\nGoogle Cloud Dataproc Agent reports job failure."
            )
        return (
            "Google Cloud Dataproc Agent reports job failure. If logs are available, they can be found at:\n"
            f"{job.driver_output_resource_uri}"
        )

    # Looking, changing.

    def _found(self, project: str, region: str, job_id: str) -> types.Job:
        found = self._state.jobs.get(f"{region}/{job_id}") if project == self._state.project else None
        if found is None:
            raise not_found(f"Job projects/{project}/regions/{region}/jobs/{job_id}")
        return found

    def get(self, request: types.GetJobRequest) -> types.Job:
        """GetJob."""
        return self._found(request.project_id, request.region, request.job_id)

    def list(self, request: types.ListJobsRequest) -> types.ListJobsResponse:
        """ListJobs."""
        wanted = filters.parse(request.filter)
        matcher = request.job_state_matcher.name
        if matcher != "ALL" and not request.filter:
            wanted["status.state"] = matcher
        found = []
        for key, job in self._state.jobs.items():
            values = {"status.state": job.status.state.name}
            values |= {f"labels.{name}": value for name, value in job.labels.items()}
            here = key.startswith(f"{request.region}/")
            on = request.cluster_name in ("", job.placement.cluster_name)
            if here and on and filters.matches(wanted, values, _GROUPS):
                found.append(job)
        asked = f"{request.region} {request.cluster_name} {matcher} {request.filter}"
        some, token = paging.page(found, asked, request.page_size, request.page_token)
        return types.ListJobsResponse(jobs=some, next_page_token=token)

    def update(self, request: types.UpdateJobRequest) -> types.Job:
        """UpdateJob: "Currently, labels is the only field that can be updated" (types/jobs.py)."""
        with self._state.lock:
            job = self._found(request.project_id, request.region, request.job_id)
            if list(request.update_mask.paths) != ["labels"]:
                raise invalid("Only labels can be updated.")
            strict.labels(request.job.labels)
            job.labels = dict(request.job.labels)
            self._state.jobs.put(f"{request.region}/{request.job_id}", job)
            return types.Job(job)

    def cancel(self, request: types.CancelJobRequest) -> types.Job:
        """CancelJob."""
        with self._state.lock:
            job = self._found(request.project_id, request.region, request.job_id)
            if job.status.state in _ENDED:
                raise precondition(
                    f"Job '{request.job_id}' is in state {job.status.state.name} and cannot be cancelled."
                )
            if job.status.state not in _CANCELLING:
                self._set(f"{request.region}/{request.job_id}", _S.CANCEL_PENDING)
            return types.Job(self._found(request.project_id, request.region, request.job_id))

    def delete(self, request: types.DeleteJobRequest) -> empty_pb2.Empty:
        """DeleteJob: "If the job is active, the delete fails, and the response returns FAILED_PRECONDITION"."""
        with self._state.lock:
            job = self._found(request.project_id, request.region, request.job_id)
            if job.status.state not in _ENDED:
                raise precondition(f"Job '{request.job_id}' is active and cannot be deleted.")
            self._state.jobs.remove(f"{request.region}/{request.job_id}")
            return empty_pb2.Empty()
