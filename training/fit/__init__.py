"""From the published rows to a fitted artefact: features, candidates, search."""
