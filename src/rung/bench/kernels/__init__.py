"""Every kernel: found, checked against its reference, timed beside the machine's limit."""
