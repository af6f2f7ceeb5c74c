"""Numba behind one face: compiled functions, their cache on disk, and columns passed to them."""

import os

# With colorama, which other packages may install, Numba's errors replace sys.stdout for a moment,
# whichever thread they come from: what another thread prints then goes astray.
os.environ.setdefault("NUMBA_DISABLE_ERROR_MESSAGE_HIGHLIGHTING", "1")
