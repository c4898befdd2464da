"""What a recipe may ask of INT8 and what an export keeps: one bound for both."""

INT8_PSNR = 28.0  # dB to the trained network under which an INT8 file is taken to be broken
