"""One file a command: its arguments, one call, what is shown of the result."""
