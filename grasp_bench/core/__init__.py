"""Foundations of all packages: errors, hashing, registries, the store. Imports no other package of ours."""
