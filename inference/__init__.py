"""How tensors reach a pool of Triton servers and come back."""
