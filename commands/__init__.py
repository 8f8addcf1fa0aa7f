"""The commands, one file each: its arguments, one call, and the output of the result.

The docstring of each `add` is the command's help text.
"""
