"""`rung kernels`: list, check and time them."""
