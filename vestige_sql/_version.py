"""The version of this package, from which its metadata is made; a checkout has no other."""

VERSION = "0.2.0"
