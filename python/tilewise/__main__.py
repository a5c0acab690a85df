# SPDX-License-Identifier: Apache-2.0
"""`python -m tilewise COMMAND`."""

import sys

from tilewise.cli.main import main

sys.exit(main())
