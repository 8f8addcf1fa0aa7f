"""The web pages of one run. They work without scripts; a small script keeps open pages up to date."""
