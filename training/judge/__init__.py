"""How good a model is, and whether it may answer: scores, comparisons, the gate."""
