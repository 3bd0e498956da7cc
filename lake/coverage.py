"""How much of a population its samples have shown, estimated from how far they overlap (capture-recapture).

Each response of the source is a simple random sample, without replacement, from a closed population of rows
whose number is not known: the slice of a group, or of a batch. The number of rows is estimated by maximum
likelihood from the multiple-recapture census with known sample sizes. Its interval holds every number under
which the overlap that was seen is not unlikely: a score interval, with the overlap's exact mean and variance.

Source: Darroch, The multiple-recapture census I: estimation of a closed population, Biometrika 45 (1958),
343-359; Johnson and Kotz, Urn Models and Their Application (1977), ch. 3, for the moments.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

# A number of rows beyond this is as good as none.
MOST_ROWS = 1e15
# From here on samples are so small a part that their overlap is a sum over pairs, and a Poisson count.
THIN = 1e4
# An overlap is a whole number. Without the correction an interval whose overlap is one row holds the truth
# 84 % of the time where it is at its worst.
CONTINUITY = 0.5
# Rows of different slices may be equal by chance: the survey has under 0.1 %, other data may have more.
CHANCE_SHARE = 0.02
# Both answers stop or start hundreds of requests, and more rows come: neither is given on weak evidence.
EVIDENCE = NormalDist().inv_cdf(1 - 1e-5)


@dataclass(frozen=True)
class Coverage:
    """How much of one population was seen.

    Attributes:
        requests: How many samples there are.
        distinct_rows: Different rows in all of them.
        estimated_rows: Rows in the population; None while no row was seen twice.
        estimated_rows_low: Lower end of its interval; None without two samples.
        estimated_rows_high: Upper end of its interval; None where it is unbounded.
        share: `distinct_rows / estimated_rows`, between 0 and 1.
        share_low: Its lower end; None where it is not to be known.
        share_high: Its upper end.
    """

    requests: int
    distinct_rows: int
    estimated_rows: float | None = None
    estimated_rows_low: float | None = None
    estimated_rows_high: float | None = None
    share: float | None = None
    share_low: float | None = None
    share_high: float | None = None


@dataclass(frozen=True)
class BatchSamples:
    """The samples that carry one batch number.

    Attributes:
        batch: The number.
        sizes: Rows of each sample, shape (n_samples,).
        distinct_rows: Different rows in them.
    """

    batch: int
    sizes: tuple[int, ...]
    distinct_rows: int


def coverage(sizes: Sequence[int], distinct_rows: int, *, confidence: float = 0.95) -> Coverage:
    """Estimates a population and the share of it that was seen.

    Args:
        sizes: Rows of each sample, none of which has a row twice; shape (n_samples,).
        distinct_rows: Different rows in all samples.
        confidence: How often the intervals are to hold the truth.
    """
    samples = [size for size in sizes if size > 0]
    if len(samples) < 2:
        return Coverage(len(sizes), distinct_rows)
    least = float(max(distinct_rows, *samples))
    repeated = sum(samples) - distinct_rows
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    rows = _root(lambda rows: _overlap(rows, samples)[0] - repeated, least) if repeated else None
    low = _root(lambda rows: _bound(rows, [samples], -z) - repeated - CONTINUITY, least)
    high = (
        _root(lambda rows: _bound(rows, [samples], z) - repeated + CONTINUITY, (rows or least) + 1)
        if repeated
        else None
    )
    return Coverage(
        len(sizes), distinct_rows, rows, low, high, _share(distinct_rows, rows),
        _share(distinct_rows, high), _share(distinct_rows, low),
    )  # fmt: skip


def resampled(batches: Sequence[BatchSamples], distinct_rows: int) -> Literal["group", "batch"] | None:
    """Whether samples of different batch numbers come from the same rows, or each batch has rows of its own.

    Where every batch has its own rows, hardly one is met again under another number. Where there is one
    slice, many are: as many as the overlap within the batches says of the number of rows.

    Args:
        batches: The samples, by batch number.
        distinct_rows: Different rows over all batches.

    Returns: `group` for one slice, `batch` for one each, None while neither can be told from the other.
    """
    known = [batch for batch in batches if batch.distinct_rows]
    if len(known) < 2:
        return None
    unions = [batch.distinct_rows for batch in known]
    met_again = sum(unions) - distinct_rows
    by_chance = CHANCE_SHARE * (sum(unions) - max(unions))
    is_one_slice = met_again > by_chance + EVIDENCE * math.sqrt(by_chance) + 1
    most = _most_rows(known)
    expected, variance = _overlap(max(most, *unions), unions) if most else (0.0, 0.0)
    is_apart = met_again < expected - EVIDENCE * math.sqrt(variance) - 1
    if is_one_slice and is_apart:  # chance and more than chance at once: the nearer one
        return "group" if met_again > expected / 2 else "batch"
    if is_apart:
        return "batch"
    return "group" if is_one_slice else None


def _most_rows(batches: Sequence[BatchSamples]) -> float | None:
    """The most rows that a population has whose samples overlap as they do within the batches."""
    several = [batch for batch in batches if len(batch.sizes) > 1]
    repeated = sum(sum(batch.sizes) - batch.distinct_rows for batch in several)
    if not repeated:
        return None
    least = float(max(max(batch.distinct_rows, *batch.sizes) for batch in several))
    sizes = [batch.sizes for batch in several]
    return _root(lambda rows: _bound(rows, sizes, EVIDENCE) - repeated, least + 1)


def _bound(rows: float, sizes: Sequence[Sequence[int]], z: float) -> float:
    """The overlap within each list of samples, all lists together, z standard deviations from its mean."""
    moments = [_overlap(rows, some) for some in sizes]
    return sum(mean for mean, _ in moments) + z * math.sqrt(sum(variance for _, variance in moments))


def _overlap(rows: float, sizes: Sequence[int]) -> tuple[float, float]:
    """Mean and variance of `sum(sizes) - distinct` for samples from so many rows.

    The rows not seen have the mean u = N prod(1 - n/N) and the variance u (1 + u (exp(a) - 1)), where
    a = log(1 - 1/N) + sum log(1 - n/((N-1)(N-n))): neither loses its digits where N is large.
    """
    total = sum(sizes)
    if rows > THIN * total:
        pairs = (total**2 - sum(size**2 for size in sizes)) / (2 * rows)
        return pairs, pairs
    if rows <= max(sizes):
        return total - rows, 0.0
    unseen = rows * math.exp(math.fsum(math.log1p(-size / rows) for size in sizes))
    if rows - 1 <= max(sizes):  # one row is unseen at most
        return total - rows + unseen, max(0.0, unseen * (1 - unseen))
    spread = math.log1p(-1 / rows) + math.fsum(
        math.log1p(-size / ((rows - 1) * (rows - size))) for size in sizes
    )
    return total - rows + unseen, max(0.0, unseen * (1 + unseen * math.expm1(spread)))


def _root(excess: Callable[[float], float], least: float) -> float | None:
    """Where a falling function of the number of rows meets zero; the least number if it is below it there."""
    from scipy.optimize import brentq  # a quarter of a second, which only this needs

    if excess(least) <= 0:
        return least
    return None if excess(MOST_ROWS) > 0 else float(brentq(excess, least, MOST_ROWS, xtol=1e-6, rtol=1e-12))


def _share(distinct_rows: int, rows: float | None) -> float | None:
    return min(1.0, distinct_rows / rows) if rows else None
