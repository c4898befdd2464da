"""Names of the perceptual networks and of their maps, for recipes: no network is loaded for them."""

PERCEPTUAL = ("embedded", "vgg19")
LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1")
