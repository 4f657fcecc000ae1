"""Boards as data, and the way from Verilog to a running board."""
