"""How long a test waits for what should come, before it fails.

It takes a fraction of a second on an idle machine. The deadline is there for what never
comes, so it is far beyond what a machine takes that eight others keep busy.
"""

from typing import Final

WITHIN: Final = 60.0  # seconds
