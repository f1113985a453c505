"""The two servers as processes: started, stopped, killed, and where they are."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Self

from flowerexp.rehearsal.bucket import MACHINES_HOST
from flowerexp.rehearsal.process import Child


class Servers:
    """Cloud Storage and Dataproc, each in a process of its own, on loopback.

    Args:
        folder: for what the servers write: logs, state, files of running jobs.
        project: another project than the one of the tests.

    Attributes:
        project: the only project there is.
        region: any other that Google has will do as well.
    """

    project = "flowerexp-tests"
    region = "us-central1"

    def __init__(self, folder: Path, project: str | None = None) -> None:
        self.project = project or self.project
        self._folder = folder
        self._children: dict[str, Child] = {}

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._children["storage"] = Child(
            "flowerexp.rehearsal.storage", environment={}, log=self._folder / "storage.log"
        )
        self._start_dataproc(0, 0)
        return self

    def __exit__(self, *exception: object) -> None:
        for child in reversed(self._children.values()):
            child.stop()

    def _start_dataproc(self, port: int, control: int) -> None:
        self._children["dataproc"] = Child(
            "flowerexp.rehearsal.server",
            *("--folder", str(self._folder / "dataproc"), "--project", self.project),
            *("--port", str(port), "--control", str(control)),
            environment={
                "STORAGE_EMULATOR_HOST": self._storage_of("service"),
                MACHINES_HOST: self._storage_of("machines"),
            },
            log=self._folder / "dataproc.log",
        )
        self._ports = self._children["dataproc"].ports

    # Where it is.

    @property
    def storage_host(self) -> str:
        """http://127.0.0.1:PORT of Cloud Storage."""
        return self._storage_of("user")

    def _storage_of(self, who: str) -> str:
        return f"http://127.0.0.1:{self._children['storage'].ports[who]}"

    @property
    def dataproc_host(self) -> str:
        """127.0.0.1:PORT of Dataproc, for an insecure channel."""
        return f"127.0.0.1:{self._ports['dataproc']}"

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which Google's libraries, and flowerexp, find the servers."""
        return {
            "STORAGE_EMULATOR_HOST": self.storage_host,
            "DATAPROC_EMULATOR_HOST": self.dataproc_host,
            "COMPUTE_EMULATOR_HOST": f"127.0.0.1:{self._ports['compute']}",
            "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false",
            "GOOGLE_CLOUD_PROJECT": self.project,
        }

    def storage(self) -> Any:
        """A google.cloud.storage.Client."""
        from google.auth.credentials import AnonymousCredentials
        from google.cloud import storage

        return storage.Client(
            project=self.project,
            credentials=AnonymousCredentials(),
            client_options={"api_endpoint": self.storage_host},
        )

    def bucket(self, name: str, project: str | None = None) -> Any:
        """A new bucket, of our project or another one."""
        return self.storage().create_bucket(name, project=project)

    def fail_storage(self, method: str, path: str, status: int, message: str = "by order", *, times: int = 1) -> None:
        """Let the next requests to Cloud Storage fail.

        Args:
            method: such as `POST`, or `*` for any.
            path: a regular expression for what the URL holds behind the host.
            status: of HTTP, such as 503.
            message: what it says.
            times: how many requests; -1 for all from now on.
        """
        fault = {"method": method, "path": path, "status": status, "message": message, "times": times}
        self._storage("faults", "POST", json.dumps(fault).encode())

    def storage_methods(self) -> dict[str, list[str]]:
        """Who has called which methods of Cloud Storage: `user`, `machines` of the clusters, the `service` itself."""
        found: dict[str, list[str]] = json.loads(self._storage("seen"))
        return found

    def _storage(self, path: str, method: str = "GET", content: bytes | None = None) -> bytes:
        request = urllib.request.Request(f"{self.storage_host}/{path}", content, method=method)
        request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request) as answer:
            found: bytes = answer.read()
        return found

    def tell(self, verb: str, **arguments: Any) -> Any:
        """Ask the control service.

        Raises:
            RuntimeError: it does not know what is asked for.
        """
        url = f"http://127.0.0.1:{self._ports['control']}/{verb}"
        request = urllib.request.Request(url, json.dumps(arguments).encode(), method="POST")
        try:
            with urllib.request.urlopen(request) as answer:
                return json.loads(answer.read())
        except urllib.error.HTTPError as error:
            raise RuntimeError(json.loads(error.read())) from None

    def reset(self) -> None:
        """Forget everything, as if newly started; whatever runs is killed."""
        self.tell("reset")
        self._storage("faults", "DELETE")
        self._storage("seen", "DELETE")
        self._storage("wipe")

    def restart_dataproc(self) -> None:
        """Kill the service by SIGKILL and start it on the same ports; running jobs go on meanwhile."""
        self.kill_dataproc()
        self.start_dataproc()

    def kill_dataproc(self) -> None:
        """Kill the service by SIGKILL: nobody answers until `start_dataproc`."""
        self._children["dataproc"].kill()

    def start_dataproc(self) -> None:
        """Start it again, on the same ports, with all that it knew."""
        self._start_dataproc(self._ports["dataproc"], self._ports["control"])
