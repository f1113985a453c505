"""The data set that is generated: where it lies, and what it is known by. What a photograph is, `synthetic` decides."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from typing import Any

from flowerexp import storage
from flowerexp.workload import report

#: Stands beside the class folders, written last.
COMPLETE = "complete.json"

#: Of what `synthetic.photograph` makes: to be raised with every change there that changes a byte. It is here because
#: a plan asks for it, and OpenCV comes with that module.
SYNTHETIC_VERSION = 1


def synthetic_fingerprint(config: dict[str, Any]) -> str:
    """The fingerprint of a sample of synthetic photographs: they follow from the config, so that none need be there."""
    sampling = [config["sampling"][key] for key in ("fraction", "seed")]
    known = [_name(config), config["dataset"]["classes"], *sampling]
    return hashlib.sha256(json.dumps(known).encode()).hexdigest()[:16]


def _name(config: dict[str, Any]) -> str:
    return f"synthetic-v{SYNTHETIC_VERSION}-{config['dataset']['images']}-seed{config['dataset']['seed']}"


def synthetic_folder(spark: Any, config: dict[str, Any]) -> str:
    """The folder of a synthetic data set; generated in parallel where it is not complete, reused where it is."""
    folder = storage.join(config["storage"]["generated"], _name(config))
    if storage.exists(storage.join(folder, COMPLETE)):
        return folder
    count, seed = config["dataset"]["images"], config["dataset"]["seed"]

    def generate(indices: Iterable[int]) -> Iterator[int]:
        from flowerexp.workload.images import synthetic  # OpenCV comes with it: 50 MB that other data sets need not pay

        photographs = (synthetic.photograph(index, seed) for index in indices)
        return storage.write_each((storage.join(folder, name), content) for name, content in photographs)

    with report.phase("generate"):
        context = spark.sparkContext
        slices = min(count, max(context.defaultParallelism * 4, count // 2000))
        with report.spark_progress(context, slices):
            written = context.parallelize(range(count), slices).mapPartitions(generate).sum()
        storage.write_bytes(storage.join(folder, COMPLETE), f'{{"images": {count}, "bytes": {written}}}\n'.encode())
    report.note(f"generated {count} photographs ({written / 1e6:.0f} MB) in {folder}")
    return folder
