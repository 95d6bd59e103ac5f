"""python -m agegender."""

import sys

from agegender.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
