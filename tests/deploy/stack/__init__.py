"""The stack in containers, run for real; needs an engine, so `.ci/stack` runs these and nothing else does."""
