"""What the survey looks like in outline: how often each soil occurs where, and how high it lies."""

from __future__ import annotations

from typing import NamedTuple


class Soil(NamedTuple):
    """One soil code.

    Attributes:
        per_10000: Rows of 10,000 with this soil in Rawah, Neota, Commanche and Cache.
        elevation_m: Mean height of its cells.
        deviation_m: Standard deviation of that height.
    """

    per_10000: tuple[int, int, int, int]
    elevation_m: int
    deviation_m: int


# Rounded from a stratified fifth of the survey's 581,012 rows; a soil that occurs counts at least 1.
# Source: Blackard, J. (1998), Covertype, UCI Machine Learning Repository, CC BY 4.0.
SOILS = {
    "C2702": Soil((0, 0, 0, 51), 2170, 150),
    "C2703": Soil((0, 0, 92, 36), 2500, 160),
    "C2704": Soil((0, 0, 42, 42), 2410, 190),
    "C2705": Soil((0, 0, 193, 21), 2610, 180),
    "C2706": Soil((0, 0, 0, 28), 2140, 160),
    "C2717": Soil((0, 0, 0, 119), 2400, 130),
    "C3501": Soil((2, 0, 0, 0), 2910, 10),
    "C3502": Soil((2, 0, 0, 0), 2910, 10),
    "C4201": Soil((22, 0, 0, 0), 2580, 40),
    "C4703": Soil((0, 0, 248, 315), 2460, 230),
    "C4704": Soil((0, 0, 196, 10), 2700, 130),
    "C4744": Soil((513, 0, 0, 0), 2820, 120),
    "C4758": Soil((0, 4, 292, 0), 2890, 150),
    "C5101": Soil((0, 0, 4, 6), 2260, 130),
    "C5151": Soil((0, 0, 0, 1), 2080, 10),
    "C6101": Soil((36, 2, 5, 5), 2720, 230),
    "C6102": Soil((0, 0, 45, 15), 2550, 260),
    "C6731": Soil((31, 1, 0, 0), 2560, 120),
    "C7101": Soil((47, 10, 11, 0), 3070, 110),
    "C7102": Soil((118, 1, 43, 0), 2860, 170),
    "C7103": Soil((0, 0, 13, 0), 3080, 120),
    "C7201": Soil((342, 90, 144, 0), 3140, 120),
    "C7202": Soil((490, 142, 363, 0), 3060, 150),
    "C7700": Soil((48, 36, 281, 0), 3030, 160),
    "C7701": Soil((0, 9, 0, 0), 3250, 40),
    "C7702": Soil((0, 0, 46, 0), 2890, 80),
    "C7709": Soil((0, 0, 21, 0), 3190, 120),
    "C7710": Soil((0, 0, 17, 0), 2740, 110),
    "C7745": Soil((1970, 2, 0, 0), 3000, 160),
    "C7746": Soil((522, 0, 0, 0), 2930, 170),
    "C7755": Soil((0, 7, 434, 0), 3050, 170),
    "C7756": Soil((0, 63, 844, 0), 3110, 150),
    "C7757": Soil((0, 47, 743, 0), 3030, 190),
    "C7790": Soil((0, 0, 28, 0), 3010, 160),
    "C8703": Soil((13, 9, 11, 0), 3370, 80),
    "C8707": Soil((0, 0, 2, 0), 3380, 70),
    "C8708": Soil((4, 0, 2, 0), 3410, 50),
    "C8771": Soil((129, 36, 102, 0), 3330, 60),
    "C8772": Soil((114, 15, 105, 0), 3300, 90),
    "C8776": Soil((72, 35, 42, 0), 3440, 130),
}
