"""Print everything that ingestd and its tests need, without upper bounds, for ``pip -r``."""

import re
from configparser import ConfigParser
from pathlib import Path

config = ConfigParser()
config.read(Path(__file__).parent.parent / "setup.cfg")
extras = config["options.extras_require"]
for line in (config["options"]["install_requires"] + extras["test"]).splitlines():
    print(re.sub(r",?<[\d.]+", "", line))
