"""What other programs, the loudspeaker and the terminal get."""
