"""What every other package stands on: errors, hashing, registry, store. Imports nothing of ours."""
