"""What state-space models are made of: HiPPO's matrix, kernels of it, and ways to convolve with them."""
