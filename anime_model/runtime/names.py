"""Names that files, tables and MLflow's registry have in common."""

VARIANTS = ("teacher", "separable", "pruned", "distilled", "int8")  # in the order in which they are made
LITE = VARIANTS[-1]  # the variant that people get
MODEL_PREFIX = "animegan-"  # of registered models, before the style
