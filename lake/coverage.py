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
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

# A number of rows beyond this is as good as none.
MOST_ROWS = 10**15
# From here on samples are so small a part that their overlap is a sum over pairs, and a Poisson count.
THIN = 1e4
# An overlap is a whole number. Without the correction an interval whose overlap is one row holds the truth
# 84 % of the time where it is at its worst.
CONTINUITY = 0.5
# Rows of different slices may be equal by chance: the survey has under 0.1 %, other data may have more.
CHANCE_SHARE = 0.02
# Either answer decides over hundreds of requests, and waiting for a clear one costs a few.
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
    estimated_rows: int | None = None
    estimated_rows_low: int | None = None
    estimated_rows_high: int | None = None
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
    samples = Counter(size for size in sizes if size > 0)
    if samples.total() < 2:
        return Coverage(len(sizes), distinct_rows)
    least = max(distinct_rows, *samples)
    repeated = sum(sizes) - distinct_rows
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    low = _first_below(lambda rows: _bound(rows, [samples], -z) - repeated - CONTINUITY, least)
    rows, high = None, None
    if repeated:
        # The likelihood grows as long as the overlap to be expected is no smaller than the one that was seen.
        rows = _last(lambda rows: _overlap(rows, samples)[0] - repeated, least)
        high = _last(lambda rows: _bound(rows, [samples], z) - repeated + CONTINUITY, least)
    return Coverage(
        len(sizes), distinct_rows, rows, low, high, _share(distinct_rows, rows),
        _share(distinct_rows, high), _share(distinct_rows, low),
    )  # fmt: skip


def resampled(batches: Sequence[BatchSamples], distinct_rows: int) -> Literal["group", "batch"] | None:
    """Returns whether samples of different batch numbers come from the same rows, or each batch has rows of
    its own.

    Where every batch has its own rows, hardly one is met again under another number. Where there is one
    slice, many are: as many as the overlap within the batches says of the number of rows.

    Each answer is given only if what was met again is a row and 4.26 standard deviations (one in 100,000) or
    more beyond what the other allows: CHANCE_SHARE of the rows where batches are apart; where they are not,
    the overlap in the largest slice that the overlap within the batches allows, by the same measure.

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
    expected, variance = _overlap(max(most, *unions), Counter(unions)) if most else (0.0, 0.0)
    is_apart = met_again < expected - EVIDENCE * math.sqrt(variance) - 1
    if is_one_slice and is_apart:  # chance and more than chance at once: the nearer one
        return "group" if met_again > expected / 2 else "batch"
    if is_apart:
        return "batch"
    return "group" if is_one_slice else None


def _most_rows(batches: Sequence[BatchSamples]) -> int | None:
    """Returns the most rows that a population has whose samples overlap as they do within the batches."""
    several = [batch for batch in batches if len(batch.sizes) > 1]
    repeated = sum(sum(batch.sizes) - batch.distinct_rows for batch in several)
    if not repeated:
        return None
    least = max(max(batch.distinct_rows, *batch.sizes) for batch in several)
    samples = [Counter(batch.sizes) for batch in several]
    return _last(lambda rows: _bound(rows, samples, EVIDENCE) - repeated, least)


def _bound(rows: int, samples: Sequence[Mapping[int, int]], z: float) -> float:
    """Returns the overlap within each set of samples, all sets together, z standard deviations from its
    mean."""
    moments = [_overlap(rows, some) for some in samples]
    return sum(mean for mean, _ in moments) + z * math.sqrt(sum(variance for _, variance in moments))


def _overlap(rows: int, samples: Mapping[int, int]) -> tuple[float, float]:
    """Returns mean and variance of the rows of all samples less the distinct ones, for samples from so many
    rows.

    Args:
        rows: N, at least as many as the largest sample has.
        samples: How many samples there are of each size n.

    The rows not seen have the mean u = N prod(1 - n/N) and the variance u (1 + u (exp(a) - 1)), where
    a = log(1 - 1/N) + sum log(1 - n/((N-1)(N-n))): neither loses its digits where N is large.
    """
    total = sum(size * count for size, count in samples.items())
    if rows > THIN * total:
        pairs = (total**2 - sum(size**2 * count for size, count in samples.items())) / (2 * rows)
        return pairs, pairs
    if rows <= max(samples):
        return total - rows, 0.0
    unseen = rows * math.exp(math.fsum(count * math.log1p(-size / rows) for size, count in samples.items()))
    if rows - 1 <= max(samples):  # one row is unseen at most
        return total - rows + unseen, max(0.0, unseen * (1 - unseen))
    spread = math.log1p(-1 / rows) + math.fsum(
        count * math.log1p(-size / ((rows - 1) * (rows - size))) for size, count in samples.items()
    )
    return total - rows + unseen, max(0.0, unseen * (1 + unseen * math.expm1(spread)))


def _first_below(excess: Callable[[int], float], least: int) -> int | None:
    """Returns the first number of rows, from the least on, at which a falling function is below zero.

    Rows are whole numbers, so that bisection is exact; importing scipy's root finder would take 0.7 s.
    """
    most = least
    while excess(most) >= 0:
        if most > MOST_ROWS:
            return None
        least, most = most, 2 * most
    return least + bisect_right(range(least, most), 0.0, key=lambda rows: -excess(rows))


def _last(excess: Callable[[int], float], least: int) -> int | None:
    """Returns the last number of rows at which a falling function is not below zero; the least if it is
    there."""
    first_below = _first_below(excess, least)
    return None if first_below is None else max(least, first_below - 1)


def _share(distinct_rows: int, rows: int | None) -> float | None:
    return min(1.0, distinct_rows / rows) if rows else None
