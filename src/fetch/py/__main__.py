"""The first file of the bundle: python -I -B <bundle> resolve|unpack."""

import sys

from cellblock_fetch import main

main.run(sys.argv[1:])
