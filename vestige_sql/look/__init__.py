"""Commands that change nothing: status, probe, gate, dry run, preview, script."""
