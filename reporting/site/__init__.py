"""A web page for one run: pages that work without scripts, and a small script that keeps them up to date."""
