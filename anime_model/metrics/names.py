"""Names of the networks that the metrics use, for recipes: none is loaded for them."""

FEATURES = ("embedded", "inception-64", "inception-192", "inception-768", "inception-2048")  # of FID and KID
NETS = ("embedded", "squeeze", "alex", "vgg")  # of LPIPS
