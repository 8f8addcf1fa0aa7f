"""Looks for texts that break the parsers: `make fuzz`, or `python -m fuzz --seconds 3600`."""
