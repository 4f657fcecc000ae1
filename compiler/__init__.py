"""From a trained network to Verilog."""
