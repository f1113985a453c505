"""The picture of rates under the ceilings of their hosts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from flowerexp.analysis.drawing import INK, MUTED, PAPER, number, plain, tidy
from flowerexp.analysis.experiments.read_speed.limits import Ceiling, Ceilings
from flowerexp.analysis.report.material import Material
from flowerexp.analysis.report.svg import WIDTH, figure

if TYPE_CHECKING:
    from flowerexp.measurements.table import Array

CEILINGS: dict[Ceiling, str] = {"cpu": "decoding", "network": "the network", "disk": "the disk"}
"""The names of ceilings."""
ALIKE = 0.05
"""Ceilings that differ by less than this share are drawn as one."""
_CLEAR: dict[str, Any] = {"bbox": {"facecolor": PAPER, "edgecolor": "none", "pad": 1.0}}
"""The style of a label that covers the lines behind it."""


def roofline(material: Material, limits: Mapping[tuple[str, str], Ceilings]) -> Figure | None:
    """Rates under the ceilings of their hosts, against the size of an image.

    Args:
        material: the material, which says what readers are called.
        limits: by reader and cluster; equal ceilings are drawn once.
    """
    if not limits:
        return None
    drawn = figure(4.0, WIDTH * 0.85)
    panel = drawn.subplots()
    sizes = [ceilings.bytes_per_image for ceilings in limits.values()]
    span = np.geomspace(min(sizes) / 4, max(sizes) * 8, 60)
    rates = [rate for ceilings in limits.values() for rate in (ceilings.achieved, *ceilings.ceilings.values())]
    _ceilings(panel, limits, span, material)
    _achieved(panel, limits, material)
    panel.set_xscale("log")
    panel.set_yscale("log")
    tidy(panel, grid="both")
    panel.set_xlim(span[0], span[-1])
    panel.set_ylim(min(rates) / 3, max(rates) * 3)
    for axis, scale in ((panel.xaxis, 1e-3), (panel.yaxis, 1.0)):
        axis.set_major_formatter(FuncFormatter(lambda value, _, scale=scale: number(value * scale)))
        axis.set_minor_formatter(NullFormatter())
    panel.set_xlabel("kB read per image")
    panel.set_ylabel("images per second")
    return drawn


def _achieved(panel: Any, limits: Mapping[tuple[str, str], Ceilings], material: Material) -> None:
    """Each rate as a dot below its lowest ceiling; labels that would overlap are stacked."""
    below: dict[tuple[str, float], float] = {}
    for (reader, cluster), reached in sorted(limits.items(), key=lambda item: -item[1].achieved):
        size, rate, tone = reached.bytes_per_image, reached.achieved, material.tones[reader]
        panel.plot([size] * 2, [rate, reached.ceilings[reached.limit]], ":", color=tone, lw=1.4)
        panel.plot([size], [rate], "o", color=tone, ms=9, mec=PAPER, mew=1.4, zorder=4)
        place = (reader, round(float(np.log10(rate)), 1))
        shift = below[place] = below.get(place, 8.0) - 12.0
        note = f"{material.label(reader)}, {cluster}: {reached.fraction:.0%} of {CEILINGS[reached.limit]}"
        panel.annotate(
            plain(note), (size, rate), (10, shift), textcoords="offset points", fontsize=9, color=INK, **_CLEAR
        )


def _ceilings(panel: Any, limits: Mapping[tuple[str, str], Ceilings], span: Array, material: Material) -> None:
    """The ceilings, equal ones once. Those of disks and networks fall with the size of an image."""
    shared: list[tuple[str, str, list[tuple[str, float]]]] = []
    for (reader, cluster), host in limits.items():
        for name, ceiling in host.ceilings.items():
            level, of = (ceiling, reader) if name == "cpu" else (ceiling * host.bytes_per_image, "")
            alike = next((a for n, o, a in shared if (n, o) == (name, of) and abs(a[0][1] / level - 1) < ALIKE), None)
            if alike is None:
                shared.append((name, of, alike := []))
            alike.append((cluster, level))
    several = len({cluster for _, cluster in limits}) > 1
    for what, reader, alike in shared:
        level = sum(each for _, each in alike) / len(alike)
        heights = np.full(len(span), level) if reader else level / span
        panel.plot(span, heights, "-", color=material.tones.get(reader, MUTED), lw=1.6, alpha=0.8)
        note = f"decoding {material.label(reader)} on all vCPUs" if reader else f"{what}, {number(level / 1e6)} MB/s"
        note += f" of {', '.join(dict.fromkeys(cluster for cluster, _ in alike))}" if several else ""
        spot = (span[2], heights[2])
        panel.annotate(plain(note), spot, (0, 4), textcoords="offset points", fontsize=8.5, color=MUTED, **_CLEAR)
