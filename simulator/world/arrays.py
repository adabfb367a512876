"""The array types of the simulated world. Shapes and units are in the docstrings that use them."""

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
