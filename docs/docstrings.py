"""Our docstrings have one `Example`, which griffe reads as text; it knows `Examples` as code."""

import re
from typing import Any

import griffe


class OneExample(griffe.Extension):
    """Rename the section."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Called for every object that is found in the code."""
        del kwargs
        if obj.docstring is not None:
            value = obj.docstring.value
            obj.docstring.value = re.sub(r"^(\s*)Example:$", r"\1Examples:", value, flags=re.M)
