"""Predict how long a run will take and how much disk it will need, from a sample and a trial on a copy."""
