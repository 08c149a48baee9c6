"""Studies of papers, one folder a paper, and the list of all studies."""

from holonet.papers.registry import STUDIES, study_named

__all__ = ["STUDIES", "study_named"]
