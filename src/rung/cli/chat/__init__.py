"""`rung chat`: the command and the conversation."""
