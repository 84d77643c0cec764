"""Makes distance.json of a folder of golden numbers: the signed distance maps of LIVIAETS' one_hot2dist.

    python3 make_distance_fixtures.py FOLDER

The case whose class fills the image is left out: its original measures to a voxel that there is not.
"""

import json
import pathlib
import sys

folder = pathlib.Path(sys.argv[1])
inputs = json.loads((folder / "inputs.json").read_text())["inputs"]
cases = {case["name"]: case for case in json.loads((folder / "liviaets.json").read_text())["cases"]}


def case(name):
    golden = cases[name]
    labels = inputs[golden["input"]]["arrays"]["labels"]
    return {
        "name": name,
        "shape": labels["shape"],
        "classes": golden["options"]["classes"],
        "spacing": golden["options"]["resolution"] or [1, 1],
        "labels": labels["data"],
        "map": golden["output"]["data"],
    }


made = [case(f"liviaets/distance_map{end}") for end in ("", "_spacing", "_large")]
target = pathlib.Path(__file__).parent / "distance.json"
target.write_text(json.dumps({"cases": made}, separators=(",", ":")) + "\n")
print(f"{target}: {len(made)} cases")
