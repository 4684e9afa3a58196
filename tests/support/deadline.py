"""How long a test waits for what should come, before it fails.

It takes a fraction of a second on an idle machine. The deadline is there for what never
comes, so it is far beyond what a machine takes that thirty others keep busy.
"""

from typing import Final

WITHIN: Final = 180.0  # seconds
