"""Environment variables that must be set before Paddle is imported."""

from __future__ import annotations

#: Paddle 2 programs are loaded with the PIR API off.
LEGACY = {"FLAGS_enable_pir_api": "0"}

#: Paddle's executor writes results over inputs that it thinks nobody reads again. It does not see
#: that `x.detach()` shares the memory of `x`: after `y = x - 3` the detached tensor holds `y`.
NEVER_IN_PLACE = {"FLAGS_pir_apply_inplace_pass": "0"}

#: Operators run one after another in the order of the program. Paddle's threads know the operators
#: that read a value by its edges; a loop that writes its last condition over the value that it
#: started from may so run before that value was stored.
IN_ORDER = {"FLAGS_enable_pir_in_executor_trace_run": "1"}
