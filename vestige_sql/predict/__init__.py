"""How long a run will take and the disk that it will need, from a sample and a trial on a copy."""
