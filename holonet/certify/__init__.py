"""Certificates: proofs that no perturbation of an example changes its class."""

from holonet.certify.certificate import Certificate
from holonet.certify.confirmation import Confirmation
from holonet.certify.enclosure import EXACT, Enclosure, Semantics
from holonet.certify.files import save_certificate, save_network
from holonet.certify.ladder import METHODS, certify, methods_for, threat_set
from holonet.certify.methods import Method
from holonet.certify.network import Network, read
from holonet.certify.radius import certified_radius
from holonet.certify.records import Records, certify_recorded

__all__ = [
    "EXACT",
    "METHODS",
    "Certificate",
    "Confirmation",
    "Enclosure",
    "Method",
    "Network",
    "Records",
    "Semantics",
    "certified_radius",
    "certify",
    "certify_recorded",
    "methods_for",
    "read",
    "save_certificate",
    "save_network",
    "threat_set",
]
