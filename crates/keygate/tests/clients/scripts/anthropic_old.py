"""The same with a version of Anthropic's package that knows keys alone."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(sys.prefix).parent / "old"))

import anthropic_python
