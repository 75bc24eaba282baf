"""The first file of the bundle: python -I -B <bundle> STEP [ARGUMENT...]."""

import sys

from cellblock_fetch import main

main.run(sys.argv[1:])
