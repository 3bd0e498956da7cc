"""The full Covertype set, through scikit-learn, in the source API's own coding."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet as pq
from numpy.typing import NDArray

from contracts.covertype import covertype
from contracts.errors import RowsUnreadable, SourceUnavailable
from source import one_hot

ORIGIN = "scikit-learn's fetch_covtype"

logger = logging.getLogger(__name__)


def fetch_full_set(destination: Path, download: Callable[[], Any] | None = None) -> int:
    """Downloads the survey's 581,012 rows and writes them as a file that the simulator serves.

    Args:
        destination: The Parquet file to write; replaced if it is there.
        download: Returns an object with `data` and `target`; scikit-learn's download where None.

    Returns: the number of rows.
    Raises: SourceUnavailable without a network; RowsUnreadable if the download is not what it was.
    """
    try:
        bunch = (download or _download)()
    except OSError as error:  # URLError, and what a broken download raises, are OSErrors
        raise SourceUnavailable(
            ORIGIN, f"{error}; it needs a network (the simulator can draw synthetic rows without one)"
        ) from error
    table = recode(bunch.data, bunch.target)
    destination.parent.mkdir(parents=True, exist_ok=True)
    unfinished = destination.with_name(f".{destination.name}.part")
    pq.write_table(table, unfinished, compression="zstd")
    unfinished.replace(destination)
    logger.info("full_set_fetched path=%s rows=%d", destination, table.num_rows)
    return int(table.num_rows)


def recode(data: NDArray[np.float64], target: NDArray[np.int32]) -> pa.Table:
    """Translates UCI's one-hot form to the 13 columns of the contract.

    Args:
        data: 10 integers, 4 areas and 40 soils as 0 or 1; shape (n_rows, 54).
        target: Cover types 1-7, shape (n_rows,).

    Returns: strings, shape (n_rows, 13), labels 0-6.
    Raises: RowsUnreadable if the columns are not one-hot or a label is not 1-7.
    """
    width = one_hot.width() - 1
    if data.ndim != 2 or data.shape[1] != width or target.shape != data.shape[:1]:
        raise RowsUnreadable(
            ORIGIN, f"its shapes are {data.shape} and {target.shape}, not (n, {width}) and (n,)"
        )
    if target.size and not (target.min() >= 1 and target.max() <= 7):
        raise RowsUnreadable(ORIGIN, f"its labels go from {target.min()} to {target.max()}, not 1 to 7")
    columns = covertype().columns
    texts = [_integers(data[:, place]) for place in range(one_hot.INTEGERS)]
    texts += [_chosen(data[:, block.places], block.column.values) for block in one_hot.blocks()]
    texts += [_integers(target - 1)]
    return pa.table({column.source_name: text for column, text in zip(columns, texts, strict=True)})


def _download() -> Any:
    from sklearn.datasets import fetch_covtype  # the one use of scikit-learn outside training/

    return fetch_covtype()


def _integers(values: NDArray[Any]) -> pa.Array:
    return pyarrow.compute.cast(pa.array(values.astype(np.int64)), pa.string())


def _chosen(block: NDArray[np.float64], names: tuple[str, ...]) -> pa.Array:
    if not (np.isin(block, (0, 1)).all() and (block.sum(axis=1) == 1).all()):
        raise RowsUnreadable(ORIGIN, f"its {len(names)} columns for {names[0]} … {names[-1]} are not one-hot")
    return pa.array(names).take(pa.array(block.argmax(axis=1)))
