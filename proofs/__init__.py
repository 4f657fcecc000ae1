"""Statements about a design for every input and every environment, and the engine that proves them."""
