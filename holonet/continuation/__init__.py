"""Holomorphic continuation of real PyTorch models into the complex domain."""

from holonet.continuation.model import Continuation, extend
from holonet.continuation.operation import Operation
from holonet.continuation.table import OPERATIONS, operations_table

__all__ = ["OPERATIONS", "Continuation", "Operation", "extend", "operations_table"]
