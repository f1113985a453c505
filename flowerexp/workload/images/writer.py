"""What one Spark task does when data is prepared: read, decode, resize, compress and write one shard."""

from __future__ import annotations

import functools
import gc
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from flowerexp import storage
from flowerexp.errors import MachineError, from_os_error
from flowerexp.workload import formats
from flowerexp.workload.images.examine import Examiner
from flowerexp.workload.images.inspection import Inspection
from flowerexp.workload.images.photographs import Photograph
from flowerexp.workload.images.prepared import checksum


@dataclass(frozen=True)
class Writer:
    """Writes the shards of a data set, each from the photographs of a partition.

    Attributes:
        folder: where the file goes.
        preprocess: the config's `preprocess`.
        examiner: the rules for photographs that cannot be used.
        options: of the file system that the photographs are read from.
        classes: the number of classes.
    """

    folder: str
    preprocess: dict[str, Any]
    examiner: Examiner
    options: dict[str, Any]
    classes: int

    @classmethod
    def of(cls, config: dict[str, Any], folder: str, classes: int) -> Writer:
        """The writer of a run's data."""
        access = storage.access(config["dataset"].get("anonymous"))
        return cls(folder, config["preprocess"], Examiner.of(config), access, classes)

    def write(self, index: int, photographs: Sequence[Photograph]) -> dict[str, Any]:
        """Write one partition's shard.

        Errors of the machine are returned, not raised, since Spark would bury them in its own words.

        Returns:
            The file's entry in the manifest, and `inspection`, the `Inspection` of its photographs. An entry with 0
            `records` has no file.
        """
        form = formats.of(self.preprocess["format"])
        start = time.perf_counter_ns()
        inspection, counts = Inspection(), [0] * self.classes
        result: dict[str, Any] = {"partition": index, "host": socket.gethostname(), "records": 0}
        result.update(inspection=inspection, class_records=counts)
        try:
            with storage.NewFile(storage.join(self.folder, *form.below.split("/")[:-1])) as file:
                samples = self._samples(photographs, inspection, counts)
                records = form.write(file.path, samples, self.preprocess["compression"])
                with storage.open_read(file.path) as written:
                    size, crc32c = checksum(written)
                result.update(records=records, bytes=size, crc32c=crc32c)
                if records and not inspection.fatal:
                    name = f"part-{index:05d}-{records:05d}{form.suffix}"
                    file.keep(name)
                    result["file"] = f"{form.below}{name}"
        except MachineError as error:
            inspection.problem = str(error)
        except OSError as error:
            inspection.problem = str(from_os_error(error, f"writing {form.title} files to {self.folder}:"))
        result["seconds"] = (time.perf_counter_ns() - start) / 1e9
        return result

    def _samples(
        self, photographs: Sequence[Photograph], inspection: Inspection, counts: list[int]
    ) -> Iterator[tuple[bytes, int]]:
        """The images that a partition's photographs become, with their labels, without those that are left out."""
        from flowerexp.workload.images import transform

        _freeze_imports()
        height, width = self.preprocess["target_size"]
        quality, exact = self.preprocess["quality"], self.preprocess["exact"]
        contents = storage.read_each((photograph.uri for photograph in photographs), **self.options)
        for photograph, content in zip(photographs, contents, strict=True):
            pixels = self.examiner.decode(photograph, content, inspection)
            if inspection.fatal:
                return
            if pixels is not None:
                image = transform.encode(transform.resize_and_crop(pixels, height, width, exact=exact), quality)
                counts[photograph.label] += 1
                yield image, photograph.label


@functools.cache
def _freeze_imports() -> None:
    """Leave all imported modules out of PySpark's garbage collection after every task, which takes 20 ms."""
    gc.freeze()
