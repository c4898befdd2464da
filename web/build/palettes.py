"""Prints the palettes of anime_model/runtime/palettes.py as the JSON that the page grades by; a test compares the two.

From the root of the project: `PYTHONPATH=. python web/build/palettes.py > web/package/src/palettes.json`.
"""

import json
from dataclasses import asdict

from anime_model.runtime.palettes import LUMA, PALETTES


def main() -> None:
    luma = [round(float(weight), 6) for weight in LUMA]
    lines = [f"    {json.dumps(name)}: {json.dumps(asdict(palette))}" for name, palette in PALETTES.items()]
    print(f'{{\n  "luma": {json.dumps(luma)},\n  "palettes": {{\n' + ",\n".join(lines) + "\n  }\n}")


if __name__ == "__main__":
    main()
