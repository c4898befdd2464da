"""How published networks take and give pictures; without a library, so that recipes are read quickly."""

LAYOUTS = ("nhwc", "nchw")
RANGES = {"-1..1": (-1.0, 1.0), "0..1": (0.0, 1.0), "0..255": (0.0, 255.0)}  # the levels of black and white
ORDERS = ("rgb", "bgr")
