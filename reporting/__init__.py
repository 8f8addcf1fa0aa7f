"""What people take out of a run: traces, lineage, comparisons, reports, pages, exports. It changes no run."""
