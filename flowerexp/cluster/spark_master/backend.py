"""Jobs on a Spark cluster that exists already: any master that `spark-submit` takes. The driver is on this machine."""

from __future__ import annotations

import os
import socket
from urllib.parse import urlsplit

from flowerexp.cluster import JobFiles
from flowerexp.cluster.spark_master.config import SparkMaster
from flowerexp.cluster.spark_submit import SparkSubmit, workers_environment
from flowerexp.errors import ClusterError

_ANSWER_SECONDS = 3.0
_PORTS = {"http": 80, "https": 443}


class SparkMasterBackend(SparkSubmit[SparkMaster]):
    """A master by its URL. Its nodes see the folders of this machine, and have the Python that the config names."""

    # A folder of configuration is the cluster's own.
    kept = frozenset({"SPARK_CONF_DIR", "HADOOP_CONF_DIR", "YARN_CONF_DIR"})
    options = ("--load-spark-defaults",)  # which a file of properties would replace

    def __init__(self, cluster: SparkMaster) -> None:
        super().__init__(cluster)
        self._master = cluster.master
        self._routes = _routes(self._master)
        # With the master on this machine, its workers may be here, too.
        self.on_this_host = self._master.startswith("local") or any(own == peer for own, peer in self._routes)

    def check(self) -> None:
        """See `Backend.check`: can the job be submitted, and does the master answer?

        Raises:
            MachineError: no Java, or no PySpark.
            ClusterError: the master does not answer.
        """
        super().check()
        if self._master == "yarn" and not (os.environ.get("HADOOP_CONF_DIR") or os.environ.get("YARN_CONF_DIR")):
            raise ClusterError(
                "nothing says where the YARN cluster is",
                where="cluster.master",
                hint="set HADOOP_CONF_DIR to the folder of its configuration",
            )
        if self._master.startswith("local-cluster"):
            raise ClusterError(
                f"{self._master} does not exist before its job",
                where="cluster.master",
                hint="use cluster=local_nodes, which starts one",
            )
        problems = []
        for host, port in _places(self._master):
            try:
                socket.create_connection((host, port), _ANSWER_SECONDS).close()
            except OSError as error:
                reason = "no answer" if isinstance(error, TimeoutError) else error.strerror or str(error)
                problems.append(f"{host}:{port} ({reason})")
            else:
                return  # of several masters, all but one are on standby
        if problems:
            raise ClusterError(
                f"the Spark master does not answer: {', '.join(problems)}",
                where="cluster.master",
                hint="start it, or check the address",
            )

    def own_properties(self) -> dict[str, str]:
        """See `SparkSubmit.own_properties`."""
        return {
            "spark.master": self._master,
            "spark.driver.memory": self.cluster.memory,
            "spark.executor.memory": self.cluster.executor_memory,
            # Executors call back: at the address that the master's network knows this machine by.
            **({"spark.driver.host": self._routes[0][0]} if self._routes else {}),
            **{f"spark.executorEnv.{name}": value for name, value in workers_environment().items()},
        }

    def environment(self, files: JobFiles) -> dict[str, str]:
        """See `SparkSubmit.environment`; this machine's own name is not looked up, which may not be known."""
        address = {"SPARK_LOCAL_IP": self._routes[0][0]} if self._routes else {}
        return {**address, **super().environment(files)}


def _places(master: str) -> list[tuple[str, int]]:
    """Host and port of each master in a URL: `spark://HOST:PORT,HOST:PORT` or `k8s://https://HOST:PORT`; else none.

    Raises:
        ClusterError: it is not such a URL.
    """
    scheme, _, rest = master.partition("://")
    if scheme not in ("spark", "k8s"):
        return []
    places = []
    for one in rest.split(",") if scheme == "spark" else [rest if "://" in rest else f"https://{rest}"]:
        try:
            url = urlsplit(one if "://" in one else f"//{one}")
            port = url.port or _PORTS.get(url.scheme)
        except ValueError:
            port = None
        if not port or not url.hostname:
            raise ClusterError(f"{master} names no host and port", where="cluster.master", hint="spark://HOST:7077")
        places.append((url.hostname, port))
    return places


def _routes(master: str) -> list[tuple[str, str]]:
    """For each master, the addresses of this machine and of the master; those whose names are unknown are left out.

    A datagram socket gets its peer, and nothing is sent.
    """
    routes = []
    for host, port in _places(master):
        try:
            family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
            with socket.socket(family, kind, protocol) as probe:
                probe.connect(address)
                routes.append((probe.getsockname()[0], probe.getpeername()[0]))
        except OSError:
            continue
    return routes
