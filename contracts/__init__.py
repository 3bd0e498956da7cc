"""What everybody agrees on: the data contract, the wire types, the expected errors."""
