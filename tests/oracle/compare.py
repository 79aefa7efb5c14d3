"""Agreement of one tensor with Paddle's."""

from __future__ import annotations

import numpy as np
import torch


def compare(
    result: torch.Tensor, reference: np.ndarray, rtol: float, atol: float, where: str
) -> None:
    """Values agree, scale-relative, NaN equal to NaN."""
    array = (result.float() if result.dtype == torch.bfloat16 else result).numpy()
    if array.dtype.kind in "bui":
        np.testing.assert_array_equal(array, reference, err_msg=where)
        return
    if result.dtype in (torch.float16, torch.bfloat16):
        rtol, atol = max(rtol, 1e-2), max(atol, 1e-2)
    finite = np.abs(reference[np.isfinite(reference)])
    scale = max(1.0, float(finite.max())) if finite.size else 1.0
    np.testing.assert_allclose(array, reference, rtol=rtol, atol=atol * scale, err_msg=where)
