"""Entry of a process that runs a scenario or a Locust file: started by `headrace load` with this file's path.

Run by path, Python puts this folder first on sys.path, where its modules would shadow the user's. It is taken off again;
what stays is the folder that contains the `headrace` package, at the end, behind everything of the user's.
"""

import os
import sys


def _start() -> int:
    here = os.path.dirname(os.path.abspath(__file__))
    home = os.path.dirname(os.path.dirname(here))
    if sys.path and os.path.abspath(sys.path[0] or os.curdir) in (here, home):
        del sys.path[0]
    sys.path.insert(0, home)
    from headrace.load.main import main

    sys.path.remove(home)
    if home not in sys.path:
        sys.path.append(home)
    return main()


if __name__ == "__main__":
    sys.exit(_start())
