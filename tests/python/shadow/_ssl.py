"""With this directory first on PYTHONPATH `import _ssl` gives the extension, whatever Python has."""

import sys

from cinch import _cinch

sys.modules[__name__] = _cinch
