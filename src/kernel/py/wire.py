"""The numbers of src/kernel/wire.h, and nothing else."""

EXEC = 1
REFRESH = 2
PACKAGES = 3
INSTALL_REPLY = 4

READY = 101
DISPLAY = 102
CLEAR = 103
RESULT = 104
INSTALL = 105
REFRESHED = 106
PACKAGES_REPLY = 107

CODE = 1
STDIN = 2
SCRATCH = 3
SITE = 4
EXECUTABLE = 5
PREFIX = 6
NAME = 7
STATUS = 8
ERROR = 9
EXITCODE = 10
INDEX = 11
MIME = 12
DATA = 13
TEXT = 14
ARG = 15

MIME_FILE = "application/x-cellblock-file"

# Bounds of this side: a frame may have 16 MiB, and the server keeps 10 MiB of output.
TEXT_MAX = 10 << 20
