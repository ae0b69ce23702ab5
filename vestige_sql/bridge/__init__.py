"""The bridge: linear maps between two models' spaces, so that questions of one are asked in the other."""
