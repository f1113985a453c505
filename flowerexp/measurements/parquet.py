"""Read Parquet files of measurements with their checksums, so that an error names the damaged file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow
import pyarrow.parquet

from flowerexp import records


def read_parquet(path: Path, columns: Sequence[str] | None = None) -> pyarrow.Table:
    """Read a Parquet table of measurements.

    Args:
        path: the file's.
        columns: those to read, if they are there; all by default.

    Raises:
        DataError: it is damaged.
    """
    try:
        with pyarrow.parquet.ParquetFile(path, page_checksum_verification=True) as file:
            wanted = None if columns is None else [name for name in columns if name in file.schema_arrow.names]
            return file.read(wanted)
    except (pyarrow.ArrowException, OSError) as error:
        raise records.damaged(path, " ".join(str(error).split())) from error


def check_parquet(path: Path) -> None:
    """Check the beginning and the end of a Parquet file; one that does not exist is not damaged.

    Raises:
        DataError: it is damaged.
    """
    try:
        pyarrow.parquet.read_schema(path)
    except FileNotFoundError:
        return
    except (pyarrow.ArrowException, OSError) as error:
        raise records.damaged(path, " ".join(str(error).split())) from error
