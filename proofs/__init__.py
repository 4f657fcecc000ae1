"""What is proved of a design for every input and every environment, and the engine that proves it."""
