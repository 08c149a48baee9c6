"""Where functions live: planar domains, polydiscs, and the obstacles to keep away from."""

from holonet.domains.base import Domain
from holonet.domains.obstacles import Obstacle, PeriodicPoints, PeriodicRays, PointSet, Ray
from holonet.domains.planar import Annulus, Disc, Plane, Rectangle, SlitPlane
from holonet.domains.polydisc import Polydisc

__all__ = [
    "Annulus",
    "Disc",
    "Domain",
    "Obstacle",
    "PeriodicPoints",
    "PeriodicRays",
    "Plane",
    "PointSet",
    "Polydisc",
    "Ray",
    "Rectangle",
    "SlitPlane",
]
