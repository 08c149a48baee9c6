"""Certificates: proofs that no perturbation of an example changes its class."""

from holonet.certify.certificate import Certificate
from holonet.certify.enclosure import EXACT, Enclosure, Semantics
from holonet.certify.ladder import METHODS, certify, threat_set
from holonet.certify.methods import Method
from holonet.certify.network import Network, read

__all__ = [
    "EXACT",
    "METHODS",
    "Certificate",
    "Enclosure",
    "Method",
    "Network",
    "Semantics",
    "certify",
    "read",
    "threat_set",
]
