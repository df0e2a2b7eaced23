"""Grid areas that never were: points, true volumes, registers, couplings and defects.

For the demo, the tests and the benchmarks. Every figure in it is in `figures.yaml`, with where it
was measured; the shape of a year is the standard profile of the parameters.
"""

from kwartier.simulation.area import Files, Simulation, simulate
from kwartier.simulation.mix import Mix
from kwartier.simulation.zonnedael import Zonnedael, read_zonnedael

__all__ = [
    "Files",
    "Mix",
    "Simulation",
    "Zonnedael",
    "read_zonnedael",
    "simulate",
]
