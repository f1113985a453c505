"""What one Spark task does when data is prepared: read, decode, resize, compress and write one TFRecord file."""

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
from flowerexp.workload.images.examine import Examiner
from flowerexp.workload.images.inspection import Inspection
from flowerexp.workload.images.photographs import Photograph


@dataclass(frozen=True)
class Writer:
    """Writes the TFRecord file of a partition.

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
        """Write one partition's file.

        Errors of the machine are returned, not raised, since Spark would bury them in its own words.

        Returns:
            The file's entry in the manifest, and `inspection`, the `Inspection` of its photographs. An entry with 0
            `records` has no file.
        """
        from flowerexp.workload.images import tfrecords

        start = time.perf_counter_ns()
        inspection, counts = Inspection(), [0] * self.classes
        result: dict[str, Any] = {"partition": index, "host": socket.gethostname(), "records": 0}
        result.update(inspection=inspection, class_records=counts)
        try:
            with storage.NewFile(self.folder) as file:
                examples = self._examples(photographs, inspection, counts)
                records, size, crc32c = tfrecords.write_file(file.stream, examples)
                result.update(records=records, bytes=size, crc32c=crc32c)
                if records and not inspection.fatal:
                    result["file"] = f"part-{index:05d}-{records:05d}.tfrec"
                    file.keep(result["file"])
        except MachineError as error:
            inspection.problem = str(error)
        except OSError as error:
            inspection.problem = str(from_os_error(error, f"writing TFRecord files to {self.folder}:"))
        result["seconds"] = (time.perf_counter_ns() - start) / 1e9
        return result

    def _examples(
        self, photographs: Sequence[Photograph], inspection: Inspection, counts: list[int]
    ) -> Iterator[bytes]:
        """The serialised examples of a partition's photographs, without those that are left out."""
        from flowerexp.workload.images import examples, transform

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
                yield examples.encode_example(image, photograph.label)


@functools.cache
def _freeze_imports() -> None:
    """Leave all imported modules out of PySpark's garbage collection after every task, which takes 20 ms."""
    gc.freeze()
