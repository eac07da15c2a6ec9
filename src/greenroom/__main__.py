"""What `greenroom` and `python -m greenroom` run: patch first, then the command line.

`greenroom/__init__.py` is imported even before this file. That does no harm as long as nothing it imports
holds on to what is patched here, or imports ssl: tests/integration/test_serve_patching.py watches over it.
"""

from gevent import monkey

monkey.patch_all()

import sys

from greenroom.cli import main

if __name__ == "__main__":
    sys.exit(main())
