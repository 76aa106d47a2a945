"""How a person calls this command from where they are: the folder it is installed in need not be on the PATH."""

import shlex
import shutil
import sys
from pathlib import Path

NAME = "customer-pipeline"


def written() -> str:
    """Return what to type: the name where the shell finds it, else the path, as short as it can be."""
    script = Path(sys.executable).parent / NAME
    found = shutil.which(NAME)
    if not script.exists() or (found and script.samefile(found)):
        return NAME
    return shlex.quote(str(script.relative_to(Path.cwd()) if script.is_relative_to(Path.cwd()) else script))
