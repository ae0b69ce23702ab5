"""Questions that change nothing: status, probes, the gate, a dry run, a preview, the script."""
