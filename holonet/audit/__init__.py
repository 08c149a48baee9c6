"""Which layers of complextorch are holomorphic: measured, and compared with what is known."""

from holonet.audit.complextorch import EXCLUDED, SPECS, LayerSpec, Verdict, layer_types
from holonet.audit.measure import (
    PACKAGES,
    AuditRow,
    Measurement,
    as_record,
    audit,
    audit_layer,
    package_specs,
    write_audit,
)

__all__ = [
    "EXCLUDED",
    "PACKAGES",
    "SPECS",
    "AuditRow",
    "LayerSpec",
    "Measurement",
    "Verdict",
    "as_record",
    "audit",
    "audit_layer",
    "layer_types",
    "package_specs",
    "write_audit",
]
