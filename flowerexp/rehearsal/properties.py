"""Properties of clusters: `prefix:property`, with the prefixes and the properties of Dataproc's own that Google lists.

https://docs.cloud.google.com/dataproc/docs/concepts/cluster-properties, as last updated on 2026-04-10. Where a file's
prefix is known, any property may be set in that file; of `dataproc` only those that are listed, of some the values too.
In which words Google refuses the others was not found.
"""

from __future__ import annotations

from collections.abc import Mapping

from flowerexp.rehearsal.refusal import invalid

_PREFIXES = {
    *(
        "capacity-scheduler",
        "core",
        "dataproc",
        "distcp",
        "flink",
        "flink-log4j",
        "hadoop-env",
        "hadoop-log4j",
        "hbase",
    ),
    *(
        "hbase-log4j",
        "hdfs",
        "hive",
        "hive-log4j2",
        "hudi",
        "knox",
        "mapred",
        "mapred-env",
        "pig",
        "pig-log4j",
        "presto",
    ),
    *("presto-jvm", "spark", "spark-env", "spark-log4j", "tez", "webcat-log4j", "yarn", "yarn-env", "zeppelin"),
    *("zeppelin-env", "zeppelin-log4j", "zookeeper", "zookeeper-log4j"),
}
_FLAGS = {  # true or false
    "am.primary_only",
    "dataproc.allow.zero.workers",
    "dataproc.await-new-workers-service-registration",
    "dataproc.cluster.caching.enabled",
    "dataproc.cluster-ttl.consider-yarn-activity",
    "dataproc.conscrypt.provider.enable",
    "dataproc.lineage.enabled",
    "dataproc.localssd.mount.enable",
    "dataproc.logging.extended.enabled",
    "dataproc.logging.stackdriver.enable",
    "dataproc.logging.stackdriver.job.driver.enable",
    "dataproc.logging.stackdriver.job.yarn.container.enable",
    "dataproc.logging.syslog.enabled",
    "dataproc.monitoring.stackdriver.enable",
    "dataproc.snap.enabled",
    "dataproc.yarn.orphaned-app-termination.enable",
    "diagnostic.capture.enabled",
    "job.history.to-gcs.enabled",
    "jobs.file-backed-output.enable",
    "jupyter.listen.all.interfaces",
    "kerberos.beta.automatic-config.enable",
    "ranger.cloud-sql.use-private-ip",
    "user-attribution.enabled",
    "yarn.docker.enable",
    "yarn.log-aggregation.enabled",
}
_OTHERS = {
    "agent.process.threads.job.max",
    "agent.process.threads.job.min",
    "conda.env.config.uri",
    "conda.packages",
    "dataproc.alpha.master.nvdimm.size.gb",
    "dataproc.alpha.worker.nvdimm.size.gb",
    "dataproc.beta.secure.multi-tenancy.user.mapping",
    "dataproc.control.max.assigned.job.tasks",
    "dataproc.cooperative.multi-tenancy.user.mapping",
    "dataproc.master.custom.init.actions.mode",
    "dataproc.scheduler.driver-size-mb",
    "dataproc.scheduler.job-submission-rate",
    "dataproc.scheduler.max-concurrent-jobs",
    "dataproc.scheduler.max-memory-used",
    "dataproc.scheduler.min-free-memory.mb",
    "dataproc.worker.custom.init.actions.mode",
    "diagnostic.capture.access",
    "efm.spark.shuffle",
    "hudi.version",
    "jupyter.notebook.gcs.dir",
    "kerberos.cross-realm-trust.admin-server",
    "kerberos.cross-realm-trust.kdc",
    "kerberos.cross-realm-trust.realm",
    "kerberos.cross-realm-trust.shared-password.uri",
    "kerberos.kdc.db.key.uri",
    "kerberos.key.password.uri",
    "kerberos.keystore.password.uri",
    "kerberos.keystore.uri",
    "kerberos.kms.key.uri",
    "kerberos.root.principal.password.uri",
    "kerberos.tgt.lifetime.hours",
    "kerberos.truststore.password.uri",
    "kerberos.truststore.uri",
    "pip.packages",
    "ranger.admin.password.uri",
    "ranger.cloud-sql.instance.connection.name",
    "ranger.cloud-sql.root.password.uri",
    "ranger.db.admin.password.uri",
    "ranger.kms.key.uri",
    "solr.gcs.path",
    "startup.component.service-binding-timeout.hadoop-hdfs-namenode",
    "startup.component.service-binding-timeout.hive-metastore",
    "startup.component.service-binding-timeout.hive-server2",
    "yarn.docker.image",
}


def check(given: Mapping[str, str]) -> None:
    """Refuse the properties of a cluster that Google does not know.

    Raises:
        RefusalError: there is one.
    """
    for name, value in given.items():
        prefix, colon, rest = name.partition(":")
        if not colon or not rest:
            raise invalid(f"Property '{name}' must be in the format 'prefix:property'.")
        if prefix not in _PREFIXES:
            raise invalid(f"Unknown property prefix '{prefix}' in '{name}'.")
        if prefix == "dataproc" and rest not in _FLAGS | _OTHERS:
            raise invalid(f"Unrecognized dataproc property '{name}'.")
        if prefix == "dataproc" and rest in _FLAGS and value.lower() not in ("true", "false"):
            raise invalid(f"Invalid value '{value}' of '{name}': must be true or false.")
