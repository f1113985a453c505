"""Parquet files of measurements: read whole and checked, so that an error names the damaged file."""

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
        columns: those to read, as far as they are there; all by default.

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
    """Is a Parquet table's beginning and end as it should be? One that is not there is no damaged one.

    Raises:
        DataError: it is damaged.
    """
    try:
        pyarrow.parquet.read_schema(path)
    except FileNotFoundError:
        return
    except (pyarrow.ArrowException, OSError) as error:
        raise records.damaged(path, " ".join(str(error).split())) from error
