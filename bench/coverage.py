"""The estimate of how much of a slice was seen, against the truth: `python -m bench.coverage`.

Slices of known numbers of rows are resampled the way the source does it, again and again with other seeds.
Beside lake.coverage: what a person would pick from a textbook, on the same samples.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from lake.coverage import coverage

SLICES = (58_100, 11_620, 1_000)
# Responses of a tenth of the slice each: they cover 41, 65 and 95 % of it.
RESPONSES = (5, 10, 28)
SEEDS = 50
Z = 1.959964
HOLDS_AT_LEAST = 0.9
STOP_AT = 0.95


@dataclass(frozen=True)
class Samples:
    """What samples of one slice have shown.

    Attributes:
        sizes: Rows of each sample, shape (n_samples,).
        known: Distinct rows before each sample, shape (n_samples,).
        met_again: Rows of each sample that were known, shape (n_samples,).
        last_two: Rows that the last two samples share.
        distinct_rows: Different rows in all of them.
    """

    sizes: tuple[int, ...]
    known: tuple[int, ...]
    met_again: tuple[int, ...]
    last_two: int
    distinct_rows: int


@dataclass(frozen=True)
class Estimate:
    """A number of rows and its 95 % interval."""

    rows: float
    low: float
    high: float


@dataclass(frozen=True)
class Errors:
    """How one estimator did on one slice, over the seeds; errors are relative to the truth.

    Attributes:
        rows: Of the number of rows, shape (n_seeds,).
        share: Of the share that was seen, shape (n_seeds,).
        held: Whether the interval held the truth, shape (n_seeds,).
        width: Of the interval, as a part of the truth, shape (n_seeds,).
        seen: The true share that was seen, shape (n_seeds,).
    """

    rows: list[float]
    share: list[float]
    held: list[bool]
    width: list[float]
    seen: list[float]


def canopy(samples: Samples) -> Estimate:
    """Measures what Canopy does."""
    found = coverage(samples.sizes, samples.distinct_rows)
    return Estimate(
        found.estimated_rows or math.inf,
        found.estimated_rows_low or 0.0,
        found.estimated_rows_high or math.inf,
    )


def schnabel(samples: Samples) -> Estimate:
    """Returns each sample against all before it, with the interval for 1/N.

    Source: Krebs, Ecological Methodology (1999), ch. 2: Schnabel's estimate and its normal approximation.
    """
    product = sum(size * known for size, known in zip(samples.sizes, samples.known, strict=True))
    met = sum(samples.met_again)
    low, high = (
        product / (met + z * math.sqrt(met)) if met + z * math.sqrt(met) > 0 else math.inf for z in (Z, -Z)
    )
    return Estimate(product / met if met else math.inf, low, high)


def chapman(samples: Samples) -> Estimate:
    """Estimates by Lincoln and Petersen on the last two samples, as Chapman corrected it, with Seber's
    variance.

    Source: Seber, The Estimation of Animal Abundance (1982), ch. 3.
    """
    one, two = samples.sizes[-2:]
    met = samples.last_two
    rows = (one + 1) * (two + 1) / (met + 1) - 1
    variance = (one + 1) * (two + 1) * (one - met) * (two - met) / ((met + 1) ** 2 * (met + 2))
    return Estimate(rows, rows - Z * math.sqrt(variance), rows + Z * math.sqrt(variance))


ESTIMATORS: dict[str, Callable[[Samples], Estimate]] = {
    "**Canopy**": canopy,
    "Schnabel": schnabel,
    "Chapman, last two": chapman,
}


def resample(seed: int, rows: int, size: int) -> Iterator[Samples]:
    """Yields responses of so many rows of a slice, one more each time, without end."""
    draw = np.random.default_rng(seed)
    seen, last = np.zeros(rows, dtype=bool), np.zeros(rows, dtype=bool)
    sizes, known, met_again = [], [], []
    while True:
        drawn = draw.choice(rows, size, replace=False)
        sizes.append(size)
        known.append(int(seen.sum()))
        met_again.append(int(seen[drawn].sum()))
        shared = int(last[drawn].sum())
        seen[drawn] = True
        last[:] = False
        last[drawn] = True
        yield Samples(tuple(sizes), tuple(known), tuple(met_again), shared, int(seen.sum()))


def measure(rows: int, responses: int | None, seeds: int) -> dict[str, Errors]:
    """Returns every estimator on the same samples.

    Args:
        rows: The slice.
        responses: How many, of a tenth of it each; None for as many as a collector takes that stops as soon
            as it believes to have STOP_AT of the slice.
        seeds: How often.
    """
    errors = {name: Errors([], [], [], [], []) for name in ESTIMATORS}
    for seed in range(seeds):
        samples = next(
            samples for samples in resample(seed, rows, rows // 10) if _is_enough(samples, responses)
        )
        for name, estimate in ESTIMATORS.items():
            _add(errors[name], estimate(samples), samples, rows)
    return errors


def table(measured: dict[tuple[int, int | None], dict[str, Errors]]) -> str:
    """Returns the measurements in Markdown."""
    lines = [
        "| slice, rows | responses (seen) | estimator "
        "| rows: error | bias | share: error | bias | interval holds | its width |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for (rows, responses), errors in measured.items():
        for name, found in errors.items():
            asked = f"{responses}" if responses else f"until {STOP_AT:.0%}"
            seen = f"{np.mean(found.seen):.1%}"
            cells = [f"{rows:,}", f"{asked} ({seen})", name, *_spread(found.rows), *_spread(found.share)]
            cells += [f"{np.mean(found.held):.0%}", f"{np.median(found.width):.2%}"]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Measures, prints the table, and fails if Canopy's interval holds the truth too seldom."""
    parser = argparse.ArgumentParser(description="The estimated share of a slice, against the truth.")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    seeds = parser.parse_args().seeds
    measured = {
        (rows, responses): measure(rows, responses, seeds)
        for rows in SLICES
        for responses in (*RESPONSES, None)
    }
    print(f"{seeds} seeds; errors are the median and the 95th percentile of their sizes\n")
    print(table(measured))
    held = [float(np.mean(errors["**Canopy**"].held)) for errors in measured.values()]
    print(f"\nCanopy's intervals held the truth {np.mean(held):.1%} of the time.")
    if min(held) < HOLDS_AT_LEAST:
        raise SystemExit(f"An interval held the truth {min(held):.0%} of the time only.")


def _is_enough(samples: Samples, responses: int | None) -> bool:
    if responses:
        return len(samples.sizes) == responses
    return (coverage(samples.sizes, samples.distinct_rows).share or 0.0) >= STOP_AT


def _add(errors: Errors, estimate: Estimate, samples: Samples, rows: int) -> None:
    errors.rows.append(estimate.rows / rows - 1)
    errors.share.append(rows / estimate.rows - 1)
    errors.held.append(estimate.low <= rows <= estimate.high)
    errors.width.append((estimate.high - estimate.low) / rows)
    errors.seen.append(samples.distinct_rows / rows)


def _spread(errors: list[float]) -> tuple[str, str]:
    """Returns median and 95th percentile of the sizes of errors, and their mean, in Markdown."""
    sizes = np.abs(errors)
    return f"{np.median(sizes):.2%}, {np.quantile(sizes, 0.95):.2%}", f"{np.mean(errors):+.2%}"


if __name__ == "__main__":
    main()
