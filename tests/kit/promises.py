"""How soon a failure is shown and work goes on, s. RTBCI_PATIENCE=1 holds the tests to what is promised of a machine that
has nothing else to do; otherwise they wait longer, so that none of them fails by the clock."""

import os

_PATIENCE = float(os.environ.get("RTBCI_PATIENCE", "4"))
SHOWN_S, BACK_S = 1.0 * _PATIENCE, 2.0 * _PATIENCE
