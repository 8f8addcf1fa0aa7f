"""What people read from a run: traces, lineage, comparisons, reports, pages, exports. Never changes a run."""
