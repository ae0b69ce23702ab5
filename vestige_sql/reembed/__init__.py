"""The runner: decide, stage, apply, switch, go back."""
